"""``%omp_cluster``: a client by its name, and the cluster behind it; what is wrong is one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..clustering import cluster
from ..clusters.engines import ROWS
from ..errors import LimitError, OmpMagicError, RequestError, nearest, wrong
from ..limits.spec import parse_limit
from .asking import unquoted, wrong_use
from .clusternames import names_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from ..facts.clustersnapshots import ClusterSnapshot
    from .clusterlive import ClusterLive, ClusterPanel

_NAME = "omp_cluster"
EXAMPLE = "%omp_cluster client --limit auto"
ACCEPTED = "CLIENT, --limit SPEC|auto|off, --timeout SECONDS, --live, --json"
_CLIENT = "a client of a running cluster, or an expression that gives one: client, rc[:]"
_CLASSES = ("Client", "Cluster", "View", "Executor", "Parallel", "Pool")
"""Classes of engines that are, or whose subclasses are, what a line may name."""
_NO_CLIENT = ("ipyparallel", "Cluster")
"""It has engines and no connection to them; a client of it has."""
_LONGEST_S = 3600.0
_NO_PANEL = (
    "omp_cluster: --live needs a notebook whose kernel may send by itself; this is the cluster now"
)


def clustered(
    shell: InteractiveShell, text: str, options: Namespace, live: Callable[[], ClusterLive]
) -> ClusterSnapshot | ClusterPanel | None:
    """Look at the cluster of a client, and set a limit where one is asked for.

    It gives None when it has printed JSON.

    Parameters
    ----------
    shell
        Whose names the client is among.
    text
        The client, as an expression.
    options
        The magic's line, parsed.
    live
        Gives what the live panels share.

    Raises
    ------
    UsageError
        In one line, when there is no such client, or it is asked in other words.
    """
    if options.json and options.live:
        accepted = "one of them: a panel stays, JSON is printed once"
        raise UsageError(wrong_use(_NAME, "found --json with --live", accepted, EXAMPLE))
    limit = _limit(unquoted(options.limit))
    if options.timeout is not None and not 0 < options.timeout <= _LONGEST_S:
        told = f"found --timeout {options.timeout:g}"
        accepted = f"seconds that each worker has, more than 0 and up to {_LONGEST_S:g}"
        example = "%omp_cluster client --timeout 5"
        raise UsageError(wrong_use(_NAME, told, accepted, example))
    client = client_named(shell, text)
    timeout = {} if options.timeout is None else {"timeout_s": options.timeout}
    try:
        if options.live:
            panels = live()
            if panels.threaded:
                return panels.open(client, text, limit, **timeout)
            print(_NO_PANEL, file=sys.stderr)
        # Who asks for JSON has its lines alone.
        progress = False if options.json else None
        found = cluster(client, limit, progress=progress, **timeout)
    except RequestError as error:
        near = error.near or _any_of(shell)
        near = "" if near == text else near
        told = wrong(f"found {text!r}, {error.found}", error.accepted, EXAMPLE, near)
        raise UsageError(f"{_NAME}: {told}") from None
    except OmpMagicError as error:
        raise UsageError(f"{_NAME}: {error}") from None
    if not options.json:
        return found.named(*names_of(client, text))
    print(found.to_json())
    return None


def client_named(shell: InteractiveShell, text: str) -> object:
    """Give what an expression is in the user's names.

    Raises
    ------
    UsageError
        In one line, when there is none, or it has no value.
    """
    text = text.strip()
    if not text:
        raise UsageError(wrong_use(_NAME, "found no CLIENT", _CLIENT, EXAMPLE, _any_of(shell)))
    try:
        value = eval(text, shell.user_global_ns, shell.user_ns)  # noqa: S307 - the user's own line
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the user's expression
        found = f"found {text!r} ({type(error).__name__}: {error})"
        near = nearest(text, clients_in(shell)) or _any_of(shell)
        raise UsageError(wrong_use(_NAME, found, _CLIENT, EXAMPLE, near)) from None
    return value


def clients_in(shell: InteractiveShell) -> list[str]:
    """Give the names of the user's that are clients of an engine, by their classes alone.

    An engine is not asked: of Dask's cluster it would make a client.
    """
    return [
        name
        for name, value in tuple(shell.user_ns.items())
        if not name.startswith("_") and not isinstance(value, type) and _is_client(type(value))
    ]


def _is_client(kind: type) -> bool:
    own = {row[0].partition(".")[0] for row in ROWS}
    names = [(each.__module__.partition(".")[0], each.__name__) for each in kind.__mro__]
    return _NO_CLIENT not in names and any(
        module in own and name in _CLASSES for module, name in names
    )


def _any_of(shell: InteractiveShell) -> str:
    return next(iter(clients_in(shell)), "")


def _limit(text: str | None) -> str | None:
    """Give a limit, understood here already: no worker was asked."""
    if text is None or text == "off":
        return text
    try:
        return parse_limit(text, asking='%omp_cluster client --limit "{}"', also=("off",)).text
    except LimitError as error:
        raise UsageError(f"{_NAME}: {error}") from None
