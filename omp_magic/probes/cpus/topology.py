"""The CPUs of the machine, and those this process may be scheduled on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from ...errors import ParseError
from ...facts.libraries import Gap
from ...formats.cgroupfiles import parse_cpu_list
from ...machine import Machine

_FOLDER = "/sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Topology:
    """The CPUs of the machine.

    Parameters
    ----------
    online, offline
        How many there are; `offline` is 0 where that is not known.
    physical
        Physical cores among those online; None where that is not known.
    file
        What told the number online, or "".
    affinity_source
        What tells the affinity.
    """

    online: int
    offline: int
    physical: int | None
    file: str
    affinity_source: str


def probe_affinity(machine: Machine, gaps: list[Gap]) -> int:
    """Count the CPUs of the affinity mask; cpuset and offline CPUs are already left out.

    Parameters
    ----------
    machine
        The machine to read.
    gaps
        Receives why it is not known; the CPUs online stand for it then.
    """
    given = machine.affinity
    if isinstance(given, int):
        return max(1, given)
    if given is not None:
        return max(1, len(set(given)))
    if machine.live:
        return _own_affinity(gaps)
    try:
        status = machine.read("/proc/self/status").split("Cpus_allowed_list:", 1)
        return max(1, len(parse_cpu_list(status[1].split("\n", 1)[0])))
    except (OSError, IndexError, ParseError) as error:
        gaps.append(Gap.of("CPU affinity", error, "/proc/self/status"))
        return probe_topology(machine, 1).online


def probe_topology(machine: Machine, at_least: int) -> Topology:
    """Count the CPUs of the machine, from the kernel: PYTHON_CPU_COUNT changes os.cpu_count().

    Parameters
    ----------
    machine
        The machine to read.
    at_least
        What the affinity says: the machine has no fewer.
    """
    source = "sched_getaffinity(2)" if machine.linux else "the system"
    try:
        online = machine.read(f"{_FOLDER}/online")
        cpus = parse_cpu_list(online)
    except (OSError, ParseError):
        known = os.cpu_count() or 1 if machine.live else 1
        return Topology(max(known, at_least), 0, _by_psutil(machine), "", source)
    physical, present = _cores(machine.root, online)
    return Topology(
        max(len(cpus), at_least),
        max(0, present - len(cpus)),
        physical,
        f"{_FOLDER}/online",
        source,
    )


def _own_affinity(gaps: list[Gap]) -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    import psutil  # noqa: PLC0415 - 6 ms that Linux never pays

    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):  # Windows and FreeBSD
        return len(process.cpu_affinity() or ()) or 1
    gaps.append(Gap(what="CPU affinity", why="this system does not tell it"))
    return psutil.cpu_count() or 1


def _by_psutil(machine: Machine) -> int | None:
    if not machine.live or machine.linux:
        return None
    import psutil  # noqa: PLC0415 - 6 ms that Linux never pays

    return psutil.cpu_count(logical=False)


@lru_cache(maxsize=8)
def _cores(root: str, online: str) -> tuple[int | None, int]:
    """Give (physical cores, CPUs present); read once for each set of CPUs online."""
    machine = Machine(root)
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
    return len(cores) or None, present
