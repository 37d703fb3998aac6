"""Facts of a process -> its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..facts.libraries import Finding, Gap
from ..facts.plans import Plan, WorkerMemory
from ..facts.snapshots import Snapshot
from ..knowledge.inherited import for_children
from ..knowledge.startmethods import FORK, default_method
from ..rules.judgement import fork_hazards
from .division import division_of, divisions_of, threads_of_each, with_division
from .recipes import Surroundings, recipes_for

_MATTERS = frozenset({"budget", "libraries", "owners of threads", "child processes"})
"""What a plan is made of, by `Gap.what`."""
_NO_PACKAGES: Mapping[str, bool] = {}


def make_plan(
    snapshot: Snapshot,
    memory: WorkerMemory,
    *,
    workers: int | None = None,
    packages: Mapping[str, bool] = _NO_PACKAGES,
    gaps: Iterable[Gap] = (),
) -> Plan:
    """Divide the CPUs between workers and their pools.

    Parameters
    ----------
    snapshot
        The process whose children the workers are to be.
    memory
        What a worker needs, and how many fit.
    workers
        How many; None for as many as CPUs allowed, with a thread each, as far as they fit.
    packages
        Those of `recipes.PACKAGES` that are installed, with whether they are imported there.
    gaps
        What could not be read besides.
    """
    budget = snapshot.budget
    number = workers or proposed(budget.threads, memory.fits)
    threads = threads_of_each(budget.threads, number)
    method = snapshot.start_method or default_method(snapshot.system, snapshot.python)
    hazards: tuple[Finding, ...] = ()
    if method == FORK:
        hazards = fork_hazards(snapshot)
    settings = for_children(threads)
    fits = number if memory.fits is None else min(number, memory.fits)
    around = Surroundings(
        workers=fits,
        threads=threads,
        settings=settings,
        method=method,
        notebook=snapshot.notebook,
        unforkable=bool(hazards),
        packages=packages,
    )
    return Plan(
        workers=number,
        threads=threads,
        asked=workers is not None,
        budget=budget,
        divisions=with_division(divisions_of(budget), division_of(budget, number)),
        memory=memory,
        settings=settings,
        recipes=recipes_for(around) if fits else (),
        start_method=method,
        notebook=snapshot.notebook,
        hazards=hazards,
        gaps=(*(each for each in snapshot.gaps if each.what in _MATTERS), *budget.gaps, *gaps),
    )


def proposed(budget_threads: int, fits: int | None) -> int:
    """Give a number of workers: as many as CPUs, as far as they fit into the memory; at least 1.

    Examples
    --------
    >>> proposed(8, None), proposed(8, 3), proposed(8, 0)
    (8, 3, 1)
    """
    return max(1, budget_threads if fits is None else min(budget_threads, fits))
