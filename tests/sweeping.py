"""A sweep without a machine: a clock that only the code under test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from facts_for_tests import budget

from omp_magic.facts.cpus import Budget
from omp_magic.facts.sweeps import Run, Sweep
from omp_magic.sweeps.cases import counted_threads
from omp_magic.sweeps.result import ground_of, sweep_of
from omp_magic.sweeps.running import Runner


def on_machine(cpus: int, quota: float | None = None) -> Budget:
    """A machine that the process has for itself."""
    return replace(budget(cpus, quota), machine_cpus=cpus)


Times = Callable[[int, int], float]
"""Seconds of a call by (threads, how many calls there were before)."""


@dataclass
class Clock:
    """What time it is, and how often the code was called."""

    now_s: float = 0.0
    called: list[int] = field(default_factory=list)


@dataclass
class FakeCase:
    """A number of threads whose call moves the clock."""

    threads: int
    times: Times
    clock: Clock
    pool: str = ""
    before: Callable[[], object] | None = None
    entered: int = 0

    @property
    def at_once(self) -> int:
        return self.threads

    @property
    def label(self) -> str:
        return counted_threads(self.threads)

    def is_more_than(self, other: Any) -> bool:
        return self.threads > int(other.threads)

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        self.entered += 1
        try:
            yield self._call
        finally:
            self.entered -= 1

    def _call(self) -> None:
        self.clock.now_s += self.times(self.threads, len(self.clock.called))
        self.clock.called.append(self.threads)


@dataclass
class FakeMeter:
    """Reads that clock; what others did in a run is told by its number."""

    clock: Clock
    others: Callable[[int], float] = lambda _: 0.0
    waited: Callable[[int], float] = lambda _: 0.0
    busy: Callable[[int], float] = float
    number: int = 0

    def settle(self) -> None:
        pass

    def run(
        self,
        call: Callable[[], object],
        calls: int,
        lead: int,
        before: Callable[[], object] | None,
    ) -> Run:
        for _ in range(lead):
            call()
        begin_s = self.clock.now_s
        for _ in range(calls):
            if before is not None:
                before()
            call()
        self.number += 1
        wall_s = (self.clock.now_s - begin_s) / calls
        return Run(
            number=self.number,
            wall_s=wall_s,
            cpu_s=wall_s * self.busy(self.clock.called[-1]),
            calls=calls,
            others_cpus=self.others(self.number),
            waited_share=self.waited(self.number),
        )


def swept(
    times: Times,
    threads: Sequence[int] = (1, 2, 4),
    *,
    cpus: int = 16,
    quota: float | None = None,
    repeats: int | None = None,
    meter: Callable[[Clock], FakeMeter] = FakeMeter,
) -> Sweep:
    """Make a sweep of code that takes `times`."""
    clock = Clock()
    cases = [FakeCase(each, times, clock) for each in threads]
    allowed = on_machine(cpus, quota)
    runner = Runner(cases, meter(clock), ground_of(allowed), repeats=repeats)
    course = runner.run()
    assert not any(case.entered for case in cases)
    return sweep_of(course, cases, allowed)


def usl(contention: float, crosstalk: float, one_s: float = 1.0) -> Times:
    """Give the times of the Universal Scalability Law."""

    def seconds(n: int, _: int) -> float:
        return one_s * (1 + contention * (n - 1) + crosstalk * n * (n - 1)) / n

    return seconds
