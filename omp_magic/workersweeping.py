"""Workers of the process that runs, as cases of a sweep."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from .facts.sweeps import Sweep
from .guard.unsendable import unsendable
from .here import HERE
from .probes.cpus.budget import probe_budget
from .probes.importable import probe_importable
from .probes.memory import probe_memory
from .probes.threads.children import probe_start_method
from .rules.judgement import fork_hazards
from .sweeps.kinds import LOKY, Session, asked_kinds, usable_kinds
from .sweeps.measuring import run_cases
from .sweeps.ownpools import OwnPoolCase
from .sweeps.points import ideal_cpus, points_for
from .sweeps.reads import Watched, data_of
from .sweeps.requests import WorkerRequest, grid_of
from .sweeps.workercases import HereCase, Ways, WorkerCase, one_by_one
from .sweeps.workerresult import worker_sweep_of


def own_pools_swept(  # noqa: PLR0913 - what can be swept
    call: Callable[[int], object],
    workers: Sequence[int],
    threads: Sequence[int] | None,
    *,
    repeats: int | None,
    pool: str,
    watched: Watched,
    progress: bool | None,
    bind: Callable[[int], AbstractContextManager[object]] = lambda _: nullcontext(),
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
    after_first: Callable[[], None] = lambda: None,
) -> Sweep:
    """Make a sweep of code that makes its own pool of a number of workers.

    Parameters
    ----------
    call
        Is given the number.
    workers, threads
        As in `sweep`, checked.
    repeats, pool, watched, progress, around, after_first
        As in `swept`.
    bind
        Gives what is entered around a run, by its number of workers.
    """
    budget = probe_budget(HERE.observer.machine.once())
    cpus = ideal_cpus(budget.affinity_cpus, budget.quota_cpus)
    cases = [
        OwnPoolCase(number, each, pool, call, HERE.limiter, cpus, bind, around)
        for number, each in grid_of(workers, threads, budget.threads)
    ]
    ran = run_cases(HERE.observer.machine, cases, budget, watched, repeats, progress, after_first)
    return worker_sweep_of(ran.course, cases, budget, notes=ran.notes, gaps=ran.gaps)


def workers_swept(
    asked: WorkerRequest,
    limits: Callable[[str], Callable[[], object]],
    *,
    repeats: int | None,
    pool: str,
    progress: bool | None,
) -> Sweep:
    """Make a sweep of numbers of workers.

    Parameters
    ----------
    asked
        What was asked for.
    limits
        As in `Ways`: `worker_limits`.
    repeats, pool, progress
        As in `sweep`, checked.
    """
    fn, items = asked.fn, asked.items
    budget = probe_budget(HERE.observer.machine.once())
    workers = asked.workers or points_for(budget.threads, None)
    if items is None:
        return own_pools_swept(
            lambda number: fn(workers=number),
            workers,
            asked.threads,
            repeats=repeats,
            pool=pool,
            watched=Watched(data_of(fn)),
            progress=progress,
        )
    ways = ways_here(ideal_cpus(budget.affinity_cpus, budget.quota_cpus), limits)
    kinds, left_out = usable_kinds(asked_kinds(asked.kinds, ways.session), fn, items, ways.session)
    cases: list[HereCase | WorkerCase] = [
        HereCase(budget.threads, pool, lambda: one_by_one(fn, items), HERE.limiter)
    ]
    named = len(kinds) > 1
    for number, each in grid_of(workers, asked.threads, budget.threads):
        some = [kind for kind in kinds if number > 1 or kind != LOKY]
        cases += [WorkerCase(kind, number, each, pool, fn, items, ways, named) for kind in some]
    if LOKY in kinds and 1 in workers:
        left_out = (*left_out, ("1 loky worker", "joblib runs one job in this process itself"))
    watched = Watched(data_of(getattr(fn, "fn", fn)) | {"items": items})
    ran = run_cases(HERE.observer.machine, cases, budget, watched, repeats, progress)
    return worker_sweep_of(
        ran.course,
        cases,
        budget,
        items=len(items),
        left_out=left_out,
        free_bytes=ways.free_bytes(),
        notes=ran.notes,
        gaps=ran.gaps,
    )


def ways_here(cpus: float, limits: Callable[[str], Callable[[], object]]) -> Ways:
    """Give the ways of this process.

    Parameters
    ----------
    cpus
        CPUs that threads can get.
    limits
        As in `Ways`.
    """
    machine = HERE.observer.machine
    session = Session(
        method=probe_start_method() or multiprocessing.get_all_start_methods()[0],
        joblib=bool(probe_importable(("joblib",))),
        stranded=unsendable,
    )
    return Ways(
        machine=machine,
        limiter=HERE.limiter,
        limits=limits,
        hazards=_hazards,
        free_bytes=lambda: probe_memory(machine).free_bytes,
        session=session,
        cpus=cpus,
    )


def _hazards() -> tuple[str, ...]:
    """Give in words what a fork would do to the pools that have started here."""
    snapshot = HERE.observer.take(limits=HERE.limits, altered=HERE.altered)
    return tuple(each.title for each in fork_hazards(snapshot))
