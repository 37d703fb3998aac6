"""What each visible cgroup of this process sets, from the leaf to the mount's root."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import ParseError
from ...facts.cpus import Bound
from ...facts.gaps import Gap
from ...formats.cgroupfiles import parse_burst, parse_cfs, parse_cpu_list, parse_cpu_max
from ...formats.cgroups import Group, Hidden, Place, chain, locate_texts
from ...machine import Machine
from ...machine.port.cpurows import CGROUPS

_MOST_SEARCHED = 20_000
"""Folders looked into for the own pid before the answer is "unknown"."""


def place_of(machine: Machine, controller: str) -> Place:
    """Give where the limits of a controller stand.

    Raises
    ------
    OSError
        When the process's cgroups or mounts cannot be read.
    """
    texts = machine.read("/proc/self/cgroup"), machine.read("/proc/self/mountinfo")
    return locate_texts(*texts, controller)


def groups_of(machine: Machine, place: Place) -> tuple[Group, ...]:
    """Give the visible groups from leaf to root, each directory once."""
    chains = [*place.chains, *_found(machine, place)]
    return tuple({group.directory: group for groups in chains for group in groups}.values())


def probe_quotas(machine: Machine, gaps: list[Gap], notes: list[str]) -> tuple[Bound, ...]:
    """Read the quota of each visible group, leaf to root."""
    if machine.cpus.lacks(CGROUPS):
        return ()
    try:
        place = place_of(machine, "cpu")
    except OSError as error:
        gaps.append(Gap.of("CPU quota", error))
        notes.append("visible limit: the cgroups of this process cannot be read")
        return ()
    groups = groups_of(machine, place)
    if not groups:
        gaps.append(
            Gap(
                what="CPU quota",
                why="no mounted cgroup file system shows this process's group",
                where="/proc/self/mountinfo",
            )
        )
        notes.append("visible limit: a quota would not be seen, its cgroup is not mounted here")
    elif groups[-1].path == "/" and machine.in_cgroup_namespace():
        notes.append("visible limit: a quota above this container's own cgroup is out of sight")
    read = _read_v1 if place.version == 1 else _read_v2
    bounds = []
    for group in groups:
        try:
            bound = read(machine, group)
        except FileNotFoundError:
            # No such file at a level means no limit there: the root group has none, and a
            # level to which the controller is not delegated has none. Keep walking.
            continue
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(f"CPU quota of {group.path}", error, group.directory))
            continue
        bounds.append(bound)
        if bound.cpus is not None:
            notes.extend(_burst(machine, group, place.version))
    return tuple(bounds)


def probe_limits(machine: Machine, gaps: list[Gap]) -> tuple[list[Bound], list[Bound]]:
    """Give the limits of a system that has others than cgroups: shares of time, and all others."""
    quotas: list[Bound] = []
    others: list[Bound] = []
    try:
        limits = machine.cpus.cpu_limits()
    except OSError as error:
        gaps.append(Gap.of("CPU quota", error))
        limits = ()
    for each in limits:
        bound = Bound(
            source=each.source,
            cpus=each.cpus,
            detail=each.detail,
            lowers=each.lowers,
            reason=each.reason,
        )
        (quotas if each.is_quota and each.lowers else others).append(bound)
    return quotas, others


def _burst(machine: Machine, group: Group, version: int) -> Iterator[str]:
    """Say what a group may use beyond its quota for a moment; the average stays the quota."""
    name = "cpu.cfs_burst_us" if version == 1 else "cpu.max.burst"
    try:
        burst_us = parse_burst(machine.read(f"{group.directory}/{name}"))
    except (OSError, ParseError):
        return  # Linux before 5.14 has no such file
    if burst_us > 0:
        yield f"{name} of {group.path} is {burst_us}: short bursts, no higher limit"


def probe_cpusets(machine: Machine) -> Iterator[Bound]:
    """Give the cpuset that explains an affinity smaller than the machine, if one does."""
    if machine.cpus.lacks(CGROUPS):
        return
    try:
        place = place_of(machine, "cpuset")
    except OSError:
        return
    name = "cpuset.effective_cpus" if place.version == 1 else "cpuset.cpus.effective"
    for group in groups_of(machine, place):
        file = f"{group.directory}/{name}"
        try:
            text = machine.read(file)
            cpus = len(parse_cpu_list(text))
        except (OSError, ParseError):
            continue
        if cpus:
            yield Bound(
                source="cpuset",
                cpus=float(cpus),
                where=group.path,
                detail=f"{name} {text.strip()}",
                file=file,
                lowers=False,
                reason="the affinity mask already leaves its CPUs out",
            )
        return


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
