"""Threads of ours that look while others run, and what they cost."""

from __future__ import annotations

import _thread
import os
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from ...machine.python.own import thread_clock

_Value = TypeVar("_Value")
_TRIES = 50
"""Looks, each after the others' turn, within which a thread of ours has come or gone."""
_TURN_S = 1e-4


class _Own:
    """The threads of omp_magic in this process: they are not the user's, nor is their CPU time."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.coming: set[OwnThread] = set()
        """The system may have them already; their ids are not known yet."""
        self.latest = object()
        """Another one for each that comes: it may be gone before a look has the GIL again."""
        self.clocks: dict[int, int | None] = {}
        self.going: dict[int, Callable[[int], bool]] = {}
        """What asks whether they still live: they have done their work, and run C code."""
        self.ended_s = 0.0

    def here(self) -> _Own:
        """Give this; a forked child has its parent's list, and none of its threads."""
        pid = os.getpid()
        if self._pid != pid:
            self._pid, self.ended_s = pid, 0.0
            for kept in (self.coming, self.clocks, self.going):
                kept.clear()
        return self

    def cpu_s(self) -> float:
        """Give the CPU time of all of them so far."""
        total = self.ended_s
        for tid, clock in list(self.clocks.items()):
            try:
                total += 0.0 if clock is None else time.clock_gettime(clock)
            except OSError:
                self.clocks.pop(tid, None)
        return total

    def tids(self) -> tuple[int, ...]:
        """Give the ids of those that the system has, as far as they are known."""
        for tid, lives in list(self.going.items()):
            if not lives(tid):
                self.going.pop(tid, None)
        return tuple({**self.clocks, **self.going})


_OWN = _Own()


def own_cpu_s() -> float:
    """Give the CPU time in s of omp_magic's own threads; 0 where threads have no clocks."""
    return _OWN.here().cpu_s()


def own_threads() -> tuple[int, ...]:
    """Give the thread ids of omp_magic's own threads; see `without_own` for one that comes."""
    return _OWN.here().tids()


def without_own(look: Callable[[tuple[int, ...]], _Value]) -> _Value:
    """Look at the process's threads while none of omp_magic's own comes or goes.

    The system has a new thread before that can say its id, and has it for a while after its last
    step in Python: a look in between would take it for the user's.

    Parameters
    ----------
    look
        Is given the ids of omp_magic's own threads; it may be called again, and the last is taken.
    """
    own = _OWN.here()
    for _ in range(_TRIES):
        if not own.coming:
            latest, tids = own.latest, own.tids()
            found = look(tids)
            if own.latest is latest and own.tids() == tids:
                return found
        time.sleep(_TURN_S)
    # The GIL is kept from the one that comes.
    return look(own.tids())


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
        own = _OWN.here()
        try:
            own.coming.add(self)
            own.latest = object()
            _thread.start_new_thread(self._run, ())
            self._ready.acquire()
        except RuntimeError:
            self._done.release()
            raise
        finally:
            own.coming.discard(self)

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
            _OWN.coming.discard(self)
            self._tid = tid
            self._ready.release()
            self._go.acquire()
            self._work()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
            self.fault = error
        finally:
            _no_stand_in()
            _OWN.going[tid] = self._has_thread
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
