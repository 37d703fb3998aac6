"""What the memory killer has counted, of this process's group and of the machine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..errors import ParseError
from ..facts.libraries import Gap
from ..facts.remains import Kills
from ..formats.memoryfiles import parse_bytes, parse_oom_kills
from ..machine import Machine
from ..machine.port.cpurows import CGROUPS
from .cpus.quotas import groups_of, place_of

_FILES = {1: ("memory.oom_control", "memory.limit_in_bytes"), 2: ("memory.events", "memory.max")}
_MACHINE = "/proc/vmstat"
THEN = "then"
"""Under it a record has the counters of who looked first after its kernel's end, in order."""


def probe_kills(machine: Machine) -> dict[str, Any]:
    """Give the counters, as a record keeps them; {} where the system has none.

    Of the groups it is the process's own alone: it counts those of its processes that were killed,
    whichever group above it had no memory left (memcg_memory_event_mm in the kernel's
    include/linux/memcontrol.h; Documentation/admin-guide/cgroup-v2.rst).

    Returns
    -------
    dict
        ``groups``, of each its ``file``, ``inode``, ``where``, ``count`` and ``limit``, and
        ``machine``, a count. What cannot be read is left out.
    """
    if machine.system.lacks(CGROUPS):
        return {}
    found: dict[str, Any] = {"groups": []}
    with suppress(OSError, ParseError):  # Linux before 4.13; a sandbox with a /proc of its own
        found["machine"] = parse_oom_kills(_MACHINE, machine.read(_MACHINE))
    try:
        place = place_of(machine, "memory")
        group = next(iter(groups_of(machine, place)), None)
    except OSError:
        return found
    if group is None:
        return found
    counter, limit = _FILES[place.version]
    file = f"{group.directory}/{counter}"
    try:
        count = parse_oom_kills(counter, machine.read(file))
        inode = machine.inode_of(group.directory)
    except (OSError, ParseError):
        return found  # the root of v2 has none
    try:
        limit_bytes = parse_bytes(limit, machine.read(f"{group.directory}/{limit}"))
    except (OSError, ParseError):
        limit_bytes = None
    row = {"file": file, "inode": inode, "where": group.path, "count": count, "limit": limit_bytes}
    return {**found, "groups": [row]}


def probe_more_kills(
    machine: Machine, before: dict[str, Any], gaps: list[Gap], *, same_boot: bool
) -> tuple[Kills, ...]:
    """Compare the counters of a record with what they are now.

    Parameters
    ----------
    machine
        The machine.
    before
        From `probe_kills`.
    gaps
        Receives what cannot be compared any more.
    same_boot
        Whether the machine has run on since; else all counters have begun anew.

    Returns
    -------
    tuple of Kills
        Of the groups, then of the machine; up to the first look after the kernel's end.
    """
    kills = _counted(before, gaps, same_boot=same_boot, machine=machine)
    then = before.get(THEN)
    if not isinstance(then, list) or len(then) != len(kills):
        return tuple(kills)
    # Whoever looked first has kept what it saw: what was killed since is not of this kernel.
    counts = (count if isinstance(count, int) else None for count in then)
    return tuple(replace(each, after=count) for each, count in zip(kills, counts, strict=True))


def _counted(
    before: dict[str, Any], gaps: list[Gap], *, same_boot: bool, machine: Machine
) -> list[Kills]:
    kills = []
    rows = before.get("groups")
    for row in rows if isinstance(rows, list) else ():
        try:
            kills.append(_compared(machine, row, gaps, same_boot=same_boot))
        except (KeyError, TypeError, ValueError) as error:
            gaps.append(Gap(what="memory killer", why=f"not as it is written: {error}"))
    count = before.get("machine")
    if isinstance(count, int):
        try:
            now = parse_oom_kills(_MACHINE, machine.read(_MACHINE)) if same_boot else None
        except (OSError, ParseError) as error:
            gaps.append(Gap.of("memory killer of the machine", error, _MACHINE))
            now = None
        kills.append(Kills(where="", before=count, after=now))
    return kills


def _compared(machine: Machine, row: dict[str, Any], gaps: list[Gap], *, same_boot: bool) -> Kills:
    file, where = str(row["file"]), str(row["where"])
    what, after = f"memory killer of {where}", None
    try:
        if same_boot and machine.inode_of(file.rpartition("/")[0]) == row["inode"]:
            after = parse_oom_kills(file.rpartition("/")[2], machine.read(file))
        else:
            gaps.append(Gap(what=what, why="the group is gone, and its count with it", where=file))
    except (OSError, ParseError) as error:
        gaps.append(Gap.of(what, error, file))
    limit = row.get("limit")
    return Kills(
        where=where,
        before=int(row["count"]),
        after=after,
        limit_bytes=limit if isinstance(limit, int) else None,
    )
