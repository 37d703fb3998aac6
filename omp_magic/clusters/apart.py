"""A client for looking again and again, beside the user's own conversation with the cluster.

Dask's synchronous client may be called from any thread, and keeps nothing of a look. ipyparallel's
notes what it sends in `Client.history`, where ``rc.get_result(-1)`` finds the user's last task,
and `Client.wait` waits for all of it: a thread that looks has a client of its own there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import RequestError
from .ipyparallel import connected, runs, was_stopped
from .port import ClosedError

_PORTS = ("control", "task", "mux", "iopub", "notification", "registration", "broadcast")


@dataclass(frozen=True, slots=True)
class Apart:
    """A client that looks.

    Parameters
    ----------
    client
        What is asked.
    closed
        Tells whether the user's is closed, where asking would not say it.
    own
        What is closed with it; None when it is the user's.
    """

    client: Any
    closed: Callable[[], bool] = bool
    own: Any = None

    def check(self) -> None:
        """Find out that the user's client is closed.

        Raises
        ------
        ClosedError
            When it is.
        """
        if self.closed():
            raise ClosedError(type(self.client).__name__, "closed", "%omp_cluster client")

    def close(self) -> None:
        """Let go of it."""
        if self.own is not None:
            with suppress(Exception):  # it may be closed already, and its controller gone
                self.own.close()


def apart(client: Any) -> Apart:
    """Give a client for looking from a thread of its own.

    Parameters
    ----------
    client
        The user's.

    Raises
    ------
    RequestError
        When a second one cannot be made: ipyparallel's over ssh.
    """
    for module, make in (("distributed", _of_dask), ("ipyparallel", _of_ipyparallel)):
        found = make(client) if module in sys.modules else None
        if found is not None:
            return found
    return Apart(client)


def _of_dask(client: Any) -> Apart | None:
    """Give the user's, or one for a cluster without: a look would make one each time."""
    import distributed  # noqa: PLC0415 - it is there already
    from distributed.deploy.cluster import Cluster  # noqa: PLC0415 - as above

    if isinstance(client, distributed.Client):
        return Apart(client, lambda: client.status in ("closing", "closed"))
    if not isinstance(client, Cluster):
        return None
    own = distributed.Client(client, set_as_default=False)  # type: ignore[no-untyped-call]  # as it is
    return Apart(own, lambda: getattr(client.status, "name", "") != "running", own)


def _of_ipyparallel(client: Any) -> Apart | None:
    from ipyparallel import Client, Cluster  # noqa: PLC0415 - it is there already
    from ipyparallel.client.view import (  # noqa: PLC0415 - as above
        View,
        ViewExecutor,
    )

    if isinstance(client, Cluster):
        own = connected(client)
        return Apart(own, lambda: not runs(client), own)
    view = client.view if isinstance(client, ViewExecutor) else client
    users = view.client if isinstance(view, View) else view
    if not isinstance(users, Client):
        return None
    if users._ssh:  # noqa: SLF001 - it is told nowhere else
        accepted = "--live with one that reaches its controller itself"
        raise RequestError("a client over ssh", accepted, "%omp_cluster rc")
    own = Client(_connection(users))
    own.cluster = users.cluster  # it knows how many engines there should be
    targets = getattr(view, "targets", None)
    looking = own if targets is None else own[list(own.ids) if targets == "all" else targets]
    return Apart(looking, lambda: bool(users._closed) or was_stopped(users), own)  # noqa: SLF001 - as above


def _connection(client: Any) -> dict[str, Any]:
    """Give what a client has connected to, as a connection file has it: ports and no URLs."""
    found = dict(client._config)  # noqa: SLF001 - what the connection file had, and its key
    found.update({each: int(found[each].rpartition(":")[2]) for each in _PORTS if each in found})
    return found
