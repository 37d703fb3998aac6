"""The threads of this process on macOS: names, states, CPU time, and where each began.

libproc lists them by the number that pthread_threadid_np(3) gives, which is what
`threading.get_native_id` is (CPython, Python/thread_pthread.h); the kernel never gives one twice
(xnu, osfmk/kern/thread.c, thread_unique_id). It lists them a second time by the address that it
knows each by, which is that of ``tsd`` in the thread's own struct pthread_s (osfmk/kern/bsd_kern.c,
fill_taskthreadlist). There libpthread keeps what the thread was started with, and its number:

* pthread_create writes both before the thread runs, and nothing clears them (libpthread,
  src/pthread.c, _pthread_create).
* A worker of Grand Central Dispatch, so one of Accelerate too, has libdispatch's function there
  while it has work, and keeps it (_pthread_wqthread).
* The main thread has none.

So no thread is stopped, no right to a thread is taken, and no function is called. The structure is
private: where the number in it is not the thread's, nothing of it is believed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection

from ...formats.procfs import Segments
from ..port.rows import ThreadRow
from .calls import Calls
from .layouts import (
    PROC_PIDLISTTHREADIDS,
    PROC_PIDLISTTHREADS,
    PROC_PIDTASKINFO,
    PROC_PIDTHREADID64INFO,
    ProcTaskInfo,
    ProcThreadInfo,
    PthreadTail,
)

_STATES = {1: "R", 2: "T", 3: "S", 4: "D", 5: "T"}
"""TH_STATE_RUNNING, STOPPED, WAITING, UNINTERRUPTIBLE, HALTED (osfmk/mach/thread_info.h)."""
_ADDRESS_BITS = (1 << 47) - 1
"""Of an address in a process (osfmk/mach/arm/vm_param.h); arm64e signs pointers in those above."""


def num_threads(calls: Calls, pid: int) -> int:
    """Count the threads of a process; raises OSError as `Calls.process`."""
    return int(calls.process(pid, PROC_PIDTASKINFO, ProcTaskInfo).pti_threadnum)


def tids(calls: Calls, pid: int) -> tuple[int, ...]:
    """Give the numbers of a process's threads; raises OSError as `Calls.threads`."""
    return calls.threads(pid, PROC_PIDLISTTHREADIDS, num_threads(calls, pid))


def rows(calls: Calls, pid: int) -> tuple[ThreadRow, ...]:
    """List the threads; one that ends meanwhile is left out. Raises OSError as `tids`."""
    found = []
    for tid in tids(calls, pid):
        told = _thread(calls, pid, tid)
        if told is not None:
            found.append(
                ThreadRow(
                    tid=tid,
                    name=name_of(told),
                    state=_STATES.get(told.pth_run_state, ""),
                    cpu_s=clock_ns(told) / 1e9,
                )
            )
    return tuple(found)


def clocks(calls: Calls, pid: int, left_out: Collection[int]) -> dict[int, int]:
    """Give each thread's CPU time in ns by its number; raises OSError as `tids`."""
    found = {}
    for tid in tids(calls, pid):
        told = None if tid in left_out else _thread(calls, pid, tid)
        if told is not None:
            found[tid] = clock_ns(told)
    return found


def one(calls: Calls, pid: int, tid: int) -> ProcThreadInfo:
    """Ask for a thread; raises OSError (ESRCH) when it has ended."""
    return calls.process(pid, PROC_PIDTHREADID64INFO, ProcThreadInfo, tid)


def name_of(told: ProcThreadInfo) -> str:
    """Give a thread's name; the 64 characters of one have no zero behind them."""
    return bytes(told.pth_name).decode("utf-8", "replace")


def clock_ns(told: ProcThreadInfo) -> int:
    """Give a thread's CPU time.

    The kernel gives nanoseconds on every machine, rounded to a microsecond
    (osfmk/kern/bsd_kern.c, fill_taskthreadinfo).
    """
    return int(told.pth_user_time + told.pth_system_time)


def _thread(calls: Calls, pid: int, tid: int) -> ProcThreadInfo | None:
    try:
        return one(calls, pid, tid)
    except OSError:
        return None


class MacStarts:
    """Where the threads of this process began.

    Parameters
    ----------
    calls
        What libSystem is asked.
    pid
        This process.
    process
        Another process that is asked for; its memory cannot be read.
    """

    def __init__(self, calls: Calls, pid: int, process: int | None = None) -> None:
        self._calls = calls
        self._pid = pid if process is None else process
        self._other = process is not None
        self._main = 0

    @property
    def main(self) -> int:
        """The first thread, which the kernel lists first (osfmk/kern/thread.c: queue_enter)."""
        if not self._main:
            self._main = next(iter(tids(self._calls, self._pid)), 0)
        return self._main

    def settle(self) -> None:
        """Do nothing: the loader is not asked."""

    def listed(self) -> list[tuple[str, int]]:
        """Give each thread's number, and again: no later thread has it.

        Raises
        ------
        OSError
            As `tids`.
        """
        found = tids(self._calls, self._pid)
        self._main = next(iter(found), 0)
        return [(str(tid), tid) for tid in found]

    def find(self, wanted: set[int], segments: Segments) -> dict[int, tuple[int, int] | None]:
        """Give (start routine, its argument) of the threads that have one.

        Parameters
        ----------
        wanted
            Numbers of threads.
        segments
            A start routine is code of one of these files.

        Raises
        ------
        OSError
            When this macOS keeps its threads in another way, or it is another process.
        """
        if self._other:
            raise OSError("macOS gives the memory of another process to debuggers alone")
        addresses = self._calls.threads(
            self._pid, PROC_PIDLISTTHREADS, num_threads(self._calls, self._pid)
        )
        found: dict[int, tuple[int, int] | None] = {}
        known = False
        for address in addresses:
            try:
                at = address - ctypes.sizeof(PthreadTail)
                thread = self._calls.layout(PthreadTail, at)
            except OSError:
                continue  # It has ended, or does not run yet.
            known = known or thread.thread_id in wanted
            start = thread.fun & _ADDRESS_BITS
            if thread.thread_id in wanted and segments.file_at(start, code=True) is not None:
                found[thread.thread_id] = (start, thread.arg)
        if wanted and not known:
            self._check(wanted)
        return found

    def _check(self, wanted: set[int]) -> None:
        """Raise when none of the threads was found, though some of them live."""
        if wanted & set(tids(self._calls, self._pid)):
            raise OSError("this macOS keeps its threads otherwise than libpthread 416 to 539")
