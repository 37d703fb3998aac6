"""Who had how many threads in a stretch of time, and what CPU time they used."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...formats.procfs import Segments
from ...machine import Machine
from ...machine.port.native import Native
from ..threads.stacks import PYTHON, ThreadOwners

UNKNOWN = "unknown"

_MOST_ASKED = 4
_WORKED_SHARE = 0.1
_OWNER_SHARE = 0.01


@dataclass(slots=True)
class _Span:
    """One thread's part of the stretch; `owner` is a path, `PYTHON`, or None: not known."""

    first_ns: int
    last_ns: int
    owner: str | None = None
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What was seen of the threads, by owner: a file's path, `PYTHON`, or `UNKNOWN`.

    Parameters
    ----------
    peaks
        Threads at most, at one look.
    worked
        (Threads that worked, CPU time in s of all the owner's threads).
    why
        Why owners are not known; None when they are.
    """

    peaks: dict[str, int]
    worked: dict[str, tuple[int, float]]
    why: str | None

    @property
    def paths(self) -> set[str]:
        """The files that own threads."""
        return {*self.peaks, *self.worked} - {PYTHON, UNKNOWN}

    def named(
        self, names: Mapping[str, str]
    ) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int, float], ...]]:
        """Give peaks and work by name, the largest first; files of one name are one owner.

        Parameters
        ----------
        names
            Names by path; a file without one is called by its file name.
        """
        called = {path: names.get(path) or os.path.basename(path) for path in self.paths}
        peaks: Counter[str] = Counter()
        for owner, number in self.peaks.items():
            peaks[called.get(owner, owner)] += number
        worked: dict[str, tuple[int, float]] = {}
        for owner, (number, cpu_s) in self.worked.items():
            name = called.get(owner, owner)
            others, others_s = worked.get(name, (0, 0.0))
            worked[name] = number + others, cpu_s + others_s
        rows = ((name, *each) for name, each in worked.items())
        return (
            tuple(sorted(peaks.items(), key=lambda row: (-row[1], row[0]))),
            tuple(sorted(rows, key=lambda row: (-row[2], row[0]))),
        )


class ThreadCpu:
    """Follows the threads of the running process over one stretch after the other.

    `begin`, `note` and `end` may be called from different threads, never at the same time. What
    calls the loader (dlsym, dl_iterate_phdr) is done by `begin` alone, on the caller's thread:
    a thread of ours that waited for the loader's lock with the GIL held could meet a
    constructor that waits for the GIL, and `Native.loader_changes` turns the collector off for a
    moment, which must not fall between two steps of the user's.

    Parameters
    ----------
    machine
        The machine to read; only a running process has such clocks.
    native
        Calls into this process; None where there are none.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native
        self._owners = ThreadOwners(machine, native)
        self._segments: Segments | None = None
        self._changes: tuple[int, int] | None = None
        self._live: dict[int, _Span] = {}
        self._ended: list[_Span] = []
        self._peaks: Counter[str] = Counter()
        self._old_map = False

    def readings(self, left_out: Collection[int] = ()) -> dict[int, int]:
        """Give the CPU time of each thread in ns by its tid; see `System.clocks`. Keeps nothing.

        Raises
        ------
        OSError
            When the threads cannot be listed.
        """
        return self._machine.system.clocks(left_out)

    def prepare(self) -> None:
        """Find the owners of the threads there are, so that a later look meets few new ones.

        5 ms with NumPy and scikit-learn after something was loaded, 30 us otherwise.

        Raises
        ------
        OSError
            When the process's map or memory cannot be read.
        """
        changes = self._native.loader_changes() if self._native is not None else None
        if self._segments is None or changes is None or changes != self._changes:
            self._segments = self._machine.system.code_map()[1]
            self._changes = changes
        self._owners.settle()
        self._owners.workers(self._segments)

    def begin(self, readings: dict[int, int]) -> None:
        """Begin a stretch with the threads there are; `prepare` has gone before."""
        self._live = {tid: _Span(ns, ns) for tid, ns in readings.items()}
        self._ended, self._peaks, self._old_map = [], Counter(), False
        self._count(readings)

    def restart(self, tid: int, ns: int) -> None:
        """Correct what a thread had used when the stretch began."""
        if tid in self._live and self._live[tid].first_ns:
            self._live[tid].first_ns = ns

    def note(self, readings: dict[int, int], *, last: bool = False) -> None:
        """Take one look's readings into account.

        Parameters
        ----------
        readings
            As `readings` gave them.
        last
            Whether they are the stretch's end: a clock that was read again since counts as
            it stood then.
        """
        lost = 0
        for tid, span in self._live.items():
            if tid not in readings and span.owner is None and 0 < span.asked < _MOST_ASKED:
                span.asked = _MOST_ASKED
                lost += 1
        for tid, ns in readings.items():
            span_or_none = self._live.get(tid)
            # A clock never goes back: this is a later thread of the same tid.
            if span_or_none is None or (ns < span_or_none.last_ns and not last):
                if span_or_none is not None:
                    self._ended.append(span_or_none)
                # A thread's clock starts at 0, so all of it belongs to the stretch.
                self._live[tid] = _Span(0, ns)
            else:
                span_or_none.last_ns = ns
        self._count(readings, lost)

    def refresh(self) -> None:
        """Read the clocks of the threads that are known. 0.5 us a thread, without losing the GIL.

        Measured with three threads that kept the GIL for 0.3 s: listing the threads, which gives
        the GIL away for each name, met them so seldom that half of their time was missed.
        """
        for tid, span in self._live.items():
            try:
                ns = self._machine.system.clock(tid)
            except OSError:
                continue  # it ended
            span.last_ns = max(span.last_ns, ns)

    def end(self) -> Work:
        """Give what was seen since `begin`."""
        spans = (*self._live.values(), *self._ended)
        self._live, self._ended = {}, []
        if self._owners.why is not None:
            return Work({}, {}, self._owners.why)
        used: dict[str, list[int]] = {}
        for span in spans:
            used.setdefault(span.owner or UNKNOWN, []).append(span.last_ns - span.first_ns)
        whole = sum(map(sum, used.values()))
        worked = {}
        for owner, each in used.items():
            busiest, total = max(each), sum(each)
            if total and total >= _OWNER_SHARE * whole:
                number = sum(ns > 0 and ns >= _WORKED_SHARE * busiest for ns in each)
                worked[owner] = number, total / 1e9
        return Work(dict(self._peaks), worked, None)

    def _count(self, alive: Collection[int], lost: int = 0) -> None:
        """Count the living threads by owner; `lost` ended before anybody could say whose."""
        spans = self._live
        wanted = [
            tid for tid in alive if spans[tid].owner is None and spans[tid].asked < _MOST_ASKED
        ]
        if wanted:
            if self._old_map:
                # A thread in no known file: its library was loaded after the map was read.
                self._segments = self._machine.system.code_map()[1]
                self._old_map = False
                # The map was read without the loader's counter, so it counts as an old one.
                self._changes = None
            segments = self._segments
            found = self._owners.of(wanted, segments) if segments is not None else {}
            for tid in wanted:
                owner, span = found.get(tid), spans[tid]
                span.asked += 1
                if owner is not None:
                    span.owner = owner.path or PYTHON
                elif span.asked == 1:
                    self._old_map = True
        counts = Counter(
            span.owner or UNKNOWN
            for span in (spans[tid] for tid in alive)
            if span.owner is not None or span.asked >= _MOST_ASKED
        )
        if lost:
            counts[UNKNOWN] += lost
        self._peaks |= counts
