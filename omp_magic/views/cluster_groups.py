"""A kind of workers of a cluster -> its row, and what is told of it on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..facts.clusterdiffs import aspects_of
from ..facts.clusters import ClusterWorker, WorkerState
from ..facts.clustersnapshots import ClusterGroup
from ..facts.cpus import cpus_words
from ..facts.libraries import Pool
from ..facts.workerstate import LIMIT
from ..rules.cluster_words import is_set_by_imports
from .words import DASH, counted

MOST_WORKERS, MOST_NAMED = 20, 4
"""Workers of a group that are listed on demand, and that a sentence names."""
_MOST_CHARS = 120
_MOST_WHY = 400
"""Characters of why a worker is silent, which is told in its row alone."""
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group: the cells of its row, and what is told of it on demand."""

    cells: tuple[str, ...]
    summary: str
    facts: tuple[tuple[str, str], ...]
    libraries: tuple[tuple[str, str, str], ...]
    workers: tuple[str, ...]
    more: int


def clipped(text: str, most: int = _MOST_CHARS) -> str:
    """Give a text from outside, cut where it is too long for a row.

    A sentence is cut between its words, at its end; a path or a name loses its middle.

    Examples
    --------
    >>> clipped("its children are told by %omp_status", 20), clipped("/usr/lib/libgomp.so", 8)
    ('its children are…', '/usr…p.so')
    """
    if len(text) <= most:
        return text
    words = text[: most + 1].rpartition(" ")[0].rstrip(" ,;:")
    if len(words) > most // 2:
        return f"{words}{_ELLIPSIS}"
    half = most // 2
    return f"{text[:half]}{_ELLIPSIS}{text[-half:]}"


def who_of(workers: Sequence[ClusterWorker]) -> str:
    """Give the addresses of a few, and how many more there are."""
    shown = ", ".join(clipped(each.title) for each in workers[:MOST_NAMED])
    more = len(workers) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def having(kind: str, name: str, value: str) -> str:
    """Give what some workers have of what differs: ``OMP_NUM_THREADS=1``, ``Python 3.11.9``."""
    if kind == "threads":
        return f"{clipped(name)} {value} thread{'' if value == '1' else 's'}"
    if kind == "variable":
        return f"{clipped(name)}={clipped(value)}"
    return clipped(value) if kind == "CPUs" else f"{label_of(kind, name)} {clipped(value)}"


def label_of(kind: str, name: str) -> str:
    """Give what differs, in words."""
    return clipped(name) or {"tasks": "tasks at once", "CPUs": "number of CPUs"}.get(kind, kind)


def row_of(
    number: int, group: ClusterGroup, first: ClusterGroup, hosts: Mapping[int, str]
) -> GroupRow:
    """Give a group's row; all but the first are told by what they have otherwise.

    Parameters
    ----------
    number
        Its number.
    group, first
        The group, and the one that it is held against.
    hosts
        What the host of each worker is called, by the worker's `id`.
    """
    state = group.state
    size = len(group.workers)
    like = _silent_words(group) if state is None else _pools_words(group)
    if state is not None and group is not first:
        like = f"as 1, but {_unlike(group, first)}"
    if state is not None and state.limits and (group is first or _as_limited(group, first)):
        like += f"; limit {clipped(', '.join(state.limits))}"
    demand = DASH if group.demand is None else str(group.demand)
    cpus = DASH if state is None else f"{state.budget_cpus:.3g}"
    return GroupRow(
        cells=(str(number), str(size), like, str(group.tasks), demand, cpus),
        summary=f"{number}: {counted(size, 'worker')} on {_hosts_words(group, hosts)}",
        facts=() if state is None else _facts_of(state, _pools_words(group)),
        libraries=() if state is None else _libraries_of(state),
        workers=tuple(
            _worker_words(each, hosts.get(id(each), each.host))
            for each in group.workers[:MOST_WORKERS]
        ),
        more=max(0, size - MOST_WORKERS),
    )


