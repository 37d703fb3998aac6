"""A client for looking again and again, beside the user's own conversation with the cluster.

Dask's synchronous client may be called from any thread, and keeps nothing of a look. ipyparallel's
numbers what it sends in `Client.history`, where ``rc.get_result(-1)`` finds the user's last task,
and `Client.wait` waits for all of it: a thread that looks has a client of its own there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..errors import RequestError

_PORTS = ("control", "task", "mux", "iopub", "notification", "registration", "broadcast")


@dataclass(frozen=True, slots=True)
class Apart:
    """A client that looks.

    Parameters
    ----------
    client
        What is asked.
    closed
        Tells whether the user has closed his.
    own
        What is closed with it; None when it is the user's.
    """

    client: Any
    closed: Callable[[], bool]
    own: Any = field(default=None)

    def check(self) -> None:
        """Find out that the user's client is closed.

        Raises
        ------
        RequestError
            When it is.
        """
        if self.closed():
            raise RequestError("a client that is closed", "one that is open", "%omp_cluster client")

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
    ipyparallel = sys.modules.get("ipyparallel")
    if ipyparallel is None or not isinstance(
        client, (ipyparallel.Client, ipyparallel.client.view.View)
    ):
        return Apart(client, lambda: getattr(client, "status", "") in ("closed", "closing"))
    users = client if isinstance(client, ipyparallel.Client) else client.client
    if users._ssh:  # noqa: SLF001 - it is told nowhere else
        raise RequestError(
            "a client over ssh", "--live where the controller is reached", "%omp_cluster rc"
        )
    own = ipyparallel.Client(_connection(users))
    looking = own if users is client else own[client.targets]
    return Apart(looking, lambda: bool(users._closed), own)  # noqa: SLF001 - as above


def _connection(client: Any) -> dict[str, Any]:
    """Give what a client has connected to, as a connection file has it: ports and no URLs."""
    found = dict(client._config)  # noqa: SLF001 - what the connection file had, and its key
    found.update({each: int(found[each].rpartition(":")[2]) for each in _PORTS if each in found})
    return found
