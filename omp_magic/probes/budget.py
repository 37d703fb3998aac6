"""The CPUs that this process may really use, and what decides that."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from ..cgroups import (
    Group,
    Hidden,
    Place,
    chain,
    locate_texts,
    parse_cfs,
    parse_cpu_list,
    parse_cpu_max,
    parse_cpu_stat,
)
from ..errors import ParseError
from ..facts import Bound, Budget, Gap, Throttling
from ..machine import Machine

_MOST_SEARCHED = 20_000
"""Folders looked into for the own pid before the answer is "unknown"."""


def probe_budget(machine: Machine) -> Budget:
    """Find the CPUs this process may use: quota of every visible cgroup, affinity, machine.

    Resolved anew at every call: limits change while a process runs.

    Parameters
    ----------
    machine
        The machine to read.

    Returns
    -------
    Budget
        With every bound that was found, the one that binds, and a `Gap` for what could not
        be read. Nothing is raised for a file that is missing or malformed.
    """
    gaps: list[Gap] = []
    affinity_cpus = _affinity(machine, gaps)
    machine_cpus = max(_online(machine, affinity_cpus), affinity_cpus)
    quotas = _quotas(machine, gaps)
    tightest = min(
        (bound for bound in quotas if bound.cpus is not None),
        key=lambda bound: bound.cpus or 0.0,
        default=None,
    )
    affinity = Bound(source="affinity", cpus=float(affinity_cpus), detail="sched_getaffinity(2)")
    whole = Bound(source="machine", cpus=float(machine_cpus), detail="CPUs online")
    binding, threads = affinity if affinity_cpus < machine_cpus else whole, affinity_cpus
    if tightest is not None and tightest.cpus is not None and tightest.cpus < affinity_cpus:
        binding, threads = tightest, math.ceil(tightest.cpus)
    return Budget(
        quota_cpus=tightest.cpus if tightest is not None else None,
        threads=max(1, threads),
        binding=binding,
        bounds=(*quotas, affinity, whole),
        affinity_cpus=affinity_cpus,
        machine_cpus=machine_cpus,
        gaps=tuple(gaps),
    )


def unknown_budget() -> Budget:
    """Give what is left to say when nothing could be found out: the machine's CPUs."""
    cpus = os.cpu_count() or 1
    whole = Bound(source="machine", cpus=float(cpus), detail="os.cpu_count")
    return Budget(
        quota_cpus=None,
        threads=cpus,
        binding=whole,
        bounds=(whole,),
        affinity_cpus=cpus,
        machine_cpus=cpus,
    )


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
        if bound.cpus is None or not bound.file:
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


def _quotas(machine: Machine, gaps: list[Gap]) -> tuple[Bound, ...]:
    """Read the quota of each visible group, leaf to root."""
    if not machine.linux:
        gaps.append(Gap(what="CPU quota", why="this system has no cgroups"))
        return ()
    try:
        place = locate_texts(
            machine.read("/proc/self/cgroup"), machine.read("/proc/self/mountinfo")
        )
    except OSError as error:
        gaps.append(_unread("CPU quota", error))
        return ()
    chains = [*place.chains, *_found(machine, place)]
    if not chains:
        gaps.append(
            Gap(
                what="CPU quota",
                why="no mounted cgroup file system shows this process's group",
                where="/proc/self/mountinfo",
            )
        )
    groups = {group.directory: group for groups in chains for group in groups}
    read = _read_v1 if place.version == 1 else _read_v2
    bounds = []
    for group in groups.values():
        try:
            bounds.append(read(machine, group))
        except FileNotFoundError:
            # No such file at a level means no limit there: the root group has none, and a
            # level to which the controller is not delegated has none. Keep walking.
            continue
        except (OSError, ParseError) as error:
            gaps.append(_unread(f"CPU quota of {group.path}", error, group.directory))
    return tuple(bounds)


def _read_v2(machine: Machine, group: Group) -> Bound:
    file = f"{group.directory}/cpu.max"
    text = machine.read(file)
    return Bound(
        source="cgroup v2",
        cpus=parse_cpu_max(text),
        where=group.path,
        detail=f"cpu.max {text.strip()}",
        file=file,
    )


def _read_v1(machine: Machine, group: Group) -> Bound:
    file = f"{group.directory}/cpu.cfs_quota_us"
    quota = machine.read(file)
    period = machine.read(f"{group.directory}/cpu.cfs_period_us")
    return Bound(
        source="cgroup v1",
        cpus=parse_cfs(quota, period),
        where=group.path,
        detail=f"cpu.cfs_quota_us {quota.strip()} / cpu.cfs_period_us {period.strip()}",
        file=file,
    )


def _found(machine: Machine, place: Place) -> Iterator[tuple[Group, ...]]:
    """Give the chains of the groups that only a search for the own pid can name."""
    for hidden in place.hidden:
        own = _search(machine, hidden)
        if own is not None:
            yield chain("/" + "/".join(own), hidden.point, own)


def _search(machine: Machine, hidden: Hidden) -> tuple[str, ...] | None:
    """Give the one group below the mount that lists the own pid, or None."""
    level: list[tuple[str, ...]] = [()]
    seen = 0
    for _ in range(hidden.depth):
        below: list[tuple[str, ...]] = []
        for parts in level:
            names = machine.folders("/".join((hidden.point.rstrip("/"), *parts)))
            seen += len(names)
            if seen > _MOST_SEARCHED:
                return None
            below.extend((*parts, name) for name in names)
        level = below
    pid = str(machine.pid)
    for parts in level:
        own = (*parts, *hidden.rest)
        try:
            listed = machine.read("/".join((hidden.point.rstrip("/"), *own, "cgroup.procs")))
        except OSError:
            continue
        if pid in listed.split():
            return own
    return None


def _affinity(machine: Machine, gaps: list[Gap]) -> int:
    """Count the CPUs of the affinity mask; it already leaves out cpuset and offline CPUs."""
    given = machine.affinity
    if isinstance(given, int):
        return max(1, given)
    if given is not None:
        return max(1, len(set(given)))
    if machine.live:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        gaps.append(Gap(what="CPU affinity", why="this system does not tell it"))
        return os.cpu_count() or 1
    try:
        status = machine.read("/proc/self/status").split("Cpus_allowed_list:", 1)
        return max(1, len(parse_cpu_list(status[1].split("\n", 1)[0])))
    except (OSError, IndexError, ParseError) as error:
        gaps.append(_unread("CPU affinity", error, "/proc/self/status"))
        return max(1, _online(machine, 1))


def _online(machine: Machine, otherwise: int) -> int:
    """Count the CPUs online, from the kernel: PYTHON_CPU_COUNT changes os.cpu_count()."""
    try:
        return len(parse_cpu_list(machine.read("/sys/devices/system/cpu/online"))) or otherwise
    except (OSError, ParseError):
        return os.cpu_count() or otherwise if machine.live else otherwise


def _unread(what: str, error: Exception, where: str | None = None) -> Gap:
    if isinstance(error, OSError):
        return Gap(what=what, why=error.strerror or str(error), where=error.filename or where)
    return Gap(what=what, why=str(error), where=where)
