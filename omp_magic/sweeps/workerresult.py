"""What came of the runs of workers -> a `Sweep`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..facts.cpus import Budget
from ..facts.libraries import Gap
from ..facts.memory import bytes_words
from ..facts.sweeps import Run, Sweep
from .answer import best_of
from .measured import Measured
from .ownpools import OwnPoolCase
from .result import sweep_with, told_of
from .running import Course
from .workeranswer import memory_words, worker_verdict
from .workercases import HereCase, WorkerCase

AnyCase = HereCase | WorkerCase | OwnPoolCase


def worker_sweep_of(  # noqa: PLR0913 - what is told
    course: Course,
    cases: Sequence[AnyCase],
    budget: Budget,
    *,
    items: int = 0,
    left_out: Iterable[tuple[str, str]] = (),
    free_bytes: int | None = None,
    notes: Sequence[str] = (),
    gaps: tuple[Gap, ...] = (),
) -> Sweep:
    """Make the answer of the runs of workers.

    Parameters
    ----------
    course
        The runs, at least one.
    cases
        What was run: the base line, then by workers and threads.
    budget
        The CPUs allowed.
    items
        How many there are; 0 where the code has them itself.
    left_out
        Kinds that were not run, with the reason.
    free_bytes
        The memory that is free without workers; None when not known.
    notes
        What is known of the code besides, told before all else.
    gaps
        What could not be read.
    """
    measured = [_measured(cases[place], runs) for place, runs in sorted(course.runs.items())]
    best = best_of(measured)
    chosen, told = measured[best], tuple(notes)
    need_bytes = None if chosen.worker_bytes is None else chosen.workers * chosen.worker_bytes
    memory = memory_words(
        need_bytes, free_bytes, (bytes_words(round(need_bytes or 0)), bytes_words(free_bytes or 0))
    )
    too_large = next((why for _, why in course.left_out if " would need " in why), "")
    verdict = (worker_verdict(measured, best), memory, too_large)
    return replace(
        sweep_with(course, measured, budget, verdict, [*told, *([memory] if memory else [])]),
        best=chosen.threads,
        best_workers=chosen.workers,
        best_kind=chosen.kind,
        items=items,
        pool=cases[0].pool,
        notes=(*told, *course.interruption, *told_of(course, measured, best, budget)),
        left_out=(*left_out, *course.left_out),
        gaps=gaps,
    )


def _measured(case: AnyCase, runs: Sequence[Run]) -> Measured:
    if isinstance(case, HereCase):
        return Measured(threads=case.threads, runs=runs, name=case.label)
    return Measured(
        threads=case.threads,
        runs=runs,
        workers=case.workers,
        kind=case.kind,
        startup_s=case.startup_s,
        sending_s=case.sending_s,
        worker_bytes=case.worker_bytes,
        name=case.label,
    )
