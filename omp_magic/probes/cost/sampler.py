"""A thread of ours that looks at the process's size every 10 ms, and what it costs itself."""

from __future__ import annotations

import _thread
import time
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...machine import Machine
from ...machine.python.own import thread_clock
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
        self._count = machine.system.thread_counter()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read so far."""
        return tuple(self._missing.values())

    def threads(self) -> int | None:
        """Give the number of OS threads without omp_magic's own."""
        try:
            number = self._count()
        except (OSError, ParseError) as error:
            self._missing["thread count"] = Gap.of("thread count", error)
            return None
        return number - len(own_threads())

    def has_thread(self, tid: int) -> bool:
        """Tell whether a thread of this process still lives."""
        return self._machine.system.has_thread(tid)

    def rss_bytes(self) -> int | None:
        """Give the resident memory; Linux' count lags by some pages a CPU, see proc(5)."""
        try:
            return self._machine.system.rss_bytes()
        except OSError as error:
            self._missing["resident memory"] = Gap.of("resident memory", error)
            return None

    def high_water_bytes(self) -> int | None:
        """Give the largest resident memory since the process began."""
        try:
            return self._machine.system.peak_rss_bytes()
        except OSError:
            return None  # Samples stand in for it.


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
            if not self._tid or not self._sizes.has_thread(self._tid):
                break
            time.sleep(0)
        return True

    def _run(self) -> None:
        tid = _thread.get_native_id()
        try:
            _OWN.clocks[tid] = thread_clock(_thread.get_ident())
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
