"""The processes of ipyparallel's engines that this process has started itself.

A controller does not know them, and a launcher does not know which of its processes has which
engine's number (ipyparallel/cluster/cluster.py, `signal_engine`): an engine says it when it
answers, and whether it is a process of this machine its launcher says.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

_PIDS: weakref.WeakKeyDictionary[Any, dict[str, int]] = weakref.WeakKeyDictionary()
"""Processes of engines that have answered, by cluster and the engine's own name."""


def note(client: Any, engine: int, pid: int) -> None:
    """Keep the process of an engine that has answered."""
    ident = client._engines.get(engine)  # noqa: SLF001 - as views do
    if client.cluster is not None and ident is not None:
        _PIDS.setdefault(client.cluster, {})[ident] = pid


def pids_of(client: Any) -> dict[int, int]:
    """Give the processes of engines that run on this machine, as far as they are known."""
    known = {} if client.cluster is None else _PIDS.get(client.cluster, {})
    local = set(_started(client.cluster)) if known else set()
    engines = tuple(client._engines.items())  # noqa: SLF001 - as views do
    return {each: known[ident] for each, ident in engines if known.get(ident) in local}


def _started(cluster: Any) -> Iterator[int]:
    from ipyparallel.cluster.launcher import (  # noqa: PLC0415 - it is there already
        LocalEngineLauncher,
    )

    for engines in tuple(cluster.engines.values()):
        for each in tuple(getattr(engines, "launchers", {}).values()):
            if isinstance(each, LocalEngineLauncher):
                yield each.pid
