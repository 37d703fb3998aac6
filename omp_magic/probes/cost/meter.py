"""What a stretch of code cost: wall and CPU time, threads, memory, throttling.

Reads the kernel's view only, from a thread of its own; no library is asked anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar
from weakref import WeakKeyDictionary

from ...facts.libraries import Gap
from ...facts.throttling import Throttling
from ...facts.usage import Usage
from ...machine import Machine
from ...machine.port.rows import THREAD_CLOCKS, THREAD_OWNERS
from ..cpus.budget import probe_budget, unknown_budget
from ..cpus.throttling import probe_throttling
from ..filing import filed_once
from ..observe import Observer
from .marks import Marks, most_throttled
from .ownthread import without_own
from .sampler import Peaks, Sampler, Sizes
from .threadcpu import ThreadCpu, Work

_Value = TypeVar("_Value")
_OWNERS = "owners of threads"
_Peaks = tuple[tuple[str, int], ...]
_Worked = tuple[tuple[str, int, float], ...]
Labels = Callable[[Collection[str]], Mapping[str, str]]
"""Gives names for people by the paths of files."""


class Meter:
    """Measures from `start` to `stop`, once.

    Parameters
    ----------
    machine
        The machine to read.
    labels
        Names for people by the paths of files, asked by `stop`; a file without one is called
        by its file name.
    threads
        Follows the threads; made for this meter when None.
    """

    def __init__(
        self, machine: Machine, *, labels: Labels | None = None, threads: ThreadCpu | None = None
    ) -> None:
        self._machine = machine
        self._labels = labels
        self._threads = threads
        self._idle: list[ThreadCpu] = []
        self._gaps: dict[str, Gap] = {}
        self._pid = 0
        self._sampler: Sampler | None = None
        self._begin: Marks | None = None
        self._end: Marks | None = None
        self._last: dict[int, int] | None = None
        self._ends: tuple[int | None, int | None] = (None, None)
        self._throttled_after: dict[str, Throttling] = {}
        self._usage: Usage | None = None

    @classmethod
    def of(cls, observer: Observer) -> Meter:
        """Give a meter that names owners as snapshots do; `stop` asks the observer.

        What is known about the process's threads is kept for the observer's next meter: the
        first needs 6 ms before the stretch, a later one less than 1 ms.
        """
        idle = _IDLE.setdefault(observer, [])
        # Meters that run at the same time have one each.
        threads = idle.pop() if idle else ThreadCpu(observer.machine, observer.native)
        meter = cls(
            observer.machine, labels=lambda paths: labels_of(observer, paths), threads=threads
        )
        meter._idle = idle
        return meter

    def start(self) -> None:
        """Begin to measure. What cannot be read becomes a gap; nothing is raised for it."""
        moment = self._machine.once()
        self._pid = os.getpid()
        self._budget = self._filed("budget", lambda: probe_budget(moment)) or unknown_budget()
        self._sizes = Sizes(self._machine)
        threads = self._filed(_OWNERS, self._prepared)
        self._sampler = Sampler(self._sizes, threads)
        self._threads_before = self._sizes.threads()
        self._filed("samples", self._sampler.start)
        self._rss_before_bytes = self._sizes.rss_bytes()
        self._record_bytes = self._sizes.high_water_bytes()
        if threads is not None:
            self._filed(_OWNERS, lambda: threads.begin(without_own(threads.readings)))
        self._throttled = self._throttling()
        self._sampler.go()
        self._begin = Marks.begin()

    def stop(self) -> Usage:
        """End and give what was measured; a second call gives the same.

        After an interrupt it may be called again: the end stays where it was first called.

        Raises
        ------
        RuntimeError
            When it was not started, and in a child that a fork in the stretch made: nothing
            was measured there.
        """
        if self._usage is not None:
            return self._usage
        if self._begin is None or self._sampler is None or os.getpid() != self._pid:
            raise RuntimeError("nothing was measured in this process: start has not been called")
        sampler, sizes, threads = self._sampler, self._sizes, self._threads
        if self._end is None:
            self._end = Marks.end()
            # The sampler lives until `halt`: it is certain that it is among the threads.
            if threads is not None:
                self._last = self._filed(_OWNERS, lambda: without_own(threads.readings))
            self._ends = sizes.threads(), sizes.rss_bytes()
            self._throttled_after = self._throttling()
        halted = sampler.halt()
        work = self._filed(_OWNERS, self._work) if halted else None
        if not halted:
            self._missing(_OWNERS, "other Python threads keep the GIL")
        if sampler.fault is not None:
            self._gaps.setdefault("samples", Gap.of("samples", sampler.fault))
        sampler.peaks.note(*self._ends)
        self._usage = self._made(self._begin, self._end, sampler.peaks, work)
        return self._usage

    def _made(self, begin: Marks, end: Marks, peaks: Peaks, work: Work | None) -> Usage:
        peaks.note(self._threads_before, self._rss_before_bytes)
        record_bytes = self._sizes.high_water_bytes() or 0
        # VmHWM only grows: when it grew, the record was set here. Resetting it
        # (/proc/self/clear_refs) would be exact always, and would spoil it for others.
        if record_bytes > (self._record_bytes or record_bytes):
            peaks.note(None, record_bytes)
        by_owner = (None, None) if work is None else self._named(work)
        throttled_s, throttled_periods = most_throttled(self._throttled, self._throttled_after)
        return Usage(
            wall_s=end.wall_s - begin.wall_s,
            cpu_s=max(0.0, end.cpu_s - begin.cpu_s),
            allowed_cpus=self._budget.cpus,
            threads_before=self._threads_before,
            peak_threads=peaks.threads or None,
            peak_rss_bytes=peaks.rss_bytes or None,
            throttled_s=throttled_s,
            throttled_periods=throttled_periods,
            children_cpu_s=end.children_since(begin),
            started_at=begin.at,
            rss_before_bytes=self._rss_before_bytes,
            rss_after_bytes=self._ends[1],
            peak_threads_by_owner=by_owner[0],
            worked_by_owner=by_owner[1],
            gaps=(*self._gaps.values(), *self._sizes.gaps),
        )

    def __del__(self) -> None:
        # A meter that nobody stops must not leave a thread that looks for ever.
        if self._sampler is not None:
            self._sampler.release()

    def _prepared(self) -> ThreadCpu | None:
        """Give what follows the threads, ready to begin."""
        threads, self._threads = self._threads, None
        lacks = self._machine.system.lacks
        why = lacks(THREAD_CLOCKS) or lacks(THREAD_OWNERS)
        if why or not self._machine.live:
            why = why or "only of the running process do threads tell"
            self._missing(_OWNERS, why)
            return None
        threads = threads or ThreadCpu(self._machine, self._machine.native())
        threads.prepare()
        self._threads = threads
        return threads

    def _work(self) -> Work | None:
        """Take the last look into account; the sampler has ended."""
        threads, begin, end = self._threads, self._begin, self._end
        self._threads = None
        if threads is None or self._last is None or begin is None or end is None:
            self._missing(_OWNERS, "the last look was interrupted")
            return None
        # The callers' own clocks were read at the very ends of the stretch.
        threads.restart(begin.tid, begin.thread_ns)
        threads.note({**self._last, end.tid: end.thread_ns}, last=True)
        work = threads.end()
        self._idle.append(threads)
        if work.why is not None:
            self._missing(_OWNERS, work.why)
            return None
        return work

    def _named(self, work: Work) -> tuple[_Peaks, _Worked]:
        paths = work.paths
        names = self._filed("names of owners", lambda: self._labels(paths) if self._labels else {})
        return work.named(names or {})

    def _throttling(self) -> dict[str, Throttling]:
        read = self._filed("throttling", lambda: probe_throttling(self._machine, self._budget))
        return {each.group: each for each in read or ()}

    def _filed(self, what: str, read: Callable[[], _Value]) -> _Value | None:
        """Read something; its failure is a gap, once."""
        return filed_once(what, self._gaps, read)

    def _missing(self, what: str, why: str) -> None:
        self._gaps.setdefault(what, Gap(what=what, why=why))


def labels_of(observer: Observer, paths: Collection[str]) -> dict[str, str]:
    """Give names for files by their paths: ``"OpenBLAS (numpy)"``, as snapshots have them.

    Raises
    ------
    OSError
        When the process's map cannot be read.
    """
    images = observer.scan().images
    names = {image.kernel_path or image.mapped.path: image.title for image in images}
    for path, owner in observer.owners.of(set(paths) - names.keys()).items():
        if owner.name is not None:
            names[path] = f"{os.path.basename(path)} ({owner.name})"
    return names


_IDLE: WeakKeyDictionary[Observer, list[ThreadCpu]] = WeakKeyDictionary()
"""By observer, what no running meter uses."""
