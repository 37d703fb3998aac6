"""`omp_magic.sweep`: a function with one number of threads after another, and which is best."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from operator import index
from typing import Any, SupportsIndex

from .eachworker import worker_limits
from .errors import LimitError, RequestError, nearest
from .facts.sweeps import Sweep
from .here import HERE
from .limits.held import surely
from .limits.spec import NAMES, parse_limit
from .probes.cpus.budget import probe_budget
from .sweeps.cases import ThreadCase, spec_text
from .sweeps.kinds import EXAMPLE as WORKERS_EXAMPLE
from .sweeps.measuring import run_cases
from .sweeps.points import points_for
from .sweeps.reads import Watched, data_of
from .sweeps.requests import EXAMPLE, WorkerRequest, checked_function, listed_points
from .sweeps.result import sweep_of
from .views.renderers import sweep_actions
from .views.sweep_workers import pool_code
from .workersweeping import workers_swept

_MOST_REPEATS = 1000


def sweep(  # noqa: PLR0913 - what can be swept
    fn: Callable[..., object],
    threads: Iterable[SupportsIndex] | None = None,
    *,
    items: Iterable[Any] | None = None,
    workers: Iterable[SupportsIndex] | None = None,
    kinds: str | Iterable[str] | None = None,
    repeats: int | None = None,
    pool: str = "",
    setup: Callable[[], object] | None = None,
    progress: bool | None = None,
) -> Sweep:
    """Run a function with 1, 2, 4 … threads, or workers, and say how many are best.

    Each number is run once to warm up. Then all are run in rounds of random order, so that what
    the machine does meanwhile meets each of them; runs that something else disturbed are told and
    repeated. A run calls the function as often as makes 0.1 s. After each run every pool has the
    count that it had before.

    With `items` a run is ``fn(item)`` for each of them: in this process, one after the other, and
    by pools of workers as they are. Each run has a pool of its own, which is open, and whose
    workers have each called `fn` once, before the clock begins. Whatever happens, the pools end.

    Parameters
    ----------
    fn
        What is run; it takes no argument, or an item. With `workers` but without items, one that
        has a parameter ``workers`` makes its own pool, and any other is called by the workers as
        often as gives each of them the same.
    threads
        Numbers of threads; when None 1, 2, 3, 4, 6, 8 … up to the CPUs that the process may be
        scheduled on, and the quota rounded down and up. A number that takes twice the best ends
        the climb. Of each worker, where there are workers: when None its share of the CPUs
        allowed, as in `plan`; otherwise each number of workers is run with each of threads.
    items
        What `fn` is called with.
    workers
        Numbers of workers; when None 1, 2, 4 … up to the CPUs allowed.
    kinds
        ``"fork"``, ``"forkserver"``, ``"spawn"``: a ProcessPoolExecutor started by it;
        ``"pool"``: a multiprocessing.Pool, by the session's start method, or ``"pool-spawn"`` …;
        ``"loky"``: joblib's; ``"threads"``: a ThreadPoolExecutor; a list of them, or ``"all"``.
        When None loky; where joblib is not installed, an executor by the session's start method.
        What would hang, or could not get `fn`, is left out and told.
    repeats
        Measured runs of each number; when None 5, or 3 where they take more than 20 s.
    pool
        Only these pools: ``"blas"``, ``"openmp"``, a family, a package; all when "".
    setup
        Called before each run, not timed; then a run calls `fn` once. Not with workers.
    progress
        Whether a bar is shown; when None in a notebook and in a terminal.

    Returns
    -------
    Sweep
        Its `best` is the smallest number within 5 % of the fastest, or within its noise; with
        workers, `best_workers` are the fewest, and `best` the threads of each.
        `to_frame` has every point, `plot` draws them, `apply` limits the session. After Ctrl-C it
        has what was measured until then.

    Raises
    ------
    RequestError
        When an argument is none of these; nothing was run.
    LimitError
        When the pools cannot be limited.
    Exception
        What `fn` raises, from a worker as its pool gives it; what a pool raises whose worker was
        killed.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.sweep(lambda: sum(range(1000)), threads=[1], repeats=1, progress=False).best
    1
    """
    checked_function(fn)
    if setup is not None and not callable(setup):
        raise RequestError(repr(setup), "a function without arguments as setup", EXAMPLE)
    repeats, pool = checked_repeats(repeats), checked_pool(pool)
    if items is not None or workers is not None or kinds is not None:
        if setup is not None:
            raise RequestError("setup and workers", "one of them", WORKERS_EXAMPLE)
        asked = WorkerRequest.checked(fn, items, workers, kinds, threads)
        return workers_swept(asked, worker_limits, repeats=repeats, pool=pool, progress=progress)
    if setup is not None:
        setup()  # what it makes is what the function reads
    return swept(
        fn,
        threads,
        repeats=repeats,
        pool=pool,
        setup=setup,
        watched=Watched(data_of(fn), partial(data_of, fn), setup),
        progress=progress,
    )


def swept(  # noqa: PLR0913 - as above
    call: Callable[[], object],
    threads: Iterable[SupportsIndex] | None,
    *,
    repeats: int | None,
    pool: str,
    setup: Callable[[], object] | None,
    watched: Watched,
    progress: bool | None,
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
    after_first: Callable[[], None] = lambda: None,
) -> Sweep:
    """Make a sweep of what was checked already.

    Parameters
    ----------
    call, threads, repeats, pool, setup, progress
        As in `sweep`.
    watched
        The data that `call` reads.
    around
        Gives what is entered around each run.
    after_first
        Called after the first run of all.
    """
    budget = probe_budget(HERE.observer.machine.once())
    numbers = (
        points_for(budget.affinity_cpus, budget.quota_cpus)
        if threads is None
        else listed_points(threads)
    )
    cases = [ThreadCase(each, pool, call, HERE.limiter, setup, around) for each in numbers]
    machine = HERE.observer.machine
    ran = run_cases(machine, cases, budget, watched, repeats, progress, after_first)
    unmet = [line for case in cases for line in case.unmet]
    notes = (*_unreached(pool), *ran.notes)
    return sweep_of(ran.course, cases, budget, notes=notes, unmet=unmet, gaps=ran.gaps)


def _unreached(pool: str) -> tuple[str, ...]:
    """Say so where the limits had nothing to limit; asked when the code has loaded what it uses."""
    held = HERE.limiter.enter(parse_limit(spec_text(1, pool)), env=False)
    try:
        reached = bool(held.amounts)
    finally:
        surely(held.leave)
    which = f"no pool of {pool}" if pool else "no pool"
    return () if reached else (f"{which} is loaded here: the limits reached nothing",)


def checked_repeats(repeats: object, example: str = "omp_magic.sweep(fn, repeats=7)") -> int | None:
    """Give the number of runs that somebody asked for; `example` is in the refusal.

    Raises
    ------
    RequestError
        When it is no whole number from 1 to 1000.
    """
    if repeats is None:
        return None
    accepted = f"a whole number of runs, 1 to {_MOST_REPEATS}"
    number = 0
    if isinstance(repeats, SupportsIndex) and not isinstance(repeats, bool):
        number = index(repeats)
    if not 1 <= number <= _MOST_REPEATS:
        raise RequestError(repr(repeats), accepted, example)
    return number


def checked_pool(pool: str, example: str = 'omp_magic.sweep(fn, pool="blas")') -> str:
    """Give the name of the pools that are to be limited; `example` is in the refusal.

    Raises
    ------
    RequestError
        When no limit may be called so.
    """
    if not pool:
        return ""
    try:
        parse_limit(spec_text(1, pool))
    except LimitError:
        raise RequestError(pool, ", ".join(NAMES), example, nearest(pool, NAMES)) from None
    return pool


def _apply(found: Sweep) -> None:
    """Put ``%omp_limit N`` in force in the IPython that runs; workers are a pool's affair."""
    if found.best_workers:
        what = "an answer of threads, or of this process; what makes the best pool"
        raise LimitError(f"{found.best_workers} workers as the answer", what, pool_code(found))
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or "omp_limit" not in shell.magics_manager.magics["line"]:
        raise LimitError(
            "no IPython with omp_magic loaded",
            "a session after %load_ext omp_magic; elsewhere a block",
            f'with omp_magic.limit("{found.spec}"): ...',
        )
    shell.run_line_magic("omp_limit", found.spec)


Sweep.actions.update(sweep_actions, apply=_apply)
