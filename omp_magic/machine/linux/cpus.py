"""Linux: the CPUs, as /sys and the kernel's calls tell of them; loaded without all else."""

from __future__ import annotations

import os

from ...errors import ParseError
from ...formats.cgroupfiles import parse_allowed, parse_cpu_list
from ..port.cpurows import Cores, CpuLimit

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from ..port.door import Door

_FOLDER = "/sys/devices/system/cpu"
_RESET_ON_FORK = 0x40000000
_POLICIES = {1: "SCHED_FIFO", 2: "SCHED_RR", 6: "SCHED_DEADLINE"}


class LinuxCpus:
    """See `port.CpuSystem`.

    Parameters
    ----------
    machine
        The door to the files.
    """

    name = "linux"

    def __init__(self, machine: Door) -> None:
        self._machine = machine

    def lacks(self, what: str) -> str:  # noqa: ARG002 - the port's question
        """See `port.System.lacks`: all is told."""
        return ""

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        """Ask sched_getaffinity(2), or read it where the process is laid out in a folder."""
        if self._machine.live:
            return frozenset(os.sched_getaffinity(process or 0))
        file = f"/proc/{process or 'self'}/status"
        return parse_allowed(file, self._machine.read(file))

    def cores(self) -> Cores:
        """Read /sys, since PYTHON_CPU_COUNT changes what Python says; see `port.System.cores`."""
        source = "sched_getaffinity(2)"
        try:
            online = self._machine.read(f"{_FOLDER}/online")
            number = len(parse_cpu_list(online))
        except (OSError, ParseError):
            known = os.cpu_count() or 1 if self._machine.live else 1
            return Cores(known, told_by=source)
        physical, present = _cores(self._machine, self._machine.root, online)
        return Cores(
            number,
            max(0, present - number),
            physical,
            file=f"{_FOLDER}/online",
            told_by=source,
            physical_told_by="thread_siblings_list",
        )

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        """See `port.System.cpu_limits`: Linux limits by cgroups alone."""
        return ()

    def notes(self, *, quota: bool) -> tuple[str, ...]:
        """Tell of a real-time policy, for which no quota holds; see sched(7)."""
        if not self._machine.live or not quota:
            return ()
        policy = _POLICIES.get(os.sched_getscheduler(0) & ~_RESET_ON_FORK)
        if policy is None:
            return ()
        return (f"this process runs under {policy}: a quota does not hold for it",)


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


_MOST_KEPT = 8
