"""A thread of ours that looks at the process's size every 10 ms, and what it costs itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...machine import Machine
from .ownthread import OwnThread, without_own
from .threadcpu import ThreadCpu

_EVERY_S = 0.01
_ALL_EVERY_S = 0.1
# How many times the CPU time of a look is waited before the next: looks at the sizes take 0.6 %
# of a CPU at most, with their waking up, and looks at all threads a quarter.
_WAITS = 170
_ALL_WAITS = 400
_MOST_WAIT_S = 1.0


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
            return without_own(lambda own: self._count() - len(own))
        except (OSError, ParseError) as error:
            self._missing["thread count"] = Gap.of("thread count", error)
            return None

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

    It shares the GIL, so Python code that keeps it delays the looks by up to
    `sys.getswitchinterval` for each file that is read.

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
        self._thread = OwnThread(self._look_on, sizes.has_thread)
        self._fault: Exception | None = None
        self.peaks = Peaks()

    @property
    def fault(self) -> Exception | None:
        """Why a look failed."""
        return self._thread.fault or self._fault

    def start(self) -> None:
        """Make the thread and wait until it is there; it does nothing yet.

        Raises
        ------
        RuntimeError
            When the system gives no further thread.
        """
        self._thread.start()

    def go(self) -> None:
        """Let it look."""
        self._thread.go()

    def release(self) -> None:
        """Tell it to end, and do not wait."""
        self._thread.release()

    def halt(self) -> bool:
        """End it, and tell whether it has ended; see `OwnThread.halt`."""
        return self._thread.halt(_MOST_WAIT_S)

    def _look_on(self) -> None:
        wait_s, last = _EVERY_S, 0
        all_from = all_before = 0.0
        slept = time.thread_time()
        while self._thread.rests(wait_s):
            if self._threads is not None:
                self._threads.refresh()
            count = self._sizes.threads()
            self.peaks.note(count, self._sizes.rss_bytes())
            now, looked = time.monotonic(), time.thread_time()
            wait_s = max(_EVERY_S, _WAITS * (looked - slept))
            changed = count is None or count != last
            if self._threads is not None and now >= all_from and (changed or now >= all_before):
                try:
                    self._threads.note(without_own(self._threads.readings))
                except OSError as error:  # the cell may have used up its files for a while
                    self._fault = error
                last = count or 0
                all_before = now + _ALL_EVERY_S
                all_from = now + _ALL_WAITS * (time.thread_time() - looked)
            slept = time.thread_time()
