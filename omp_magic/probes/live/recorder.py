"""Records what this process and its descendants use, from a thread of ours, from start to stop.

The thread asks the kernel only; looking takes about 2 % of a CPU at most (`benchmarks/watch.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from ...facts.libraries import Gap
from ...facts.looks import NEAR, Course, Exceeded, Look, joined
from ...facts.memory import MemoryBound
from ...facts.throttling import Throttling
from ...machine import Machine
from ..cost.marks import Marks, most_throttled
from ..cost.ownthread import OwnThread, own_cpu_s
from ..cpus.budget import probe_budget, unknown_budget
from ..cpus.throttling import probe_throttling
from ..filing import filed_once
from ..memory import probe_memory
from .together import Sums, Together

SHORTEST_S, LONGEST_S = 0.02, 60.0
"""The intervals that can be asked for."""
_WAITS = 100
"""How many times the CPU time of a look is waited before the next: 1 % of a CPU."""
_MOST_LOOKS = 4096
"""Looks that are kept one by one; above it, two neighbours are joined."""
_MOST_WAIT_S, _TOO_SOON_S = 2.0, 0.001
"""The longest wait; between looks as close as the other the clocks' own moments are the figure."""

_Value = TypeVar("_Value")


class Recorder:
    """Records once.

    Parameters
    ----------
    machine
        The machine to read.
    interval_s
        Seconds between two looks; longer where a look costs more than 1 % of that.
    asked_bytes
        Memory above which `told` is called; None for `NEAR` of the limit alone, which counts
        always where it is less.
    told
        Called once, on the thread that looks; what it raises is logged by it, not here.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        interval_s: float,
        asked_bytes: int | None,
        told: Callable[[Exceeded], None],
    ) -> None:
        self._machine = machine
        self._interval_s = interval_s
        self._asked_bytes = asked_bytes
        self._told = told
        self._pid = os.getpid()
        self._gaps: dict[str, Gap] = {}
        self._looks: list[Look] = []
        self._taken = 0
        self._peaks: tuple[int | None, ...] = (None, None, None, None)
        self._begin: Marks | None = None
        self._end: Marks | None = None
        self._thread: OwnThread | None = None
        self._stopped = False
        self._exceeded: Exceeded | None = None
        self._record_bytes: int | None = None
        self._own_record_bytes: int | None = None
        self._thresholds: list[tuple[int, bool]] = []
        self._looking_s = 0.0
        self._budget = unknown_budget()
        self._limit: MemoryBound | None = None
        self._together = Together(machine)
        self._throttled_first: dict[str, Throttling] = {}
        self._throttled_last: dict[str, Throttling] = {}
        self._cpu_s: float | None = None
        self._last_s = 0.0

    def start(self) -> None:
        """Begin. What cannot be read becomes a gap; nothing is raised for it."""
        own_cpu_s()  # a forked child forgets its parent's threads
        moment = self._machine.once()
        budget = self._filed("budget", lambda: probe_budget(moment))
        self._budget = budget or self._budget
        memory = self._filed("memory limit", lambda: probe_memory(moment))
        if memory is not None:
            known = [each for each in memory.bounds if each.limit_bytes]
            self._limit = min(known, key=lambda each: each.limit_bytes or 0, default=None)
            self._gaps.update({gap.what: gap for gap in memory.gaps})
        self._thresholds = sorted(self._to_pass())
        self._record_bytes = self._filed("peak memory", self._machine.system.peak_rss_bytes)
        self._thread = self._filed("looks in between", self._started)
        self._throttled_first = self._throttled_last = self._throttling()
        self._last_s = time.perf_counter()
        self._begin = Marks.begin()
        self._filed("the first look", lambda: self._look(first=True))
        self._begin = Marks.begin()
        if self._thread is not None:
            self._thread.go()

    def stop(self) -> None:
        """End; after an interrupt, or in a forked child, it may be called again.

        A child that was forked in the meantime records nothing, and has nothing to end.
        """
        if self._stopped or self._begin is None or os.getpid() != self._pid:
            return
        if self._end is None:
            self._end = Marks.end()
        ended = self._thread is None or self._thread.halt(_MOST_WAIT_S)
        if not ended:
            why = "a look takes long, or other Python threads keep the GIL"
            self._gaps["the last look"] = Gap(what="the last look", why=why)
        else:
            self._filed("the last look", lambda: self._look(last=True))
        self._note_record()
        fault = self._thread.fault if self._thread is not None else None
        if fault is not None:
            self._gaps["looks in between"] = Gap.of("looks in between", fault)
        self._stopped = True

    def release(self) -> None:
        """Tell the thread to end, and do not wait."""
        if self._thread is not None and os.getpid() == self._pid:
            self._thread.release()

    def course(self) -> Course:
        """Give what was seen so far."""
        forked = os.getpid() != self._pid
        looks = tuple(self._looks)
        begin, end = self._begin, self._end
        wall_s = 0.0
        if begin is not None:
            until_s = end.wall_s if end is not None else time.perf_counter()
            if forked:
                until_s = begin.wall_s + (looks[-1].at_s if looks else 0.0)
            wall_s = max(0.0, until_s - begin.wall_s)
        threads, processes, rss_bytes, pss_bytes = self._peaks
        own_bytes = self._own_record_bytes
        if own_bytes is not None and rss_bytes is not None:
            rss_bytes = max(rss_bytes, own_bytes)
        throttled = most_throttled(self._throttled_first, self._throttled_last)
        course = Course(
            started_at=begin.at if begin is not None else 0.0,
            wall_s=wall_s,
            running=not self._stopped and not forked,
            looks=looks,
            taken=self._taken,
            allowed_cpus=self._budget.cpus,
            limit=self._limit,
            peak_threads=threads,
            peak_processes=processes,
            processes_seen=self._together.met,
            peak_rss_bytes=rss_bytes,
            peak_pss_bytes=pss_bytes,
            own_peak_rss_bytes=own_bytes,
            cpu_s=self._cpu_s,
            children_cpu_s=self._together.children_s,
            throttled_s=throttled[0],
            throttled_periods=throttled[1],
            exceeded=self._exceeded,
            looking_s=self._looking_s,
            gaps=(*self._gaps.values(), *self._together.gaps),
        )
        if forked:
            return course.with_gap(
                Gap(what="what came after", why="this process was forked from it")
            )
        return course

    def _look_on(self) -> None:
        thread = self._thread
        wait_s = 0.0
        while thread is not None and thread.rests(wait_s):
            began_s, used_s, costly_s = (
                time.monotonic(),
                time.thread_time(),
                self._together.costly_s,
            )
            self._filed("a look", self._look)
            used_s, costly_s = time.thread_time() - used_s, self._together.costly_s - costly_s
            self._looking_s += used_s
            rest_s = self._interval_s - (time.monotonic() - began_s)
            wait_s = max(SHORTEST_S / 2, rest_s, _WAITS * (used_s - costly_s))

    def _started(self) -> OwnThread:
        # Kept before it starts, so that it is ended also after an interrupt.
        thread = self._thread = OwnThread(self._look_on, self._machine.system.has_thread)
        self._together.stops = lambda: thread.halted
        thread.start()
        return thread

    def _look(self, *, first: bool = False, last: bool = False) -> None:
        begin, end = self._begin, self._end
        if begin is None:
            return
        now_s = end.wall_s if last and end is not None else time.perf_counter()
        over_bytes = self._thresholds[0][0] if self._thresholds else None
        asked = False if first else True if last else None
        sums = self._together.look(now_s, shares=asked, over_bytes=over_bytes)
        if first and over_bytes is not None and (sums.rss_bytes or 0) > over_bytes:
            sums = self._together.look(now_s, shares=True)
        cpu_s = self._cpu_until(end if last else None)
        throttling, before_s = self._throttling(), self._last_s
        interval_s = max(0.0, now_s - before_s)
        known = not first and cpu_s is not None and interval_s >= _TOO_SOON_S
        look = Look(
            at_s=max(0.0, now_s - begin.wall_s),
            interval_s=0.0 if first else interval_s,
            threads=sums.threads,
            processes=sums.processes,
            rss_bytes=sums.rss_bytes,
            pss_bytes=sums.pss_bytes,
            cpus=max(0.0, (cpu_s or 0.0) - (self._cpu_s or 0.0)) / interval_s if known else None,
            throttled_s=most_throttled(self._throttled_last, throttling)[0],
        )
        self._cpu_s, self._throttled_last, self._last_s = cpu_s, throttling, now_s
        self._keep(look)
        self._judge(sums, look.at_s, first=first)

    def _cpu_until(self, end: Marks | None) -> float | None:
        """Give the CPU time of all since the beginning; None where it is another process."""
        begin = self._begin
        if begin is None or not self._machine.live:
            return None
        process_s = time.process_time() - own_cpu_s() if end is None else end.cpu_s
        return max(0.0, process_s - begin.cpu_s) + (self._together.children_s or 0.0)

    def _keep(self, look: Look) -> None:
        self._taken += 1
        sizes = look.threads, look.processes, look.rss_bytes, look.pss_bytes
        self._peaks = tuple(
            max((each for each in pair if each is not None), default=None)
            for pair in zip(self._peaks, sizes, strict=True)
        )
        looks = self._looks
        looks.append(look)
        if len(looks) > _MOST_LOOKS:
            old, new = looks[: _MOST_LOOKS // 2], looks[_MOST_LOOKS // 2 :]
            # A new list: whoever reads meanwhile has the old one.
            self._looks = [*map(joined, old[::2], old[1::2]), *new]

    def _to_pass(self) -> Iterator[tuple[int, bool]]:
        """Give (bytes, whether somebody asked for them) that are worth a word when passed."""
        if self._asked_bytes is not None:
            yield self._asked_bytes, True
        if self._limit is not None and self._limit.limit_bytes:
            yield int(NEAR * self._limit.limit_bytes), False

    def _judge(self, sums: Sums, at_s: float, *, first: bool) -> None:
        """Tell, once, when more memory is used than was to be; what was so before is no news."""
        began_s, shared = time.thread_time(), self._together.has_shares
        used_bytes = sums.pss_bytes if shared else sums.rss_bytes
        if used_bytes is None:
            return
        for threshold_bytes, asked in self._thresholds:
            if used_bytes > threshold_bytes:
                pid, holds_bytes = sums.largest
                self._exceeded = Exceeded(
                    at_s=at_s,
                    used_bytes=used_bytes,
                    shared=shared,
                    threshold_bytes=threshold_bytes,
                    asked=asked,
                    processes=sums.processes or 1,
                    pid=pid,
                    command=self._together.command(pid),
                    holds_bytes=holds_bytes,
                    limit=self._limit,
                    at_start=first,
                )
                self._thresholds = [
                    each for each in self._thresholds if first and each[0] > used_bytes
                ]
                self._told(self._exceeded)
                self._together.costly_s += time.thread_time() - began_s
                return

    def _note_record(self) -> None:
        now = self._filed("peak memory", self._machine.system.peak_rss_bytes)
        # VmHWM only grows: when it grew, the record was set here.
        if now is not None and self._record_bytes is not None and now > self._record_bytes:
            self._own_record_bytes = now

    def _throttling(self) -> dict[str, Throttling]:
        read = self._filed("throttling", lambda: probe_throttling(self._machine, self._budget))
        return {each.group: each for each in read or ()}

    def _filed(self, what: str, read: Callable[[], _Value]) -> _Value | None:
        """Read something; its failure is a gap, once."""
        return filed_once(what, self._gaps, read)
