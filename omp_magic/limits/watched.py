"""Limits are watched: what worked in a limited stretch of code, against what was allowed.

A stretch is a cell, or a block under `omp_magic.limit`. At its two ends two clocks are read, the
process's and the caller's: they tell whether other threads have worked at all. Those threads' own
clocks are read when they have, and who owns them is asked when one has worked longer than an idle
one spins (`knowledge.spinning`). 3 us for 50 threads, 70 us at each end where they work. What
cannot be told apart is not judged:

* Another Python thread that is not under the limit, and worked: its workers may be the ones.
* A runtime with nested regions, or whose threads never sleep.
* A pool whose count on this thread is greater now than the limit's: the code raised it itself.
* Threads that have ended, and what ran while a limit of a coroutine was suspended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from ..facts.overruns import Overrun
from ..machine.port.rows import THREAD_CLOCKS
from ..probes.observe import Observer
from .held import Held
from .inventory import Inventory
from .overruns import Judge, Seen

_LOG = logging.getLogger("omp_magic")
_LEAST_S = 0.02
"""Below it no pool's thread is known to have worked; see `knowledge.spinning`."""
_STALE_NS = 4_000_000
"""CPU time of other threads from which their clocks are read anew."""


_MOST_UNTOLD = 8
_AS_MUCH = 0.8


@dataclass(frozen=True, slots=True)
class _Mark:
    """A moment: the thread that ran, its CPU time in ns, and that of all others.

    The kernel's sum for the process lags for threads that run, by a tick of 1 to 10 ms
    (read_sum_exec_runtime in kernel/sched/cputime.c).
    """

    tid: int
    own_ns: int
    others_ns: int

    @classmethod
    def now(cls) -> _Mark:
        own_ns = time.thread_time_ns()
        return cls(threading.get_native_id(), own_ns, time.process_time_ns() - own_ns)


@dataclass(slots=True)
class _Stretch:
    """A limited stretch of code that is going on.

    Parameters
    ----------
    held
        Its limit.
    mark, clocks, at_s
        Its beginning, and every thread's clock then, but the caller's.
    allowed
        Threads by pool: the limit's, or the greatest of those that were entered since.
    starts
        Threads that had been started under limits before.
    looked
        Whether its thread asked what was not held.
    """

    held: Held
    mark: _Mark
    clocks: dict[int, int]
    at_s: float
    allowed: dict[Hashable, int]
    starts: int
    looked: bool = False


@dataclass(slots=True)
class _Record:
    """An overrun; `cells` is how many cells more it stays, None while its limit is in force."""

    overrun: Overrun
    number: int
    cells: int | None


