"""Threads of ours that look while others run, and what they cost."""

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Callable

from ...machine.python.own import thread_clock


class _Own:
    """The threads of omp_magic in this process: they are not the user's, nor is their CPU time."""

    def __init__(self) -> None:
        self.clocks: dict[int, int | None] = {}
        self.ended_s = 0.0

    def cpu_s(self) -> float:
        """Give the CPU time of all of them so far."""
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


class OwnThread:
    """A thread that does some work from `go` to `halt`.

    It is no `threading.Thread`: the user's `threading.enumerate`, trace functions and hooks on
    new threads do not meet it, and an interpreter that ends does not wait for it.

    Parameters
    ----------
    work
        What it does; it calls `rests` between two looks, and ends when that says so.
    has_thread
        Tells whether a thread of this process still lives.
    """

    def __init__(self, work: Callable[[], None], has_thread: Callable[[int], bool]) -> None:
        self._work = work
        self._has_thread = has_thread
        self._locks = _thread.allocate_lock(), _thread.allocate_lock(), _thread.allocate_lock()
        self._ready, self._go, self._wake = self._locks
        self._done = _thread.allocate_lock()
        self._tid = 0
        self.halted = False
        """Whether it was told to end."""
        self.fault: Exception | None = None
        """Why the work failed."""

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
        """Let it work."""
        if self._tid:
            self._go.release()

    def rests(self, seconds: float) -> bool:
        """Wait; give False when the thread is to end."""
        return not self._wake.acquire(timeout=seconds)

    def release(self) -> None:
        """Tell it to end, and do not wait."""
        if self._tid and not self.halted:
            self.halted = True
            self._wake.release()
            if self._go.locked():
                self._go.release()

    def halt(self, most_s: float) -> bool:
        """End it, and tell whether it has ended: it does at once unless the GIL is kept.

        May be called again when it was interrupted.

        Parameters
        ----------
        most_s
            How long to wait for it.
        """
        self.release()
        if not self._done.acquire(timeout=most_s):
            return False
        self._done.release()
        # Its last steps are C code; until they are done it is among the process's threads.
        for _ in range(50):
            if not self._tid or not self._has_thread(self._tid):
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
            self._work()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
            self.fault = error
        finally:
            _no_stand_in()
            _OWN.ended_s += time.thread_time()
            _OWN.clocks.pop(tid, None)
            self._done.release()


def _no_stand_in() -> None:
    """Take out what `threading.current_thread`, which logging asks, has put in for this thread.

    Before Python 3.13 it stays in `threading.enumerate` when the thread has ended; see
    python/cpython#114423.
    """
    threading = sys.modules.get("threading")
    kind = getattr(threading, "_DummyThread", None)
    active = getattr(threading, "_active", None)
    ident = _thread.get_ident()
    if kind is not None and active is not None and isinstance(active.get(ident), kind):
        active.pop(ident, None)
