"""Workers -> what differs between them, those that are alike in one group. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .changes import as_cpu_list
from .plain import as_plain
from .workers import Worker, WorkerRuntime, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Workers that have the same.

    Parameters
    ----------
    value
        What they have; None for nothing: a variable that is not set, a runtime that is not mapped.
    pids
        The workers.
    """

    value: str | None
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One thing in which workers differ.

    Parameters
    ----------
    kind
        ``"variable"``, ``"runtime"``, ``"threads"``, ``"CPUs"``, ``"cgroup"`` or ``"start"``.
    name
        Which: the variable, the runtime's label; else "".
    groups
        Those that are alike, the largest group first. Where it is not known is in none.
    """

    kind: str
    name: str
    groups: tuple[Alike, ...]


def contrasts_of(workers: Iterable[Worker]) -> tuple[Contrast, ...]:
    """Give what differs between workers of the same sort.

    Compared are those with a runtime, and those that were started in the same way by a pool and
    have none yet; a shell or another program is no worker's peer.

    Examples
    --------
    >>> one = dict(parent=1, command="python", num_os_threads=1, origin="spawn", runtimes=None)
    >>> two = (Worker(pid=7, variables=(("OMP_NUM_THREADS", "1"),), **one),
    ...        Worker(pid=8, variables=(), **one))
    >>> [[(each.value, each.pids) for each in found.groups] for found in contrasts_of(two)]
    [[('1', (7,)), (None, (8,))]]
    """
    peers = _peers(tuple(workers))
    if len(peers) < 2:
        return ()
    found = [_contrast("start", "", peers, lambda each: (True, each.origin))]
    known = [each for each in peers if each.runtimes is not None]
    families = {r.family: r.label for each in known for r in each.runtimes or ()}
    found += [_contrast("runtime", label, known, _files(key)) for key, label in families.items()]
    paths = {r.path: r for each in known for r in each.runtimes or ()}
    found += [
        _contrast("threads", _called(each), known, _threads(path)) for path, each in paths.items()
    ]
    names = dict.fromkeys(name for each in peers for name, _ in each.variables or ())
    found += [_contrast("variable", name, peers, _variable(name)) for name in names]
    found.append(_contrast("CPUs", "", peers, _affinity))
    found.append(_contrast("cgroup", "", peers, lambda each: (True, each.cgroup)))
    return tuple(each for each in found if len(each.groups) > 1)


def _called(runtime: WorkerRuntime) -> str:
    return f"{runtime.label} ({runtime.package})" if runtime.package else runtime.label


def _peers(workers: tuple[Worker, ...]) -> list[Worker]:
    pooled = {each.origin for each in workers if each.works} - {"exec"}
    return [each for each in workers if each.works or each.origin in pooled]


_Value = Callable[[Worker], "tuple[bool, str | None]"]
"""Gives (whether it is known, what it is)."""


def _contrast(kind: str, name: str, workers: Iterable[Worker], value: _Value) -> Contrast:
    groups: dict[str | None, list[int]] = {}
    for each in workers:
        known, found = value(each)
        if known:
            groups.setdefault(found, []).append(each.pid)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1][0]))
    alike = tuple(Alike(value=found, pids=tuple(pids)) for found, pids in ordered)
    return Contrast(kind=kind, name=name, groups=alike)


def _files(family: str) -> _Value:
    def value(worker: Worker) -> tuple[bool, str | None]:
        found = [
            f"{each.path} (replaced on disk)" if each.replaced else each.path
            for each in worker.runtimes or ()
            if each.family == family
        ]
        return True, ", ".join(sorted(found)) or None

    return value


def _threads(path: str) -> _Value:
    def value(worker: Worker) -> tuple[bool, str | None]:
        found = next((each for each in worker.runtimes or () if each.path == path), None)
        if found is None or found.num_threads is None:
            return False, None
        return True, str(found.num_threads)

    return value


def _variable(name: str) -> _Value:
    def value(worker: Worker) -> tuple[bool, str | None]:
        if worker.variables is None:
            return False, None
        return True, dict(worker.variables).get(name)

    return value


def _affinity(worker: Worker) -> tuple[bool, str | None]:
    if worker.affinity is not None:
        return True, as_cpu_list(frozenset(worker.affinity))
    return worker.affinity_cpus is not None, str(worker.affinity_cpus)


def workers_plain(found: Workers) -> dict[str, Any]:
    """Give all child processes as plain dicts and lists, with their sums and what differs."""
    return {
        "sums": {
            "workers": len(found.crowd),
            "pool_threads": found.pool_threads,
            "unknown_pools": found.unknown_pools,
            "rss_bytes": found.rss_bytes,
            "pss_bytes": found.pss_bytes,
            "limit_bytes": found.memory.limit_bytes if found.memory is not None else None,
        },
        "differences": as_plain(contrasts_of(found.workers)),
        **as_plain(found),
    }
