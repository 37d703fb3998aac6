"""One `Tick` after the other for the live panel, read by a thread of ours while cells run.

Only the kernel is asked: files below /proc and of the cgroup, and clocks. No function of a library
or of the loader is called in `Pulse.tick`; `threadcpu` says what would come of that.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

from ...facts.cpus import Budget
from ...facts.libraries import Gap
from ...facts.ticks import Tick
from ...formats.procfs import Segments
from ...machine import Machine
from ...machine.here import quick
from ...machine.port.cpurows import CGROUPS
from ...machine.port.rows import THREAD_CLOCKS, THREAD_OWNERS
from ..cost.ownthread import own_cpu_s, without_own
from ..cpus.budget import probe_budget, unknown_budget
from ..cpus.load import Sample, group_cpu_s, load_between
from ..cpus.throttling import probe_throttling
from ..filing import filed
from .activity import Activity, ThreadActivity
from .family import Family
from .pace import Pace

SHORTEST_S = 0.1
"""Over less time than this the moments at which the clocks are read are the figure."""
_READ_ANYWAY = 10
"""The map is read at every tenth tick even when the address space kept its size."""


class Pulse:
    """Reads what this process does, tick by tick. Make it on the main thread.

    A tick costs 1.5 ms of CPU time with 66 threads and 4 ms with 500, 10 ms when all of them ran
    (`benchmarks/pulse.py`).

    Parameters
    ----------
    machine
        The machine to read.

    Notes
    -----
    The thread that calls `tick` is ours and is left out of all figures, unless it also made the
    `Pulse`. A second caller waits for the first.
    """

    def __init__(self, machine: Machine) -> None:
        self._pid, self._maker = os.getpid(), threading.get_native_id()
        self._lock = threading.Lock()
        self._lasting: list[Gap] = []
        self._number = 0
        self._machine = self._plain = machine
        self._activity: ThreadActivity | None = None
        gaps = self._lasting
        self._machine = filed("quick reads", gaps, lambda: quick(machine)) or machine
        lacks = machine.system.lacks
        why = lacks(THREAD_CLOCKS) or lacks(THREAD_OWNERS)
        if machine.live and not why:
            native = filed("calls into libraries", gaps, machine.native)
            self._activity = ThreadActivity(self._machine, native)
        else:
            why = why or "only of the running process do threads tell"
            gaps.append(Gap(what=THREAD_OWNERS, why=why))
        self._family = Family(self._machine, machine)
        self._budget: Budget | None = None
        self._budget_pace, self._group_pace, self._map_pace = Pace(), Pace(), Pace()
        self._group: tuple[float, float] | None = None
        self._group_cpus: float | None = None
        self._size = ""
        self._code: object = None
        self._segments: Segments | None = None
        self._last: Tick | None = None
        self._own, self._own_ended_s = (0, 0.0), 0.0
        self._used_s = 0.0
        ignored: list[Gap] = []  # The first tick meets them too.
        self._sample = self._sampled(machine.clock(), ignored)
        self._look_at_map(self._sample.at_s, ignored)
        if self._activity is not None:
            activity = self._activity
            filed("threads", ignored, lambda: activity.begin(self._clocks()))
        filed("child processes", ignored, lambda: self._family.look(self._sample.at_s, ignored))

    def tick(self) -> Tick:
        """Give what happened since the tick before. What cannot be read becomes a `Gap`.

        Less than 0.1 s after a tick its figures are given again, under the next number.
        """
        if os.getpid() != self._pid:
            # The lock may have been held when the process was forked.
            self._number += 1
            why = "this process was forked from the one that is looked at"
            return self._unknown([Gap(what="the process", why=why)])
        with self._lock:
            self._number += 1
            gaps = list(self._lasting)
            try:
                last, since_s = self._last, self._machine.clock() - self._sample.at_s
                if last is not None and 0 <= since_s < SHORTEST_S:
                    return replace(last, number=self._number, maps_changed=False)
                self._last = self._ticked(gaps)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the panel
                why = f"a fault in omp_magic: {type(error).__name__}: {error}"
                return self._unknown([*gaps, Gap(what="the process", why=why)])
            return self._last

    def _ticked(self, gaps: list[Gap]) -> Tick:
        before, at_s = self._sample, time.time()
        now = self._sample = self._sampled(self._machine.clock(), gaps)
        interval_s = now.at_s - before.at_s
        if interval_s < SHORTEST_S or interval_s <= 0:
            why = "too little time has gone by" if interval_s >= 0 else "the clock went backwards"
            gaps.append(Gap(what="rates", why=why))
            interval_s = 0.0
        load = load_between(before, now, None) if interval_s else None
        changed = self._look_at_map(now.at_s, gaps)
        seen, threads = self._activity, None
        if seen is not None:
            threads = filed(
                "threads", gaps, lambda: seen.look(interval_s, self._clocks(), self._segments, gaps)
            )
        children = filed("child processes", gaps, lambda: self._family.look(now.at_s, gaps))
        return Tick(
            number=self._number,
            at_s=at_s,
            interval_s=interval_s,
            cpus=load.used_cpus if load is not None else None,
            group_cpus=self._group_cpus if interval_s else None,
            allowed_cpus=self._allowed_cpus(),
            throttled=load.throttled_share if load is not None else None,
            waiting=threads.waiting if threads is not None else None,
            num_threads=self._num_threads(threads, gaps),
            rss_bytes=filed("resident memory", gaps, self._rss_bytes),
            owners=threads.owners if threads is not None else None,
            children=children or (),
            maps_changed=changed,
            gaps=tuple(dict.fromkeys(gaps)),
        )

    def _unknown(self, gaps: list[Gap]) -> Tick:
        return Tick(
            number=self._number,
            at_s=time.time(),
            interval_s=0.0,
            cpus=None,
            group_cpus=None,
            allowed_cpus=self._allowed_cpus(),
            throttled=None,
            waiting=None,
            num_threads=None,
            rss_bytes=None,
            owners=None,
            children=(),
            maps_changed=False,
            gaps=tuple(gaps),
        )

    def _sampled(self, at_s: float, gaps: list[Gap]) -> Sample:
        """Read the counters of the process and of its cgroup."""
        moment = self._machine.once()
        if self._budget_pace.may(at_s):
            self._budget = filed("budget", gaps, lambda: probe_budget(moment)) or self._budget
            self._budget_pace.done(at_s)
        budget = self._budget
        throttling = None
        if budget is not None:
            throttling = filed("throttling", gaps, lambda: probe_throttling(moment, budget))
        if not self._machine.system.lacks(CGROUPS) and self._group_pace.may(at_s):
            used = filed("CPU time of the cgroup", gaps, lambda: group_cpu_s(moment))
            self._note_group(at_s, used)
            self._group_pace.done(at_s)
        cpu_s = filed("CPU time", gaps, self._cpu_s) if self._machine.live else None
        return Sample(at_s, cpu_s, None, throttling or (), {})

    def _note_group(self, at_s: float, used_s: float | None) -> None:
        """Keep the rate of the cgroup since it was read before."""
        then, self._group = self._group, None if used_s is None else (at_s, used_s)
        self._group_cpus = None
        if then is not None and used_s is not None and at_s > then[0] and used_s >= then[1]:
            self._group_cpus = (used_s - then[1]) / (at_s - then[0])

    def _cpu_s(self) -> float:
        """Give the CPU time of the process without that of our own threads."""
        tid = threading.get_native_id()
        if tid != self._maker:
            own_s = time.thread_time()
            if tid != self._own[0] or own_s < self._own[1]:
                self._own_ended_s += self._own[1]
            self._own = tid, own_s
        used_s = time.process_time() - own_cpu_s() - self._own[1] - self._own_ended_s
        # The clocks are read one after the other, so an idle process's may differ by less than 0.
        self._used_s = max(self._used_s, used_s)
        return self._used_s

    def _clocks(self) -> dict[int, int]:
        """Give the CPU time of each thread in ns by its tid, without those of ours."""
        clocks = self._machine.system.clocks
        return without_own(lambda own: clocks(self._ours(own)))

    def _ours(self, own: tuple[int, ...]) -> set[int]:
        return {*own, threading.get_native_id()} - {self._maker}

    def _allowed_cpus(self) -> float:
        return (self._budget or unknown_budget()).cpus

    def _num_threads(self, seen: Activity | None, gaps: list[Gap]) -> int | None:
        if seen is not None:
            return seen.num_threads
        count = self._machine.system.num_threads
        return filed(
            "thread count", gaps, lambda: without_own(lambda own: count() - len(self._ours(own)))
        )

    def _rss_bytes(self) -> int:
        return self._machine.system.rss_bytes()

    def _look_at_map(self, at_s: float, gaps: list[Gap]) -> bool:
        """Read which files are mapped, when they may be others; tell whether they are."""
        if self._activity is None:
            return False
        return bool(filed("mapped files", gaps, lambda: self._map_changed(at_s)))

    def _map_changed(self, at_s: float) -> bool:
        # What is loaded adds to the size of the address space.
        system = self._machine.system
        size = system.size_mark()
        if size and size == self._size and self._number % _READ_ANYWAY:
            return False
        if not self._map_pace.may(at_s):
            return False
        try:
            code, segments = system.code_map()
        finally:
            self._map_pace.done(at_s)
        self._size = size
        changed, first = code != self._code, self._segments is None
        if changed or first:
            self._code, self._segments = code, segments
        return changed and not first
