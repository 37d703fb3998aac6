"""A thread of ours that looks at the process's size every 10 ms, and what it costs itself."""

from __future__ import annotations

import _thread
import os
import time
from contextlib import suppress
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...machine import Machine
from ..threads.threads import count_threads
from .threadcpu import ThreadCpu

_EVERY_S = 0.01
_ALL_EVERY_S = 0.1
# How many times the CPU time of a look is waited before the next: looks at the sizes take 0.6 %
# of a CPU at most, with their waking up, and looks at all threads a quarter.
_WAITS = 170
_ALL_WAITS = 400
_MOST_WAIT_S = 1.0


class _Own:
    """The samplers of this process: their threads are not the user's, nor is their CPU time."""

    def __init__(self) -> None:
        self.clocks: dict[int, int | None] = {}
        self.ended_s = 0.0

    def cpu_s(self) -> float:
        """Give the CPU time of all samplers so far."""
        total = self.ended_s
        for tid, clock in list(self.clocks.items()):
            try:
                total += 0.0 if clock is None else time.clock_gettime(clock)
            except OSError:
                # A forked child has the parent's list and none of its threads.
                self.clocks.pop(tid, None)
        return total


_OWN = _Own()


def own_cpu_s() -> float:
    """Give the CPU time in s of omp_magic's own threads; 0 where threads have no clocks."""
    return _OWN.cpu_s()


def own_threads() -> tuple[int, ...]:
    """Give the thread ids of omp_magic's own threads."""
    return tuple(_OWN.clocks)


class Sizes:
    """Threads and resident memory of the process; None and a gap where they cannot be read.

    Parameters
    ----------
    machine
        The machine to read.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._missing: dict[str, Gap] = {}
        self._counts_links = False
        if machine.live and machine.linux:
            # The folder's number of links is 2 and the number of threads (proc_task_getattr in
            # the kernel's fs/proc/base.c), for a quarter of what reading stat costs. Other
            # systems that have a /proc may not do so: it is believed where both agree.
            with suppress(OSError, ParseError):
                self._counts_links = self._links() == count_threads(machine)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read so far."""
        return tuple(self._missing.values())

    def threads(self) -> int | None:
        """Give the number of OS threads without omp_magic's own."""
        try:
            number = self._links() if self._counts_links else count_threads(self._machine)
        except (OSError, ParseError) as error:
            self._missing["thread count"] = Gap.of("thread count", error)
            return None
        return number - len(own_threads())

    def rss_bytes(self) -> int | None:
        """Give the resident memory; the kernel's count lags by some pages a CPU, see proc(5)."""
        if not self._machine.linux:
            import psutil  # noqa: PLC0415 - 6 ms that Linux never pays

            return int(psutil.Process().memory_info().rss)
        try:
            pages = self._machine.read("/proc/self/statm").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError) as error:
            self._missing["resident memory"] = Gap.of("resident memory", error)
            return None

    def high_water_bytes(self) -> int | None:
        """Give the largest resident memory since the process began: VmHWM, see proc(5)."""
        try:
            status = self._machine.read("/proc/self/status")
            return int(status.split("VmHWM:", 1)[1].split(None, 1)[0]) * 1024
        except (OSError, ValueError, IndexError):
            return None  # Samples stand in for it.

    def _links(self) -> int:
        return os.stat(self._machine.path("/proc/self/task")).st_nlink - 2


@dataclass(slots=True)
class Peaks:
    """The largest threads and memory that were seen; 0 when none was."""

    threads: int = 0
    rss_bytes: int = 0

    def note(self, threads: int | None, rss_bytes: int | None) -> None:
        """Take one look into account."""
        self.threads = max(self.threads, threads or 0)
        self.rss_bytes = max(self.rss_bytes, rss_bytes or 0)


class Sampler:
    """Looks from a thread of its own, from `go` to `halt`.

    It is no `threading.Thread`: the user's `threading.enumerate`, trace functions and hooks on
    new threads do not meet it. It shares the GIL, so Python code that keeps it delays the
    looks by up to `sys.getswitchinterval` for each file that is read.

    Parameters
    ----------
    sizes
        Reads the process's size.
    threads
        Follows the threads, used by the sampler alone from `go` to `halt`; or None.
    """

    def __init__(self, sizes: Sizes, threads: ThreadCpu | None) -> None:
        self._sizes = sizes
        self._threads = threads
        self._locks = _thread.allocate_lock(), _thread.allocate_lock(), _thread.allocate_lock()
        self._ready, self._go, self._wake = self._locks
        self._done = _thread.allocate_lock()
        self._tid = 0
        self._halted = False
        self.peaks = Peaks()
        self.fault: Exception | None = None
        """Why a look failed."""

    def start(self) -> None:
        """Make the thread and wait until it is there; it does nothing yet.

        Raises
        ------
        RuntimeError
            When the system gives no further thread.
        """
        for lock in (*self._locks, self._done):
            lock.acquire()
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:
            self._done.release()
            raise
        self._ready.acquire()

    def go(self) -> None:
        """Let it look."""
        if self._tid:
            self._go.release()

    def release(self) -> None:
        """Tell it to end, and do not wait."""
        if self._tid and not self._halted:
            self._halted = True
            self._wake.release()
            if self._go.locked():
                self._go.release()

    def halt(self) -> bool:
        """End it, and tell whether it has ended: it does at once unless the GIL is kept.

        May be called again when it was interrupted.
        """
        self.release()
        if not self._done.acquire(timeout=_MOST_WAIT_S):
            return False
        self._done.release()
        # Its last steps are C code; until they are done it is among the process's threads.
        for _ in range(50):
            if not self._tid or not os.path.exists(f"/proc/self/task/{self._tid}"):
                break
            time.sleep(0)
        return True

    def _run(self) -> None:
        tid = _thread.get_native_id()
        try:
            clock = getattr(time, "pthread_getcpuclockid", None)
            _OWN.clocks[tid] = clock(_thread.get_ident()) if clock is not None else None
            self._tid = tid
            self._ready.release()
            self._go.acquire()
            self._look_on()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
            self.fault = error
        finally:
            _OWN.ended_s += time.thread_time()
            _OWN.clocks.pop(tid, None)
            self._done.release()

    def _look_on(self) -> None:
        wait_s, last = _EVERY_S, 0
        all_from = all_before = 0.0
        slept = time.thread_time()
        while not self._wake.acquire(timeout=wait_s):
            if self._threads is not None:
                self._threads.refresh()
            count = self._sizes.threads()
            self.peaks.note(count, self._sizes.rss_bytes())
            now, looked = time.monotonic(), time.thread_time()
            wait_s = max(_EVERY_S, _WAITS * (looked - slept))
            changed = count is None or count != last
            if self._threads is not None and now >= all_from and (changed or now >= all_before):
                try:
                    self._threads.note(self._threads.readings(own_threads()))
                except OSError as error:  # the cell may have used up its files for a while
                    self.fault = error
                last = count or 0
                all_before = now + _ALL_EVERY_S
                all_from = now + _ALL_WAITS * (time.thread_time() - looked)
            slept = time.thread_time()
