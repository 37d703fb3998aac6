"""The facts about CPUs that were used, and waited for. Frozen, units in names."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_DEMAND_CPUS = 0.2
"""CPUs that threads must want for a share of waiting: that of next to nothing is chance."""

MUCH_CPUS = 0.8
"""CPUs wanted by who is at work, and not only looks or imports a module."""
NOTABLE_WAIT = 0.2
"""Share of waiting worth a warning: one thread more than CPUs gives at least a third."""


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
    def waits_notably(self) -> bool:
        """Whether threads wait a notable share of the time in which they want to run."""
        return self.starved_share is not None and self.starved_share >= NOTABLE_WAIT

    @property
    def waits_much(self) -> bool:
        """Whether threads that want most of a CPU wait for it a notable share of the time."""
        share = self.starved_share or 0.0
        # CPUs wanted are CPUs used / (1 - waiting).
        return self.waits_notably and (self.used_cpus or 0.0) >= MUCH_CPUS * (1 - share)
