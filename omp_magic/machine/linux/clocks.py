"""The CPU time of each thread of the running process by its clock, and that of processes.

That is `clock_gettime` of (~tid << 3) | 6, which is what pthread_getcpuclockid(3) gives
(make_thread_cpuclock in glibc's posix-timers code and CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED in
the kernel's include/linux/posix-timers_types.h). It is in nanoseconds, takes 0.5 us, does not
release the GIL, and is an error for a thread that ended; /proc/self/task/TID/schedstat takes 9 us.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.procfs import parse_stat
from .units import ticks_per_s

if TYPE_CHECKING:
    from ..port.door import Door
    from ..port.rows import Process


def clocks_of(machine: Door, left_out: Collection[int] = ()) -> dict[int, int]:
    """Give the CPU time of each thread in ns by its tid. 1.5 us a thread.

    Parameters
    ----------
    machine
        The running process's machine.
    left_out
        Threads that are not to be seen: those of omp_magic itself.

    Raises
    ------
    OSError
        When the threads cannot be listed.
    """
    found = {}
    for name, _ in machine.entries("/proc/self/task"):
        tid = int(name)
        if tid not in left_out:
            try:
                found[tid] = time.clock_gettime_ns((~tid << 3) | 6)
            except OSError:
                continue  # it ended after it was listed
    return found


class ThreadClocks:
    """Reads every thread's clock, and lists the threads only when others are there.

    The number of links of their folder is the number of threads and 2 (proc_task_getattr in the
    kernel's fs/proc/base.c; elsewhere it is another number, and they are listed each time). The
    same number of threads, none of which has ended, are the same threads: 1 us a thread.

    Parameters
    ----------
    machine
        The running process's machine.
    """

    def __init__(self, machine: Door) -> None:
        self._machine = machine
        self._folder = machine.path("/proc/self/task")
        self._ids: tuple[tuple[int, int], ...] = ()

    def read(self) -> dict[int, int]:
        """Give the CPU time of each thread in ns by its tid.

        Raises
        ------
        OSError
            When the threads cannot be listed.
        """
        clock = time.clock_gettime_ns
        if os.stat(self._folder).st_nlink - 2 == len(self._ids):
            try:
                return {tid: clock(ident) for tid, ident in self._ids}
            except OSError:
                pass  # one has ended, and another has begun
        found = clocks_of(self._machine)
        self._ids = tuple((tid, (~tid << 3) | 6) for tid in found)
        return found


def cpu_s(machine: Door, process: int | None) -> float:
    """Give the CPU time of a process, of the running one when None.

    The clock of another is in ns (clock_getcpuclockid(3); CPUCLOCK_SCHED in the kernel's
    include/linux/posix-timers_types.h), its line in /proc in steps of 10 ms.

    Raises
    ------
    OSError, ParseError
        When it has ended, or may not be read.
    """
    if machine.live and process is not None:
        return time.clock_gettime((~process << 3) | 2)
    stat = parse_stat(machine.read(f"/proc/{process or 'self'}/stat"))
    return (stat.user_ticks + stat.system_ticks) / ticks_per_s()


def age_s(machine: Door, process: Process) -> float:
    """Give how long ago a process began: field 22 of its line counts from boot (proc_pid_stat(5)).

    Raises
    ------
    OSError, ParseError
        When the folder has no /proc/uptime.
    """
    if machine.live:
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    else:
        text = machine.read("/proc/uptime")
        try:
            now_s = float(text.split()[0])
        except (IndexError, ValueError):
            raise ParseError("/proc/uptime", text, "seconds since boot") from None
    return max(0.0, now_s - process.started / ticks_per_s())
