"""The workers of a cluster -> in what they differ, by equal value. Pure, and linear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .clusters import ClusterWorker, WorkerState
from .clustersnapshots import ClusterGroup, ClusterSnapshot
from .cpus import cpus_words
from .libraries import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which workers differ.

    Parameters
    ----------
    kind
        ``"runtime"``, ``"package"``, ``"Python"``, ``"system"``, ``"variable"``, ``"threads"``,
        ``"limit"``, ``"tasks"`` or ``"CPUs"``.
    name
        Which: the runtime, the package, the variable, the pool; else "".
    values
        (value, groups that have it), the most workers first; None for what is not there.
    """

    kind: str
    name: str
    values: tuple[tuple[str | None, tuple[ClusterGroup, ...]], ...]

    @property
    def usual(self) -> str | None:
        """What the most of them have."""
        return self.values[0][0]

    @property
    def others(self) -> tuple[tuple[str | None, tuple[ClusterGroup, ...]], ...]:
        """The other values, and the groups that have them."""
        return self.values[1:]


def workers_of(groups: tuple[ClusterGroup, ...]) -> tuple[ClusterWorker, ...]:
    """Give the workers of groups."""
    return tuple(each for group in groups for each in group.workers)


def count_of(groups: Iterable[ClusterGroup]) -> int:
    """Give how many workers groups have."""
    return sum(len(group.workers) for group in groups)


def differences_of(cluster: ClusterSnapshot) -> tuple[Difference, ...]:
    """Give in what the workers differ that have answered.

    A group is looked at once, and so is each thing that it has.
    """
    return cluster.once("differences", lambda: _differences(cluster))


def _differences(cluster: ClusterSnapshot) -> tuple[Difference, ...]:
    known = [group for group in cluster.groups if group.state is not None]
    if len(known) < 2:
        return ()
    found: dict[tuple[str, str], dict[str | None, list[ClusterGroup]]] = {}
    for group in known:
        for aspect, value in aspects_of(group).items():
            found.setdefault(aspect, {}).setdefault(value, []).append(group)
    return tuple(
        difference
        for (kind, name), values in found.items()
        if (difference := _difference(kind, name, values, known)) is not None
    )


def _difference(
    kind: str, name: str, values: dict[str | None, list[ClusterGroup]], known: list[ClusterGroup]
) -> Difference | None:
    if sum(map(len, values.values())) < len(known):
        if kind in _OF_WHAT_IS_THERE:
            # That a package or a pool is not there at all is told of its runtime.
            return None if len(values) < 2 else _ordered(kind, name, values)
        have = {id(group) for groups in values.values() for group in groups}
        values = {**values, None: [group for group in known if id(group) not in have]}
    return None if len(values) < 2 else _ordered(kind, name, values)


_OF_WHAT_IS_THERE = ("package", "threads")


def _ordered(kind: str, name: str, values: dict[str | None, list[ClusterGroup]]) -> Difference:
    sizes = {value: count_of(groups) for value, groups in values.items()}
    order = sorted(values, key=lambda value: -sizes[value])
    found = tuple((value, tuple(values[value])) for value in order)
    return Difference(kind=kind, name=name, values=found)


def aspects_of(group: ClusterGroup) -> dict[tuple[str, str], str]:
    """Give what may differ; where a state has two things of one name, both are its value."""
    found: dict[tuple[str, str], list[str]] = {}
    state = group.state
    if state is not None:
        for kind, name, value in _facts(state):
            found.setdefault((kind, name), []).append(value)
    found["tasks", ""] = [str(group.tasks)]
    return {key: ", ".join(sorted(values)) for key, values in found.items()}


def _facts(state: WorkerState) -> Iterator[tuple[str, str, str]]:
    yield "system", "", state.system
    yield "Python", "", state.python
    for library in state.libraries:
        yield "runtime", called(library), _build(library)
    for name, version in {(e.owner, e.owner_version) for e in state.libraries}:
        if name and version:
            yield "package", name, version
    for name, value in state.variables:
        yield "variable", name, value
    for pool in state.pools:
        if pool.size and not pool.lender:
            yield "threads", pool.name, str(pool.size)
    for limit in state.limits:
        yield "limit", "", limit
    yield "CPUs", "", cpus_words(state.budget_cpus)


def called(library: Library) -> str:
    """Give a runtime's name that is the same where its environment lies somewhere else."""
    return f"{library.label} ({library.owner or library.name})"


def _build(library: Library) -> str:
    """Give which build it is: its version and its file's name, which wheels end by a hash."""
    return f"{library.version} ({library.file_name})" if library.version else library.file_name