def in_short(row: GroupRow) -> GroupRow:
    """Give a row with less on demand."""
    shown = row.workers[:MOST_NAMED]
    more = row.more + len(row.workers) - len(shown)
    return replace(row, libraries=(), workers=shown, more=more)


def _facts_of(state: WorkerState, pools: str) -> tuple[tuple[str, str], ...]:
    variables = ", ".join(f"{name}={value}" for name, value in state.variables)
    found = (
        ("Python", f"{state.python}, {clipped(state.prefix)}"),
        ("CPUs", f"{cpus_words(state.budget_cpus)} of {state.machine_cpus}, by {state.bound}"),
        ("pools", pools),
        ("variables", clipped(variables) or "none of those that matter"),
        ("limit", clipped(", ".join(state.limits))),
        ("findings", clipped(", ".join(state.codes))),
        ("not known", clipped(", ".join(each for each in state.unknown if each != LIMIT))),
    )
    return tuple(
        (name, value if name == "pools" else clipped(value)) for name, value in found if value
    )


def _libraries_of(state: WorkerState) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (
            clipped(f"{each.label} {each.version or ''}".rstrip()),
            clipped(f"{each.owner or 'no package'} {each.owner_version or ''}".rstrip()),
            clipped(each.path.removeprefix(f"{state.prefix}/")),
        )
        for each in state.libraries[:MOST_WORKERS]
    )


def _silent_words(group: ClusterGroup) -> str:
    gap = group.workers[0].gap
    why = clipped(gap.why if gap is not None else "not known why", _MOST_WHY)
    told = why if why.startswith("no answer") else f"no answer: {why}"
    return f"{told} ({who_of(group.workers)})"


def _as_limited(group: ClusterGroup, first: ClusterGroup) -> bool:
    """Tell whether both have the same limits; else what they differ in says it."""
    if group.state is None or first.state is None:
        return False
    return group.state.limits == first.state.limits


def _pools_words(group: ClusterGroup) -> str:
    pools = [] if group.state is None else [e for e in group.state.pools if not e.lender and e.size]
    told = [_pool_words(pool) for pool in pools[: 2 * MOST_NAMED]]
    more = len(pools) - 2 * MOST_NAMED
    told += [f"{more} more"] if more > 0 else []
    return ", ".join(told) or "no pool yet"


def _pool_words(pool: Pool) -> str:
    later = "" if pool.num_threads else " once it starts"
    return f"{clipped(pool.name)} {pool.size}{later}"


def _unlike(group: ClusterGroup, first: ClusterGroup) -> str:
    """Give in what a group differs from the first, a few things."""
    usual, own = aspects_of(first), aspects_of(group)
    told = []
    for kind, name in {**own, **usual}:
        value = own.get((kind, name))
        if value == usual.get((kind, name)) or (kind == "variable" and is_set_by_imports(name)):
            continue
        if value is not None:
            told.append(having(kind, name, value))
        elif kind not in ("package", "threads"):  # its runtime says so
            told.append(f"no {label_of(kind, name)}")
    more = len(told) - MOST_NAMED
    shown = ", ".join(told[:MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown or "other details"


def _hosts_words(group: ClusterGroup, hosts: Mapping[int, str]) -> str:
    names = list(
        dict.fromkeys(
            hosts.get(id(each)) or each.host or "a host without a name" for each in group.workers
        )
    )
    more = len(names) - MOST_NAMED
    shown = ", ".join(map(clipped, names[:MOST_NAMED]))
    return f"{shown} and {more} more" if more > 0 else shown


def _worker_words(worker: ClusterWorker, host: str) -> str:
    pid = "" if worker.pid is None else f", pid {worker.pid}"
    seen = {"carried": ", omp_magic came with the question", "outside": ", seen from outside"}
    took = "" if worker.took_s is None else f", answered in {1000 * worker.took_s:.0f} ms"
    where = f" on {clipped(host)}" if worker.host else ""
    return f"{clipped(worker.title)}{where}{pid}{took}{seen.get(worker.seen, '')}"
