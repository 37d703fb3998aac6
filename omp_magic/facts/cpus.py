"""The facts about CPUs: what bounds this process, and what it used. Frozen, units in names."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .libraries import Gap

LEAST_DEMAND_CPUS = 0.2
"""CPUs that threads must want for a share of waiting: that of next to nothing is chance."""

MUCH_CPUS = 0.8
"""CPUs wanted by who is at work, and not only looks or imports a module."""
NOTABLE_WAIT = 0.2
"""Share of waiting worth a warning: one thread more than CPUs gives at least a third."""


def cpus_words(cpus: float) -> str:
    """Give CPUs with their unit: ``2.5 CPUs``, ``1 CPU``."""
    number = f"{round(cpus, 2):g}"
    return f"{number} CPU{'' if number == '1' else 's'}"


def threads_for(cpus: float) -> int:
    """Give how many threads may work at once on so many CPUs: 3 on 2.5, and one at least."""
    return max(1, math.ceil(cpus - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One limit on the CPUs of this process, or something that looks like one.

    Parameters
    ----------
    source
        ``"machine"``, ``"affinity"``, ``"cpuset"``, ``"cgroup v1"``, ``"cgroup v2"``,
        ``"physical cores"``, ``"measured"``, or the name of a variable.
    cpus
        CPUs it allows; None when it sets no limit.
    where
        What sets it: a cgroup's path, or "".
    detail
        The text behind it, for example ``"cpu.max 250000 100000"``.
    file
        The file that says so, or "".
    lowers
        Whether it may lower `Budget.threads`.
    reason
        Why it may not, or why a declaration may; "" where the kernel enforces it.
    """

    source: str
    cpus: float | None
    where: str = ""
    detail: str = ""
    file: str = ""
    lowers: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The CPUs this process may use, and what decides that.

    Parameters
    ----------
    quota_cpus
        Smallest quota/period over the own cgroup and every visible ancestor; None when
        none of them sets one.
    threads
        What a pool should use: ``max(1, min(affinity, ceil(quota)))``, lowered further only
        by declarations that `declared.DECLARATIONS` lets lower it.
    binding
        The bound that decided.
    bounds
        All of them, cgroups from leaf to root.
    affinity_cpus, machine_cpus
        CPUs in the affinity mask, and CPUs online in the machine.
    kinds
        Where the machine's cores are not alike: (kind, logical CPUs), the fastest first.
    notes
        What a reader should know: what limits may be out of sight, what escapes the quota.
    """

    quota_cpus: float | None
    threads: int
    binding: Bound
    bounds: tuple[Bound, ...]
    affinity_cpus: int
    machine_cpus: int
    kinds: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def machine_words(self) -> str:
        """The machine's CPUs, ``8`` or ``12: 8 performance + 4 efficiency``."""
        kinds = " + ".join(f"{number} {name}" for name, number in self.kinds)
        return f"{self.machine_cpus}: {kinds}" if kinds else f"{self.machine_cpus}"

    @property
    def cpus(self) -> float:
        """CPUs allowed as a fraction: the smallest bound that may lower `threads`."""
        return min(bound.cpus for bound in self.bounds if bound.lowers and bound.cpus is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """Counters of the scheduler for one cgroup (``cpu.stat``), since the group was made.

    Parameters
    ----------
    group
        Path of the cgroup that the counters belong to.
    periods, throttled_periods
        Enforcement periods, and those in which the group was throttled.
    throttled_us
        Throttled time in microseconds, summed over CPUs: it can exceed the wall time.
    """

    group: str
    periods: int
    throttled_periods: int
    throttled_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another process that uses the same CPUs: its pid, the start of its command, its CPUs."""

    pid: int
    command: str
    cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What other processes used of the CPUs that this one may use; its children are its own.

    Parameters
    ----------
    cpus
        CPUs that they used on average.
    allowed_cpus
        CPUs that they and this process may use together.
    group
        The cgroup that they share; "" where it is the whole machine.
    largest
        Those that used most, as far as /proc shows them.
    """

    cpus: float
    allowed_cpus: float
    group: str = ""
    largest: tuple[Neighbour, ...] = ()

    @staticmethod
    def notable(allowed_cpus: float) -> float:
        """Give the CPUs from which on neighbours matter: a seventh of those allowed."""
        return max(0.1, 0.15 * allowed_cpus)

    @property
    def are_notable(self) -> bool:
        """Whether they use enough to matter."""
        return self.cpus >= self.notable(self.allowed_cpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What happened between two snapshots, as rates.

    Parameters
    ----------
    interval_s
        Time between them, in seconds.
    used_cpus
        CPUs this process used on average; None when unknown.
    group_cpus
        CPUs that all processes of its cgroup used; None when unknown.
    throttled_share
        Share of the enforcement periods in which a cgroup with a quota was throttled, the
        largest over the groups; None when no quota is set.
    throttled_s
        Throttled time of that group, summed over CPUs; None when no quota is set.
    starved_share
        Share of the time in which this process's threads wanted to run that they waited for
        a CPU, throttling included; None when they wanted less than 0.2 CPUs, or the kernel does
        not account for it.
    pressure_share
        Share of the last 10 s in which some task of the cgroup, or of the machine, waited for
        a CPU (PSI "some"); None where there is no PSI.
    neighbours
        What other processes used of the same CPUs; None when that is little, or not known.
    """

    interval_s: float
    used_cpus: float | None = None
    group_cpus: float | None = None
    throttled_share: float | None = None
    throttled_s: float | None = None
    starved_share: float | None = None
    pressure_share: float | None = None
    neighbours: Neighbours | None = None

    @property
    def waits_much(self) -> bool:
        """Whether threads that want most of a CPU wait for it a notable share of the time."""
        share = self.starved_share or 0.0
        # CPUs wanted are CPUs used / (1 - waiting).
        return share >= NOTABLE_WAIT and (self.used_cpus or 0.0) >= MUCH_CPUS * (1 - share)
