"""What a stretch of code used, by looks at its two ends alone: no thread looks meanwhile.

`Meter` looks in between, too, which needs a thread and 1 ms; a server that logs each of its
requests cannot have that. Stretches may be open at the same time, on several threads.
"""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from dataclasses import dataclass

from ...facts.cpus import Budget
from ...facts.libraries import Gap
from ...facts.throttling import Throttling
from ...facts.usage import Usage
from ...formats.procfs import Segments
from ...machine.port.rows import THREAD_CLOCKS, THREAD_OWNERS
from ..cpus.budget import probe_budget, unknown_budget
from ..cpus.throttling import probe_throttling
from ..filing import filed_once
from ..observe import Observer
from ..threads.stacks import PYTHON, ThreadOwners
from .marks import Marks, most_throttled
from .meter import labels_of
from .ownthread import without_own
from .threadcpu import UNKNOWN

_BUDGET_S = 10.0
"""How long the CPUs allowed are taken for the same: reading them takes as long as all the rest."""
_WORKED_SHARE = 0.1
LEAST_S = 0.001
"""Stretches below it have nobody busy: the looks themselves are what worked."""
_OWNERS = "owners of threads"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a stretch.

    Parameters
    ----------
    marks
        The clocks.
    clocks
        CPU time in ns of each thread by its tid; None where that is not told.
    threads
        OS threads, omp_magic's own left out; None when unknown.
    rss_bytes
        Resident memory; None when unknown.
    throttled
        The counters of the groups with a quota.
    """

    marks: Marks
    clocks: dict[int, int] | None
    threads: int | None
    rss_bytes: int | None
    throttled: dict[str, Throttling]


class Ends:
    """Looks at the ends of stretches of one process.

    Parameters
    ----------
    observer
        The process's observer.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._machine = observer.machine
        self._lock = threading.Lock()
        self._budget: tuple[float, Budget] | None = None
        self._count = self._machine.system.thread_counter()
        self._owners: ThreadOwners | None = None
        self._segments: tuple[tuple[int, int] | None, Segments | None] = None, None
        self._labels: tuple[frozenset[str], dict[str, str]] = frozenset(), {}
        lacks = self._machine.system.lacks
        self._why = lacks(THREAD_CLOCKS) or lacks(THREAD_OWNERS)

    def begin(self, gaps: dict[str, Gap]) -> End:
        """Look at the first end; what cannot be read becomes a gap."""
        clocks, threads, rss_bytes = self._sizes(gaps)
        throttled = self._throttling(gaps)
        return End(Marks.begin(), clocks, threads, rss_bytes, throttled)

    def end(self, gaps: dict[str, Gap]) -> End:
        """Look at the last end."""
        marks = Marks.end()
        clocks, threads, rss_bytes = self._sizes(gaps)
        return End(marks, clocks, threads, rss_bytes, self._throttling(gaps))

    def usage(self, begin: End, end: End, gaps: dict[str, Gap]) -> Usage:
        """Give what was used between two looks: peaks are those of the two alone."""
        wall_s = end.marks.wall_s - begin.marks.wall_s
        by_owner = filed_once(_OWNERS, gaps, lambda: self._by_owner(begin, end, gaps))
        throttled_s, throttled_periods = most_throttled(begin.throttled, end.throttled)
        return Usage(
            wall_s=wall_s,
            cpu_s=max(0.0, end.marks.cpu_s - begin.marks.cpu_s),
            allowed_cpus=self._allowed(gaps).cpus,
            threads_before=begin.threads,
            peak_threads=_larger(begin.threads, end.threads),
            peak_rss_bytes=_larger(begin.rss_bytes, end.rss_bytes),
            throttled_s=throttled_s,
            throttled_periods=throttled_periods,
            children_cpu_s=end.marks.children_since(begin.marks),
            started_at=begin.marks.at,
            rss_before_bytes=begin.rss_bytes,
            rss_after_bytes=end.rss_bytes,
            peak_threads_by_owner=by_owner[0] if by_owner else None,
            worked_by_owner=by_owner[1] if by_owner else None,
            gaps=tuple(gaps.values()),
        )

    def _sizes(self, gaps: dict[str, Gap]) -> tuple[dict[int, int] | None, int | None, int | None]:
        system = self._machine.system
        clocks = None
        if not self._why:
            clocks = filed_once(_OWNERS, gaps, lambda: without_own(system.clocks))
        threads = len(clocks) if clocks is not None else self._counted(gaps)
        return clocks, threads, filed_once("resident memory", gaps, system.rss_bytes)

    def _counted(self, gaps: dict[str, Gap]) -> int | None:
        return filed_once(
            "thread count", gaps, lambda: without_own(lambda own: self._count() - len(own))
        )

    def _allowed(self, gaps: dict[str, Gap]) -> Budget:
        at_s, kept = self._machine.clock(), self._budget
        if kept is None or not 0 <= at_s - kept[0] < _BUDGET_S:
            moment = self._machine.once()
            budget = filed_once("budget", gaps, lambda: probe_budget(moment)) or unknown_budget()
            kept = self._budget = at_s, budget
        return kept[1]

    def _throttling(self, gaps: dict[str, Gap]) -> dict[str, Throttling]:
        budget = self._allowed(gaps)
        read = filed_once("throttling", gaps, lambda: probe_throttling(self._machine, budget))
        return {each.group: each for each in read or ()}

    def _by_owner(
        self, begin: End, end: End, gaps: dict[str, Gap]
    ) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int, float], ...]] | None:
        """Give the threads at the end, and those that worked, by owner."""
        if begin.clocks is None or end.clocks is None:
            gaps.setdefault(_OWNERS, Gap(what=_OWNERS, why=self._why or "no clock was read"))
            return None
        used_ns = {
            # A clock never goes back: this is a later thread of the same number.
            tid: ns - before if (before := begin.clocks.get(tid, 0)) <= ns else ns
            for tid, ns in end.clocks.items()
        }
        # The caller's own clock was read at the very ends.
        first, last = begin.marks, end.marks
        if first.tid == last.tid and last.tid in used_ns:
            used_ns[last.tid] = last.thread_ns - first.thread_ns
        with self._lock:
            paths = self._paths(used_ns)
            labels = self._named(frozenset(paths.values()) - {PYTHON, UNKNOWN})
        wall_s = last.wall_s - first.wall_s
        enough_ns = _WORKED_SHARE * wall_s * 1e9 if wall_s >= LEAST_S else math.inf
        alive: Counter[str] = Counter()
        busy: Counter[str] = Counter()
        cpu_ns: Counter[str] = Counter()
        for tid, ns in used_ns.items():
            path = paths.get(tid, UNKNOWN)
            name = labels.get(path) or os.path.basename(path)
            alive[name] += 1
            cpu_ns[name] += ns
            busy[name] += ns >= enough_ns
        rows = ((name, busy[name], ns / 1e9) for name, ns in cpu_ns.items() if ns)
        return (
            tuple(sorted(alive.items(), key=lambda row: (-row[1], row[0]))),
            tuple(sorted(rows, key=lambda row: (-row[2], row[0]))),
        )

    def _paths(self, tids: dict[int, int]) -> dict[int, str]:
        """Give the file that owns each thread, `PYTHON` or `UNKNOWN`."""
        native = self._observer.native
        if self._owners is None:
            self._owners = ThreadOwners(self._machine, native)
            self._owners.settle()
        changes = native.loader_changes() if native is not None else None
        known, segments = self._segments
        if segments is None or changes is None or changes != known:
            segments = self._machine.system.code_map()[1]
            self._segments = changes, segments
        found = self._owners.of(tids, segments)
        if self._owners.why is not None:
            raise OSError(self._owners.why)
        return {
            tid: UNKNOWN if owner is None else owner.path or PYTHON for tid, owner in found.items()
        }

    def _named(self, paths: frozenset[str]) -> dict[str, str]:
        """Give names for files; they are asked for when others are there."""
        if paths != self._labels[0]:
            self._labels = paths, labels_of(self._observer, paths)
        return self._labels[1]


def _larger(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)
