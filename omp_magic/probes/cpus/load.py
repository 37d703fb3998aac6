"""What happened between two looks: CPUs used, throttling, waiting for a CPU, pressure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import ParseError
from ...facts.cpus import Budget
from ...facts.libraries import Gap
from ...facts.load import LEAST_DEMAND_CPUS, Load
from ...facts.throttling import Throttling
from ...formats.cgroupfiles import parse_cpu_stat, parse_pressure
from ...formats.procfs import parse_schedstat
from ...machine import Machine
from ...machine.port.rows import WAITING
from .neighbours import NeighbourProbe
from .quotas import groups_of, place_of

_SHORTEST_S = 0.1
"""Below this the counters' own steps (10 ms, one period) are the figure."""
_OLDEST_S = 1.0
"""A look is kept as the base until the next is this much later."""
_SHARED_S = 0.05
"""Looks within so short a time share their rates."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one moment.

    Parameters
    ----------
    at_s
        The machine's clock.
    cpu_s
        CPU time of the process; None when unknown.
    group_cpu_s
        CPU time of its cgroup; None when unknown.
    throttling
        Counters of the cgroups with a quota.
    waits
        (run ns, wait ns) by thread; empty when the kernel does not account for it.
    """

    at_s: float
    cpu_s: float | None
    group_cpu_s: float | None
    throttling: tuple[Throttling, ...]
    waits: dict[str, tuple[int, int]]


class LoadProbe:
    """Gives rates since an earlier look of its own."""

    def __init__(self) -> None:
        self._base: Sample | None = None
        self._load: Load | None = None
        self._load_s = float("-inf")
        self._neighbours = NeighbourProbe()

    def look(
        self,
        machine: Machine,
        throttling: tuple[Throttling, ...],
        gaps: list[Gap],
        budget: Budget | None = None,
    ) -> Load | None:
        """Give the load since an earlier look; None the first time.

        Parameters
        ----------
        machine
            The machine to read.
        throttling
            The counters of this moment, from `probe_throttling`.
        gaps
            Receives what the kernel does not tell.
        budget
            The CPUs allowed; needed to see the neighbours.
        """
        base, at_s = self._base, machine.clock()
        if machine.system.lacks(WAITING):
            return self._used_alone(machine, at_s)
        # Right after a look nothing new can be told: what that one told still holds.
        if base is not None and (
            0 <= at_s - base.at_s < _SHORTEST_S or 0 <= at_s - self._load_s < _SHARED_S
        ):
            return self._load
        now = Sample(
            at_s, _process_s(machine), group_cpu_s(machine), throttling, thread_waits(machine)
        )
        if now.waits and not any(map(any, now.waits.values())):
            why = "the kernel does not account for it (CONFIG_SCHED_INFO)"
            gaps.append(Gap(what="time spent waiting for a CPU", why=why))
        if base is None or now.at_s - base.at_s >= _OLDEST_S:
            self._base = now
        load = None
        if base is not None:
            load = load_between(base, now, _pressure(machine))
        if budget is not None:
            starved = load is not None and load.waits_much
            found = self._neighbours.look(machine, budget, now.cpu_s, starved=starved)
            load = replace(load, neighbours=found) if load is not None else None
        self._load, self._load_s = load, at_s
        return load

    def _used_alone(self, machine: Machine, at_s: float) -> Load | None:
        """Give the CPUs used, where nothing else is told."""
        base, now = self._base, Sample(at_s, _process_s(machine), None, (), {})
        if base is None or at_s - base.at_s >= _OLDEST_S:
            self._base = now
        if base is None or at_s - base.at_s < _SHORTEST_S:
            return self._load
        self._load = load_between(base, now, None)
        return self._load


