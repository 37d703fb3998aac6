"""How much memory this process may use: the memory controller's groups, the machine."""

from __future__ import annotations

import re

from ..errors import ParseError
from ..facts.libraries import Gap
from ..facts.memory import MemoryBound, MemoryBudget
from ..formats.cgroups import Group
from ..formats.memoryfiles import parse_bytes, parse_reclaimable
from ..machine import Machine
from ..machine.port.cpurows import CGROUPS
from .cpus.quotas import groups_of, place_of

_WHAT = "memory limit"
_DECLARED = "MEM_LIMIT"
"""JupyterHub's spawners set it for people and extensions, in bytes; nothing enforces it."""


def probe_memory(machine: Machine) -> MemoryBudget:
    """Give what bounds the memory of this process. What cannot be read becomes a `Gap`.

    Each visible group counts, from its own to the mount's root, as for CPUs: a limit above holds
    for all below. Swap is left out.
    """
    gaps: list[Gap] = []
    bounds = list(_of_groups(machine, gaps))
    declared = machine.environ.get(_DECLARED, "")
    if re.fullmatch(r"[1-9]\d{0,18}", declared, re.ASCII):
        detail = f"{_DECLARED}={declared}"
        bounds.append(MemoryBound(source=_DECLARED, limit_bytes=int(declared), detail=detail))
    try:
        total, available = machine.system.machine_memory()
    except (OSError, ParseError) as error:
        gaps.append(Gap.of("memory of the machine", error))
    else:
        used = None if available is None else total - available
        bounds.append(MemoryBound(source="machine", limit_bytes=total, used_bytes=used))
    return MemoryBudget(bounds=tuple(bounds), gaps=tuple(gaps))


def _of_groups(machine: Machine, gaps: list[Gap]) -> list[MemoryBound]:
    if machine.system.lacks(CGROUPS):
        return []
    try:
        place = place_of(machine, "memory")
    except OSError as error:
        gaps.append(Gap.of(_WHAT, error))
        return []
    bounds = []
    for group in groups_of(machine, place):
        try:
            bounds.append(_of_group(machine, group, place.version, gaps))
        except FileNotFoundError:
            continue  # the root has none, and a level to which memory is not delegated
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(f"{_WHAT} of {group.path}", error, group.directory))
    return bounds


def _of_group(machine: Machine, group: Group, version: int, gaps: list[Gap]) -> MemoryBound:
    limit_name, use_name = (
        ("memory.limit_in_bytes", "memory.usage_in_bytes")
        if version == 1
        else ("memory.max", "memory.current")
    )
    text = machine.read(f"{group.directory}/{limit_name}")
    limit_bytes = parse_bytes(limit_name, text)
    used_bytes = None
    if limit_bytes is not None:
        try:
            used_bytes = parse_bytes(use_name, machine.read(f"{group.directory}/{use_name}"))
            reclaimable = parse_reclaimable(machine.read(f"{group.directory}/memory.stat"))
            used_bytes = None if used_bytes is None else max(0, used_bytes - reclaimable)
        except (OSError, ParseError) as error:
            # The limit holds all the same. gVisor has no memory.stat: what is used is the most.
            gaps.append(Gap.of(f"memory use of {group.path}", error, group.directory))
    return MemoryBound(
        source=f"cgroup v{version}",
        limit_bytes=limit_bytes,
        used_bytes=used_bytes,
        where=group.path,
        detail=f"{limit_name} {text.strip()}",
    )
