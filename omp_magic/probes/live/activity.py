"""What each thread did since the look before: who started it, what it used, how long it waited."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.ticks import OwnerTick
from ...formats.procfs import Segments, parse_schedstat, parse_stat
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.port.rows import WAITING
from ..cost.threadcpu import UNKNOWN
from ..threads.stacks import PYTHON, ThreadOwners

BUSY_SHARE = 0.1
MOST_ASKED = 512
"""Threads whose waiting is read at one look: 10 us each."""


@dataclass(slots=True)
class _Seen:
    """One thread at the look before; `wait_ns` is None when it was not read then."""

    ns: int
    wait_ns: int | None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """All threads between two looks.

    Parameters
    ----------
    num_threads
        Those there are, without those left out.
    owners
        Them by owner; None when owners are not known.
    waiting
        Waiting / (waiting + CPU time); None when unknown.
    """

    num_threads: int
    owners: tuple[OwnerTick, ...] | None
    waiting: float | None


class ThreadActivity:
    """Follows the threads of the running process from look to look.

    Make it on the main thread; `look` calls no function of the loader.

    Parameters
    ----------
    machine
        The machine to read; only a running process has clocks of threads.
    native
        Calls into this process; None where there are none.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._owners = ThreadOwners(machine, native)
        self._why = ""
        try:
            self._owners.settle()
        except OSError as error:
            self._why = error.strerror or str(error)
        self._no_waiting = machine.system.lacks(WAITING)
        self._seen: dict[int, _Seen] = {}
        self._told = 0

    def begin(self, clocks: Mapping[int, int]) -> None:
        """Take the threads there are, as `System.clocks` gives them, as base of the first look."""
        self._seen = {}
        for tid, ns in clocks.items():
            # The counter of a thread that never ran is 0 (sched_info in kernel/sched/stats.h).
            self._seen[tid] = _Seen(ns, self._waited(tid) if ns else 0)

    def look(
        self,
        interval_s: float,
        clocks: Mapping[int, int],
        segments: Segments | None,
        gaps: list[Gap],
    ) -> Activity:
        """Give what happened since `begin` or the look before.

        Parameters
        ----------
        interval_s
            Seconds since then; 0.0 when that is not known, and then nothing is a rate.
        clocks
            The threads and their CPU time in ns, as `System.clocks` gives them, without those
            that are not to be seen: omp_magic's own.
        segments
            Files of the process's memory; None when they cannot be read.
        gaps
            Receives what is missing.
        """
        paths = self._paths(clocks, segments, gaps)
        before, self._seen, self._told = self._seen, {}, 0
        rows: dict[str, list[float]] = {}
        enough_ns, ran_ns, waited_ns, asked = BUSY_SHARE * interval_s * 1e9, 0, 0, 0
        for tid, ns in clocks.items():
            seen = before.get(tid)
            if seen is None or ns < seen.ns:
                # A clock never goes back: this thread is a new one, and began with 0.
                seen = _Seen(0, 0)
            used, waited = ns - seen.ns, 0
            if used:
                # Waiting is added up when a thread gets its CPU (sched_info_arrive in
                # kernel/sched/stats.h), so one that did not run has nothing new to tell.
                asked += 1
                wait_ns = self._waited(tid) if asked <= MOST_ASKED else None
                if wait_ns is not None and seen.wait_ns is not None:
                    waited = max(0, wait_ns - seen.wait_ns)
                    ran_ns, waited_ns = ran_ns + used, waited_ns + waited
                busy = used + waited >= enough_ns
            else:
                wait_ns = seen.wait_ns
                # It may have waited for the whole of the interval: a group that is throttled
                # gives many threads their turn once in seconds.
                busy = seen.busy and self._runnable(tid)
            self._seen[tid] = _Seen(ns, wait_ns, busy)
            row = rows.setdefault(paths.get(tid) or UNKNOWN, [0, 0, 0.0])
            row[0] += 1
            row[1] += busy and interval_s > 0
            row[2] += used
        if asked > MOST_ASKED:
            why = f"only the first {MOST_ASKED} of {asked} threads that ran are asked"
            gaps.append(Gap(what=WAITING, why=why))
        # Without the accounting every file holds zeros (proc_pid_schedstat in fs/proc/base.c).
        known = (bool(self._told) or not asked) and not self._no_waiting
        if not known:
            why = self._no_waiting or (
                "the kernel does not account for it (CONFIG_SCHED_INFO), or the threads ended"
            )
            gaps.append(Gap(what=WAITING, why=why))
        both = ran_ns + waited_ns
        return Activity(
            num_threads=len(clocks),
            owners=None if self._why else _sorted(rows, interval_s),
            waiting=(waited_ns / both if both else 0.0) if known and interval_s > 0 else None,
        )

    def _paths(
        self, tids: Collection[int], segments: Segments | None, gaps: list[Gap]
    ) -> dict[int, str]:
        """Give the owner's file, or `PYTHON`, of each thread where it is known."""
        if segments is None:
            self._why = "the files that are mapped cannot be read"
            found = {}
        else:
            found = self._owners.of(tids, segments)
            self._why = self._owners.why or ""
        if self._why:
            gaps.append(Gap(what="owners of threads", why=self._why))
        return {tid: owner.path or PYTHON for tid, owner in found.items() if owner is not None}

    def _waited(self, tid: int) -> int | None:
        """Read how long a thread has waited in all, in ns; None when that is not told."""
        if self._no_waiting:
            return None
        try:
            times = parse_schedstat(self._machine.read(f"/proc/self/task/{tid}/schedstat"))
        except (OSError, ParseError):
            return None  # It ended meanwhile, or the kernel has no such file.
        self._told += any(times)
        return times[1]

    def _runnable(self, tid: int) -> bool:
        if self._no_waiting:
            return False
        try:
            return parse_stat(self._machine.read(f"/proc/self/task/{tid}/stat")).state == "R"
        except (OSError, ParseError):
            return False


def _sorted(rows: dict[str, list[float]], interval_s: float) -> tuple[OwnerTick, ...]:
    ticks = (
        OwnerTick(
            path=path,
            alive=int(alive),
            busy=int(busy),
            cpus=used / 1e9 / interval_s if interval_s > 0 else 0.0,
        )
        for path, (alive, busy, used) in rows.items()
    )
    # Not by what they use: rows that change places at each tick cannot be read.
    return tuple(sorted(ticks, key=lambda tick: (-tick.alive, tick.path)))