def load_between(first: Sample, second: Sample, pressure_share: float | None) -> Load:
    """Give the rates between two samples; counters that went backwards are unknown."""
    interval_s = second.at_s - first.at_s
    share, seconds = _throttled(first, second)
    return Load(
        interval_s=interval_s,
        used_cpus=_rate(first.cpu_s, second.cpu_s, interval_s),
        group_cpus=_rate(first.group_cpu_s, second.group_cpu_s, interval_s),
        throttled_share=share,
        throttled_s=seconds,
        starved_share=_starved(first, second, interval_s),
        pressure_share=pressure_share,
    )


def _rate(first: float | None, second: float | None, interval_s: float) -> float | None:
    if first is None or second is None or second < first:
        return None
    return (second - first) / interval_s


def _throttled(first: Sample, second: Sample) -> tuple[float | None, float | None]:
    """Give share and time of the group that was throttled most."""
    before = {each.group: each for each in first.throttling}
    worst: tuple[float, float] | None = None
    for now in second.throttling:
        then = before.get(now.group)
        if then is None or now.periods < then.periods:
            continue
        periods = now.periods - then.periods
        # A group that did not run had no period at all, and so was not throttled.
        share = (now.throttled_periods - then.throttled_periods) / periods if periods else 0.0
        seconds = (now.throttled_us - then.throttled_us) / 1e6
        worst = max(worst or (0.0, 0.0), (share, seconds))
    return worst or (None, None)


def _starved(first: Sample, second: Sample, interval_s: float) -> float | None:
    """Give wait / (run + wait) over the threads; those that ended in between are left out.

    None when they wanted hardly any CPU time, or the kernel does not account for it.
    """
    if not second.waits or not any(map(any, second.waits.values())):
        return None
    run = wait = 0
    for thread, (run_ns, wait_ns) in second.waits.items():
        before = first.waits.get(thread, (0, 0))
        if run_ns >= before[0] and wait_ns >= before[1]:
            run += run_ns - before[0]
            wait += wait_ns - before[1]
    wanted_s = (run + wait) / 1e9
    if wanted_s < LEAST_DEMAND_CPUS * interval_s or not wanted_s:
        return None
    return wait / (run + wait)


def _process_s(machine: Machine) -> float | None:
    try:
        return machine.system.cpu_s()
    except (OSError, ParseError):
        return None


def group_cpu_s(machine: Machine) -> float | None:
    """Give the CPU time of the own cgroup in s: cpuacct.usage (v1, ns) or cpu.stat (v2, us).

    None where there is none, or it cannot be read, and where v1 counts it for another group than
    the one that is limited: cpu and cpuacct may be two hierarchies.
    """
    try:
        place = place_of(machine, "cpuacct")
        groups = groups_of(machine, place)
        if place.version == 1:
            if groups_of(machine, place_of(machine, "cpu"))[0].path != groups[0].path:
                return None
            return int(machine.read(f"{groups[0].directory}/cpuacct.usage")) / 1e9
        return parse_cpu_stat(machine.read(f"{groups[0].directory}/cpu.stat"))["usage_usec"] / 1e6
    except (OSError, ValueError, IndexError, KeyError):
        return None


def thread_waits(machine: Machine) -> dict[str, tuple[int, int]]:
    """Give (run ns, wait ns) of each thread by its id; none where the kernel does not account."""
    found = {}
    for thread in machine.folders("/proc/self/task"):
        try:
            found[thread] = parse_schedstat(machine.read(f"/proc/self/task/{thread}/schedstat"))
        except (OSError, ParseError):
            continue  # it ended meanwhile, or the kernel has no such file
    return found


def _pressure(machine: Machine) -> float | None:
    """Read PSI of the own cgroup (v2), else of the machine."""
    names = ["/proc/pressure/cpu"]
    try:
        place = place_of(machine, "cpu")
        if place.version == 2:
            names[:0] = [
                f"{group.directory}/cpu.pressure" for group in groups_of(machine, place)[:1]
            ]
    except OSError:
        pass  # then the machine's own pressure has to do
    for name in names:
        try:
            return parse_pressure(machine.read(name))
        except (OSError, ParseError):
            continue
    return None
