"""The workers of a cluster -> its hosts: the CPUs that all may use there, and what they want."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .clusters import ClusterWorker, at_once
from .cpus import cpus_words, threads_for

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterHost:
    """A machine of a cluster, and its workers.

    Parameters
    ----------
    name
        What its workers call it; where they call it by several names, all of them.
    machine
        As in `ClusterWorker`.
    workers
        Those that are there.
    cpus
        CPUs that all of them may use together; None when none has answered.
    why
        What decides that, in words.
    demand
        Threads that may work there at once, of those that are known.
    """

    name: str
    machine: str
    workers: tuple[ClusterWorker, ...]
    cpus: float | None
    why: str
    demand: int

    @property
    def located(self) -> bool:
        """Whether it is known which machine this is; else its workers may be on any other."""
        return any(each.host or each.machine or host_in(each.address) for each in self.workers)

    @property
    def silent(self) -> int:
        """How many of its workers have not answered."""
        return sum(each.state is None for each in self.workers)

    @property
    def at_least(self) -> bool:
        """Whether `demand` may be more: workers are silent, or have pools whose size is unknown."""
        return any(each.state is None or not each.state.all_sized for each in self.workers)

    @property
    def tasks(self) -> int:
        """Tasks that run there at once."""
        return sum(each.tasks for each in self.workers)

    @property
    def over(self) -> bool:
        """Whether more threads may work there at once than its CPUs, a part of one for a whole."""
        return self.cpus is not None and self.demand > threads_for(self.cpus)

    def __repr__(self) -> str:
        """Give one line."""
        cpus = "unknown" if self.cpus is None else f"{self.cpus:.3g}"
        return (
            f"<ClusterHost {self.name[:80]!r} workers={len(self.workers)} cpus={cpus} "
            f"demand={self.demand}>"
        )


def hosts_of(workers: Iterable[ClusterWorker]) -> tuple[ClusterHost, ...]:
    """Give the machines of workers, in the order of their first one.

    Two names that are one machine, containers mostly, are one host; two machines of one name are
    two. A worker that has not answered is with those whose host, or whose address, is called as
    the engine calls its host.
    """
    given = tuple(workers)
    aliases: dict[str, str] = {}
    for each in given:
        if each.state is not None:
            for name in (each.host, host_in(each.address)):
                aliases.setdefault(name, _key(each))
    machines: dict[str, list[ClusterWorker]] = {}
    for each in given:
        key = _key(each) if each.state is not None else aliases.get(each.host, _key(each))
        machines.setdefault(key, []).append(each)
    names = [_names(found) for found in machines.values()]
    number = Counter(names)
    return tuple(
        _host(found, f"{name}, {_machine_words(found)}" if number[name] > 1 else name)
        for name, found in zip(names, machines.values(), strict=True)
    )


def host_in(address: str) -> str:
    """Give the host of an address, "" where it has none.

    Examples
    --------
    >>> host_in("tcp://10.0.0.7:40123"), host_in("tls://[fe80::1]:80"), host_in("engine 3")
    ('10.0.0.7', 'fe80::1', '')
    """
    _, scheme, rest = address.partition("://")
    return rest.rpartition(":")[0].strip("[]") if scheme else ""


def _key(worker: ClusterWorker) -> str:
    return f"machine {worker.machine}" if worker.machine else f"host {worker.host}"


def _machine_of(workers: Sequence[ClusterWorker]) -> str:
    """Give what a worker says that has answered; the first one may be silent."""
    return next((each.machine for each in workers if each.machine), "")


def _machine_words(workers: Sequence[ClusterWorker]) -> str:
    machine = _machine_of(workers)
    return f"machine {machine[:8]}" if machine else "not known which machine"


def _names(workers: Sequence[ClusterWorker]) -> str:
    """Give the names of a machine: of those that told it, else as the engine calls it."""
    told = dict.fromkeys(each.host for each in workers if each.state is not None and each.host)
    names = [*told] or [*dict.fromkeys(each.host for each in workers)]
    more = len(names) - _MOST_NAMES
    shown = " = ".join(names[:_MOST_NAMES]) or "a host without a name"
    return f"{shown} and {more} more names" if more > 0 else shown


def _host(workers: list[ClusterWorker], name: str) -> ClusterHost:
    known = [each for each in workers if each.state is not None]
    cpus, why = _cpus_of(known) if known else (None, "none of its workers has answered")
    return ClusterHost(
        name=name,
        machine=_machine_of(workers),
        workers=tuple(workers),
        cpus=cpus,
        why=why,
        demand=_demand(known),
    )


def _demand(workers: Sequence[ClusterWorker]) -> int:
    """Give the threads that may work at once; a pool counts once for all that are one process.

    ``LocalCluster(processes=False)`` has such workers: ``inproc://host/pid/number``
    (distributed/comm/inproc.py).
    """
    shared: dict[int, list[ClusterWorker]] = {}
    alone = []
    for each in workers:
        if each.pid is not None and each.address.startswith("inproc://"):
            shared.setdefault(each.pid, []).append(each)
        else:
            alone.append(each.demand or 0)
    together = [
        at_once(of[0].state.pools, sum(each.tasks for each in of))
        for of in shared.values()
        if of[0].state is not None
    ]
    return sum((*alone, *together))


def _cpus_of(workers: Sequence[ClusterWorker]) -> tuple[float, str]:
    """Give the CPUs that workers of one machine may use together, and what decides that.

    The quota of a cgroup counts once, whoever is in it; quotas of different cgroups add up, to that
    of a cgroup in which they are; who has none may use all CPUs of its mask. Together they never
    have more than those of all masks.
    """
    machine = max(each.state.machine_cpus for each in workers if each.state is not None)
    masks = _masks(workers)
    bounds = [(float(machine), f"the machine has {cpus_words(machine)}")]
    if masks < machine:
        bounds.append((float(masks), f"their affinity is {cpus_words(masks)} of {machine}"))
    allowed = _allowed([(_quotas_of(each), each) for each in workers], 0)
    groups = [(name, cpus) for name, cpus, _ in allowed if name]
    if groups:
        free = [(cpus, number) for name, cpus, number in allowed if not name]
        total = sum(cpus for _, cpus in groups) + sum(cpus for cpus, _ in free)
        bounds.append((total, _quota_words(groups, sum(number for _, number in free))))
    return min(bounds, key=lambda bound: bound[0])


_Group = tuple[str, str]
"""A cgroup: where its path counts, and the path."""
_Quotas = tuple[tuple[_Group, float], ...]


def _quotas_of(worker: ClusterWorker) -> _Quotas:
    """Give the quotas of a worker, from the outermost.

    In two containers the root of each is "/", so that a cgroup is told by its namespace too: by the
    host's name where that is not known.
    """
    quotas = worker.quotas
    if not quotas and worker.quota_cpus is not None:
        quotas = ((worker.cgroup, worker.quota_cpus),)
    space = worker.cgroups or worker.host
    return tuple(((space, path), cpus) for path, cpus in reversed(quotas))


def _allowed(
    inside: Sequence[tuple[_Quotas, ClusterWorker]], depth: int
) -> list[tuple[str, float, int]]:
    """Give what decides for workers that share so many quotas: (cgroup, CPUs, workers there).

    Those in no further cgroup have their masks, by the name "".
    """
    own = [worker for quotas, worker in inside if len(quotas) == depth]
    deeper: dict[_Group, list[tuple[_Quotas, ClusterWorker]]] = {}
    for each in inside:
        if len(each[0]) > depth:
            deeper.setdefault(each[0][depth][0], []).append(each)
    found = [("", float(_masks(own)), len(own))] if own else []
    for group, members in deeper.items():
        quota = min(quotas[depth][1] for quotas, _ in members)
        most = min(quota, _masks([worker for _, worker in members]))
        below = _allowed(members, depth + 1)
        smaller = sum(cpus for _, cpus, _ in below) < most
        found += below if smaller else [(group[1] or group[0], float(most), len(members))]
    return found


def _masks(workers: Sequence[ClusterWorker]) -> int:
    """Count the CPUs of all masks; of those whose CPUs have no numbers, the largest mask."""
    numbered: set[int] = set()
    for each in workers:
        numbered |= frozenset(each.affinity or ())
    blind = (e.state.affinity_cpus for e in workers if e.affinity is None and e.state is not None)
    return max(len(numbered), *blind, 1)


def _quota_words(groups: Sequence[tuple[str, float]], free: int) -> str:
    total = cpus_words(sum(cpus for _, cpus in groups))
    told = (
        f"the quota of {groups[0][0]} is {total}"
        if len(groups) == 1
        else f"{len(groups)} cgroups have {total} together"
    )
    return (
        f"{told}, and {free} of its workers {'has' if free == 1 else 'have'} none" if free else told
    )
