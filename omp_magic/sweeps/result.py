"""What came of the runs -> a `Sweep`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from ..facts.cpus import Budget, cpus_words
from ..facts.libraries import Gap
from ..facts.sweeps import Sweep
from .answer import best_of, doubt_of, fits_to, notes_of, points_of, verdict_of
from .cases import counted_threads
from .disturbed import Ground, usual_others
from .measured import Measured
from .points import ideal_cpus
from .running import Course

_STOPPED_SHARE, _LEAST_S = 0.05, 0.5


class OfThreads(Protocol):
    """A case that differs from others by its number of threads."""

    @property
    def threads(self) -> int:
        """Threads of each pool."""

    @property
    def pool(self) -> str:
        """Which pools; "" for all."""


def ground_of(budget: Budget) -> Ground:
    """Give what runs run on."""
    return Ground(
        cpus=ideal_cpus(budget.affinity_cpus, budget.quota_cpus),
        machine_cpus=budget.machine_cpus,
        quota_cpus=budget.quota_cpus,
        is_rationed=budget.quota_cpus is not None and budget.quota_cpus < budget.affinity_cpus,
    )


def sweep_of(  # noqa: PLR0913 - what is told
    course: Course,
    cases: Sequence[OfThreads],
    budget: Budget,
    *,
    notes: Iterable[str] = (),
    unmet: Iterable[str] = (),
    gaps: tuple[Gap, ...] = (),
) -> Sweep:
    """Make the answer of the runs of thread counts.

    Parameters
    ----------
    course
        The runs, at least one.
    cases
        What was run, in the order of the course.
    budget
        The CPUs allowed.
    notes
        What is known of the code besides, told before all else.
    unmet
        What the limits could not do.
    gaps
        What could not be read.
    """
    measured = [
        Measured(threads=cases[place].threads, runs=runs)
        for place, runs in sorted(course.runs.items())
    ]
    best = best_of(measured)
    ground = ground_of(budget)
    told = list(notes)
    seen = (*dict.fromkeys(unmet), *told_of(course, measured, best, budget))
    return replace(
        sweep_with(course, measured, budget, (verdict_of(measured, best),), told),
        best=measured[best].threads,
        pool=cases[0].pool,
        fits=fits_to(measured, ground.cpus),
        notes=(*told, *course.interruption, *seen, *_throttled(measured, ground)),
        left_out=tuple(course.left_out),
        gaps=gaps,
    )


def told_of(
    course: Course, measured: Sequence[Measured], best: int, budget: Budget
) -> tuple[str, ...]:
    """Give what is to be known of the runs, whatever differs between the cases."""
    return tuple(notes_of(measured, best, ground_of(budget), usual_others(course.runs)))


def sweep_with(
    course: Course,
    measured: Sequence[Measured],
    budget: Budget,
    verdict: Iterable[str],
    warnings: Sequence[str],
) -> Sweep:
    """Give the part of an answer that does not depend on what differs between the cases.

    Parameters
    ----------
    course, measured, budget
        The runs, the same by case, and the CPUs allowed.
    verdict
        The parts of the sentence; that it is not reliable is added, and empty ones are left out.
    warnings
        What makes the answer one to be careful with.
    """
    doubt = doubt_of(measured)
    return Sweep(
        points=points_of(measured),
        best=1,
        verdict="; ".join(filter(None, (*verdict, doubt))),
        tone="warning" if warnings or course.interrupted or doubt else "fine",
        reliable=not doubt,
        allowed_cpus=budget.cpus,
        affinity_cpus=budget.affinity_cpus,
        planned_runs=course.planned,
        interrupted=course.interrupted,
    )


def _throttled(measured: Sequence[Measured], ground: Ground) -> list[str]:
    """Tell which numbers of threads use up the quota, so that the kernel stops them."""
    found = []
    for each in measured:
        whole_s = sum(run.wall_s * run.calls for run in each.runs)
        stopped_s = sum(run.throttled_s or 0.0 for run in each.runs if not run.disturbed)
        if ground.quota_cpus is not None and each.threads > ground.quota_cpus and stopped_s > 0:
            share = min(1.0, stopped_s / whole_s / each.threads)
            if share >= _STOPPED_SHARE and whole_s >= _LEAST_S:
                was = "was" if each.threads == 1 else "were"
                number = counted_threads(each.threads)
                found.append(f"{number} {was} stopped {share:.0%} of the time")
    if not found or ground.quota_cpus is None:
        return []
    return [f"{', '.join(found)}: more than the quota of {cpus_words(ground.quota_cpus)}"]
