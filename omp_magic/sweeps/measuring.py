"""Cases -> their runs, and what is to be told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..facts.cpus import Budget
from ..facts.libraries import Gap
from ..machine import Machine
from .bars import bar
from .meters import RunMeter
from .port import Case
from .reads import Watched
from .result import ground_of
from .running import Course, Runner


@dataclass(frozen=True, slots=True)
class Ran:
    """The runs, and what is to be told of them."""

    course: Course
    notes: tuple[str, ...]
    gaps: tuple[Gap, ...]


def run_cases(  # noqa: PLR0913, PLR0917 - what a sweep is
    machine: Machine,
    cases: Sequence[Case],
    budget: Budget,
    watched: Watched,
    repeats: int | None,
    progress: bool | None,
    after_first: Callable[[], None] = lambda: None,
) -> Ran:
    """Run cases, with a bar.

    Parameters
    ----------
    machine, budget
        What they run on.
    cases
        What is compared.
    watched
        The data that the code reads.
    repeats, progress
        As in `sweep`.
    after_first
        Called after the first run of all.
    """
    meter = RunMeter(machine, budget)
    changed: list[str] = []

    def look() -> None:
        changed.extend(watched.changed())
        after_first()

    with bar(progress) as told:
        ground = ground_of(budget)
        runner = Runner(cases, meter, ground, repeats=repeats, told=told, after_first=look)
        course = runner.run()
    notes = (f"the code changes what it reads: {', '.join(changed)}: each run does other work",)
    return Ran(course, notes if changed else (), meter.gaps)
