"""The clocks and counters at the two ends of one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ..facts.cpus import Budget
from ..facts.libraries import Gap
from ..facts.sweeps import Run
from ..machine import Machine
from ..machine.port.rows import CHILDREN, WAITING
from ..machine.python.own import children_cpu_s
from ..probes.cpus.load import Sample, load_between, thread_waits
from ..probes.cpus.throttling import probe_throttling
from ..probes.filing import filed_once

_Value = TypeVar("_Value")
_SETTLED_CPUS = 0.3
_LOOK_S = 0.01
_LONGEST_S = 0.35
"""Intel's and LLVM's threads spin for 200 ms after a parallel region (KMP_BLOCKTIME)."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """The counters at one end."""

    sample: Sample
    machine_cpu_s: float | None
    family_cpu_s: float | None


class RunMeter:
    """Measures one run after the other.

    Parameters
    ----------
    machine
        The machine to read.
    budget
        The CPUs allowed: which groups may be throttled.
    """

    def __init__(self, machine: Machine, budget: Budget) -> None:
        self._machine = machine
        self._budget = budget
        self._gaps: dict[str, Gap] = {}
        self._relatives = machine.system.relatives()
        self._number = 0

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read so far."""
        return tuple(self._gaps.values())

    def run(
        self,
        call: Callable[[], object],
        calls: int,
        lead: int = 0,
        before: Callable[[], object] | None = None,
    ) -> Run:
        """Call something, and give what that cost; its errors pass through.

        Parameters
        ----------
        call
            What is called.
        calls
            How often it is called and timed.
        lead
            How often it is called right before that.
        before
            Called before each call, and not timed.
        """
        for _ in range(lead):
            if before is not None:
                before()
            call()
        self._filed("peak memory", self._machine.system.reset_peak_rss)
        ends, begin_s = self._ends(), time.perf_counter()
        wall_s, cpu_s = _timed(call, calls) if before is None else _timed_apart(call, calls, before)
        setup_s = 0.0 if before is None else time.perf_counter() - begin_s - wall_s
        after = self._ends()
        cpu_s += _difference(ends.family_cpu_s, after.family_cpu_s) or 0.0
        peak = None
        if "peak memory" not in self._gaps:
            peak = self._filed("peak memory", self._machine.system.peak_rss_bytes)
        self._number += 1
        load = load_between(ends.sample, after.sample, None)
        return Run(
            number=self._number,
            wall_s=wall_s / calls,
            cpu_s=cpu_s / calls,
            calls=calls,
            setup_s=setup_s / calls,
            throttled_s=load.throttled_s,
            waited_share=load.starved_share,
            others_cpus=_others(ends, after),
            peak_rss_bytes=peak,
        )

    def settle(self) -> None:
        """Wait until threads that spin after the run before have gone to sleep."""
        until_s = time.perf_counter() + _LONGEST_S
        while time.perf_counter() < until_s:
            begin_s, cpu_s = time.perf_counter(), time.process_time()
            time.sleep(_LOOK_S)
            used = (time.process_time() - cpu_s) / max(_LOOK_S, time.perf_counter() - begin_s)
            if used < _SETTLED_CPUS:
                return

    def _ends(self) -> _Ends:
        machine, system = self._machine, self._machine.system
        throttling = self._filed("throttling", lambda: probe_throttling(machine, self._budget))
        waits: dict[str, tuple[int, int]] = {}
        lacking = system.lacks(WAITING)
        if lacking:
            self._gaps.setdefault(WAITING, Gap(what=WAITING, why=lacking))
        else:
            waits = self._filed(WAITING, lambda: thread_waits(machine)) or {}
        of_machine = self._filed("CPU time of other processes", system.machine_cpu_s)
        sample = Sample(machine.clock(), time.process_time(), None, throttling or (), waits)
        return _Ends(sample, of_machine, self._filed(CHILDREN, self._children_cpu_s))

    def _children_cpu_s(self) -> float:
        """Give the CPU time of living descendants, and of those that were waited for."""
        total = children_cpu_s() or 0.0
        if self._machine.system.has_child():
            for pid in self._relatives.pids():
                found = self._relatives.one(pid)
                total += (found[1] or 0.0) if found is not None else 0.0
        return total

    def _filed(self, what: str, read: Callable[[], _Value]) -> _Value | None:
        """Read something; its failure is a gap, once."""
        return filed_once(what, self._gaps, read)


def _timed(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Give the wall and CPU time of all calls together."""
    cpu_s, begin_s = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    wall_s = time.perf_counter() - begin_s
    return wall_s, max(0.0, time.process_time() - cpu_s)


def _timed_apart(
    call: Callable[[], object], calls: int, before: Callable[[], object]
) -> tuple[float, float]:
    """Give the same where something is set up before each call."""
    wall_s = cpu_s = 0.0
    for _ in range(calls):
        before()
        each = _timed(call, 1)
        wall_s, cpu_s = wall_s + each[0], cpu_s + each[1]
    return wall_s, cpu_s


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _others(before: _Ends, after: _Ends) -> float | None:
    """Give the CPUs that neither this process nor its descendants used."""
    interval_s = after.sample.at_s - before.sample.at_s
    machine_s = _difference(before.machine_cpu_s, after.machine_cpu_s)
    children_s = _difference(before.family_cpu_s, after.family_cpu_s)
    own_s = _difference(before.sample.cpu_s, after.sample.cpu_s)
    if interval_s <= 0 or machine_s is None or children_s is None or own_s is None:
        return None
    # A clock of 10 ms and one of nanoseconds: less than nothing is nothing.
    return max(0.0, machine_s - own_s - children_s) / interval_s
