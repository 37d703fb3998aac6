"""The CPUs of the machine, as /sys has them; they are read once for each set of CPUs online."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.cgroupfiles import parse_cpu_list
from ..port.rows import Cores

if TYPE_CHECKING:
    from ..port.door import Door

_FOLDER = "/sys/devices/system/cpu"
_MOST_KEPT = 8
_known_cores: dict[tuple[str, str], tuple[int | None, int]] = {}


def _cores(machine: Door, root: str, online: str) -> tuple[int | None, int]:
    """Give (physical cores, CPUs present); read once for each set of CPUs online."""
    key = root, online
    if key not in _known_cores:
        cores = set()
        for cpu in parse_cpu_list(online):
            try:
                cores.add(machine.read(f"{_FOLDER}/cpu{cpu}/topology/thread_siblings_list"))
            except OSError:
                cores.clear()
                break
        try:
            present = len(parse_cpu_list(machine.read(f"{_FOLDER}/present")))
        except (OSError, ParseError):
            present = 0
        if len(_known_cores) >= _MOST_KEPT:
            _known_cores.clear()
        _known_cores[key] = len(cores) or None, present
    return _known_cores[key]


def cores_of(machine: Door) -> Cores:
    """Read /sys, since PYTHON_CPU_COUNT changes what Python says; see `port.System.cores`."""
    source = "sched_getaffinity(2)"
    try:
        online = machine.read(f"{_FOLDER}/online")
        number = len(parse_cpu_list(online))
    except (OSError, ParseError):
        known = os.cpu_count() or 1 if machine.live else 1
        return Cores(known, told_by=source)
    physical, present = _cores(machine, machine.root, online)
    return Cores(
        number,
        max(0, present - number),
        physical,
        file=f"{_FOLDER}/online",
        told_by=source,
        physical_told_by="thread_siblings_list",
    )
