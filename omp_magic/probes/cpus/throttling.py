"""What throttled the groups that set a quota."""

from __future__ import annotations

from ...facts.cpus import Budget
from ...facts.throttling import Throttling
from ...formats.cgroupfiles import parse_cpu_stat
from ...machine import Machine


def probe_throttling(machine: Machine, budget: Budget) -> tuple[Throttling, ...]:
    """Read the throttling counters of the cgroups that set a quota, leaf to root.

    Parameters
    ----------
    machine
        The machine to read.
    budget
        Its budget: a group without a quota is never throttled and is not read.
    """
    found = []
    for bound in budget.bounds:
        # Other bounds have files too: a cpuset's lies in the leaf's own folder on v2.
        if bound.cpus is None or not bound.source.startswith("cgroup "):
            continue
        try:
            values = parse_cpu_stat(machine.read(bound.file.rpartition("/")[0] + "/cpu.stat"))
        except OSError:
            continue
        if "nr_throttled" in values:
            # cgroup v2 counts microseconds in throttled_usec, v1 nanoseconds in throttled_time.
            throttled_us = values.get("throttled_usec", values.get("throttled_time", 0) // 1000)
            found.append(
                Throttling(
                    group=bound.where,
                    periods=values.get("nr_periods", 0),
                    throttled_periods=values["nr_throttled"],
                    throttled_us=throttled_us,
                )
            )
    return tuple(found)
