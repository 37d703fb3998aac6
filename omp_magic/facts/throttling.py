"""The facts about CPUs that were refused: a cgroup's counters."""

from __future__ import annotations

from dataclasses import dataclass


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