class Watch:
    """The stretches that go on, and what the last ones showed.

    Parameters
    ----------
    observer, inventory
        The process, and its pools.
    limited
        Gives the threads that are under a limit.
    starts
        Gives how many threads were started under limits so far.
    """

    def __init__(
        self,
        observer: Observer,
        inventory: Inventory,
        limited: Callable[[Held], set[int]],
        starts: Callable[[], int],
    ) -> None:
        machine = observer.machine
        self._able = machine.live and not machine.system.lacks(THREAD_CLOCKS)
        self._clocks = machine.system.clock_reader()
        self._judge = Judge(observer, inventory)
        self._limited, self._starts = limited, starts
        self._base: tuple[_Mark, dict[int, int]] | None = None
        self._stretches: dict[int, _Stretch] = {}
        self._records: list[_Record] = []
        self._untold: list[Overrun] = []

    @property
    def overruns(self) -> tuple[Overrun, ...]:
        """The limits that were not held: of those in force, and of what the last cell ended."""
        for stretch in tuple(self._stretches.values()):
            stretch.looked |= stretch.mark.tid == threading.get_native_id()
        return tuple(each.overrun for each in self._records)

    def begin(self, held: Held, others: Iterable[Held]) -> None:
        """Begin a stretch under a limit, with the other limits in force."""
        if not self._able:
            return
        allowed = dict(held.amounts)
        if held.everywhere:
            for each in others:
                _raise_to(allowed, each)
        mark = _Mark.now()
        base = self._base
        if base is None or base[0].tid != mark.tid or _since(base[0], mark) >= _STALE_NS:
            try:
                base = self._base = mark, self._clocks()
            except OSError:
                return  # no file may be opened any more, say
        self._stretches[held.number] = _Stretch(
            held, mark, base[1], time.monotonic(), allowed, self._starts()
        )

    def allow(self, held: Held) -> None:
        """Take into account that a limit is for other pools or numbers than before."""
        for stretch in tuple(self._stretches.values()):
            # Of two limits the later one counts.
            if held.number >= stretch.held.number:
                _raise_to(stretch.allowed, held)

    def end(self, held: Held, *, ended: bool = True) -> tuple[Overrun, ...]:
        """End a limit's stretch, before its counts are given back, and say what was not held.

        Parameters
        ----------
        held
            The limit.
        ended
            Whether the limit ends too.
        """
        stretch = self._stretches.pop(held.number, None)
        found: tuple[Overrun, ...] = ()
        try:
            if stretch is not None:
                found = self._judged(stretch)
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's code
            _LOG.warning("omp_magic: a limit is not watched (%s: %s)", type(error).__name__, error)
        cells = None if not ended else 0 if held.everywhere else 1
        if ended:
            self._records = [each for each in self._records if each.number != held.number]
        self._records += [_Record(each, held.number, cells) for each in found]
        # In a program nobody tells them: the last ones are kept for a shell that may come.
        self._untold = [*self._untold, *found][-_MOST_UNTOLD:]
        return found

    def cell_ended(self) -> tuple[Overrun, ...]:
        """End the stretches of limits that go on, and give what is to be told of the cell."""
        if not self._stretches and not self._records and not self._untold:
            return ()
        for stretch in tuple(self._stretches.values()):
            if stretch.held.everywhere:
                self.end(stretch.held, ended=False)
        told: dict[tuple[str, int], Overrun] = {}
        for each in self._untold:
            told.setdefault((each.path, each.allowed), each)
        self._untold = []
        for record in self._records:
            if record.cells is not None:
                record.cells -= 1
        self._records = [each for each in self._records if each.cells is None or each.cells >= 0]
        return tuple(told.values())

    def _judged(self, stretch: _Stretch) -> tuple[Overrun, ...]:
        wall_s = time.monotonic() - stretch.at_s
        mark = _Mark.now()
        if wall_s < _LEAST_S or stretch.held.paused or stretch.mark.tid != mark.tid:
            return ()
        caller_ns = mark.own_ns - stretch.mark.own_ns
        worked = _since(stretch.mark, mark) >= _LEAST_S * 1e9
        used = self._used(stretch) if worked else {}
        found: tuple[Overrun, ...] = ()
        if any(ns >= _LEAST_S * 1e9 for ns in used.values()):
            seen = Seen(
                used_ns=used,
                limited=frozenset(self._limited(stretch.held)),
                caller_ns=caller_ns,
                starts=self._starts() - stretch.starts,
                wall_s=wall_s,
            )
            judged = self._judge.overruns(stretch.held.told, stretch.allowed, seen)
            if judged is None:
                return ()
            found = judged
        paths = {each.path for each in found}
        # A cell that did less proves nothing of one that did more, nor does one that only looked.
        did_ns = 0.0 if stretch.looked else caller_ns / _AS_MUCH
        self._records = [
            each
            for each in self._records
            if each.overrun.path not in paths and each.overrun.caller_cpu_s * 1e9 > did_ns
        ]
        return found

    def _used(self, stretch: _Stretch) -> dict[int, int]:
        """Give the CPU time of each thread but the caller in the stretch, in ns."""
        used = {}
        for tid, ns in self._clocks().items():
            before = stretch.clocks.get(tid, 0)
            # A clock never goes back: this is a later thread of the same tid.
            used[tid] = ns - before if ns >= before else ns
        used.pop(stretch.mark.tid, None)
        return used


def _since(begin: _Mark, end: _Mark) -> int:
    return end.others_ns - begin.others_ns


def _raise_to(allowed: dict[Hashable, int], held: Held) -> None:
    for key, threads in held.amounts.items():
        allowed[key] = max(threads, allowed.get(key, threads))
