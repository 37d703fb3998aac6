"""The pools of this process: executors of processes and of threads, and multiprocessing.Pool.

Which processes a pool has is known from its private tables alone. A look starts no worker:
`ProcessPoolExecutor` starts one at a submit() when none is idle, up to its number
(concurrent/futures/process.py, _adjust_process_count), loky all that have gone to rest
(loky/process_executor.py, _ensure_executor_running). Nor does it use up a worker that ends
after so many tasks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..errors import RequestError
from . import engines
from .meeting import Ways
from .pools import Here, Processes, Unknown
from .port import Engine

_INITIALIZER = "initializer=omp_magic.worker_limits(1)"
_EXAMPLE = "pool.submit(int).result(); omp_magic.cluster(pool)"
_Done = Callable[[Callable[[], Any]], None]


def engine_of(pool: object) -> Engine | None:
    """Give the engine of a pool of processes or threads; None for anything else."""
    for module, name, engine in _KINDS:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(pool, kind):
            return engine(pool)
    return None


class Submitting(Ways):
    """A question by submit().

    Parameters
    ----------
    pool
        The executor.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def post(self, expression: str, done: _Done) -> Any:
        """See `Ways`."""
        # An own dict of names, else those of the pool's module are there.
        future = self._pool.submit(eval, expression, {})
        future.add_done_callback(lambda ready: done(ready.result))
        return future.cancel

    def room(self) -> bool:
        """See `Ways`."""
        return True


class ExecutorCrew(Submitting):
    """A `concurrent.futures.ProcessPoolExecutor`.

    Parameters
    ----------
    pool
        The executor.
    """

    @property
    def title(self) -> str:
        """See `Crew`."""
        return title_of(self._pool)

    def processes(self) -> tuple[Any, ...]:
        """See `Crew`."""
        broken = getattr(self._pool, "_broken", False)
        return _usable(self._pool, _table_of(self._pool), broken, self._pool._shutdown_thread)  # noqa: SLF001 - no public way

    def refuses(self) -> str:
        """See `Crew`."""
        return _counted(getattr(self._pool, "_max_tasks_per_child", None), "max_tasks_per_child")

    def passing(self) -> str:
        """See `Crew`."""
        if self._is_full():
            return ""
        return f"workers that are started later have none; for each: {_INITIALIZER}"

    def room(self) -> bool:
        """See `Ways`."""
        if self._is_full():
            return True
        # How many submits would not start a worker.
        idle = getattr(self._pool, "_idle_worker_semaphore", None)
        return bool(getattr(idle, "_value", 0) > 0)

    def _is_full(self) -> bool:
        """Tell whether no submit starts a worker any more."""
        most: int = self._pool._max_workers  # noqa: SLF001 - as above
        return len(_table_of(self._pool)) >= most


class LokyCrew(Submitting):
    """loky's executor of processes, joblib's copy of it too.

    Parameters
    ----------
    pool
        The executor.
    """

    @property
    def title(self) -> str:
        """See `Crew`."""
        return f"loky {title_of(self._pool)}"

    def processes(self) -> tuple[Any, ...]:
        """See `Crew`."""
        flags = self._pool._flags  # noqa: SLF001 - no public way
        return _usable(self._pool, _table_of(self._pool), flags.broken, flags.shutdown)

    def lives(self) -> bool:
        """Tell whether it has a worker, or had one that was killed."""
        flags = self._pool._flags  # noqa: SLF001 - no public way
        return bool(flags.broken or (_table_of(self._pool) and not flags.shutdown))

    def refuses(self) -> str:
        """See `Crew`."""
        alive, most = len(_table_of(self._pool)), self._pool._max_workers  # noqa: SLF001 - as above
        if alive >= most:
            return ""
        return f"a question would start workers: {alive} of {most} live, the others went to rest"

    def passing(self) -> str:
        """See `Crew`."""
        rest_s = getattr(self._pool, "_timeout", None)
        if rest_s is None:
            return ""
        return (
            f"a worker ends after {rest_s:g} s of rest, and the next has none; for each: "
            "joblib.parallel_config(inner_max_num_threads=1)"
        )


class PoolCrew:
    """A `multiprocessing.Pool`.

    Parameters
    ----------
    pool
        The pool.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.title = f"multiprocessing.{title_of(pool)}"

    def processes(self) -> tuple[Any, ...]:
        """See `Crew`."""
        table = {each.pid: each for each in tuple(self._pool._pool)}  # noqa: SLF001 - no public way
        return _usable(self._pool, table, False, self._pool._state != "RUN")  # noqa: SLF001 - as above

    def refuses(self) -> str:
        """See `Crew`."""
        return _counted(getattr(self._pool, "_maxtasksperchild", None), "maxtasksperchild")

    def passing(self) -> str:
        """See `Crew`: a worker that ends is replaced, but none does by itself."""
        return ""

    def post(self, expression: str, done: _Done) -> Any:
        """See `Ways`: what it has taken it does not give back, but nobody waits for it."""

        def failed(error: BaseException) -> None:
            def give() -> object:
                raise error

            done(give)

        asked = self._pool.apply_async(
            eval, (expression, {}), {}, lambda got: done(lambda: got), failed
        )

        def forgotten() -> None:
            # What a worker had that was killed is never answered, and join() waits for all that is
            # in there; it is told by `del` alone (multiprocessing/pool.py, _PoolCache).
            with suppress(KeyError):
                del self._pool._cache[asked._job]  # noqa: SLF001 - no public way

        return forgotten

    def room(self) -> bool:
        """See `Ways`: its workers are there from the start."""
        return True


def _table_of(pool: object) -> dict[int, Any]:
    # None after a shutdown; Python 3.14 has the pids in public, and no exit codes.
    return dict(getattr(pool, "_processes", None) or {})


def title_of(pool: object) -> str:
    """Give the name of a pool's class, without what marks it as private."""
    return type(pool).__name__.lstrip("_")


def _number(pool: object, *names: str) -> int:
    """Give the first of these attributes that is a number of workers; 0 for none."""
    for name in names:
        found = getattr(pool, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return 0


def _counted(tasks: int | None, name: str) -> str:
    """Give why workers that end after so many tasks are not asked, or ""."""
    if not tasks:
        return ""
    return (
        f"a question would use one of its {tasks} tasks ({name}); a limit for each: {_INITIALIZER}"
    )


def _usable(pool: object, table: dict[int, Any], broken: object, shut: object) -> tuple[Any, ...]:
    """Give the workers of a pool.

    Raises
    ------
    RequestError
        When there are none to be asked.
    """
    title = title_of(pool)
    if broken:
        raise RequestError(
            f"a broken {title}: a worker of it was ended", "a pool that works", _EXAMPLE
        )
    if shut:
        raise RequestError(f"a {title} that is shut down", "a pool that works", _EXAMPLE)
    if not table:
        raise RequestError(
            f"a {title} that has no worker now",
            "a pool that has just run a task: its workers start when one comes",
            _EXAMPLE,
        )
    mine = os.getpid()
    owner = next((each._parent_pid for each in table.values()), mine)  # noqa: SLF001 - no public way
    if owner != mine:  # Process.is_alive() refuses, and nobody here takes its answers
        raise RequestError(
            f"a {title} of process {owner}",
            "a pool of this process, which was forked from that one",
            _EXAMPLE,
        )
    return tuple(table.values())


def _threads(pool: object) -> Engine:
    return Here("executor", title_of(pool), _number(pool, "_max_workers", "_processes") or 1)


def _of(pool: object, attribute: str) -> Engine:
    """Give the engine whose client an executor is a face of."""
    return engines.engine_of(getattr(pool, attribute))


def _unknown(pool: object) -> Engine:
    number = _number(pool, "_max_workers", "num_workers")
    return Unknown(title_of(pool), Submitting(pool), number)


_KINDS: tuple[tuple[str, str, Callable[[object], Engine]], ...] = (
    ("multiprocessing.pool", "ThreadPool", _threads),
    ("multiprocessing.pool", "Pool", lambda pool: Processes("executor", PoolCrew(pool))),
    ("concurrent.futures.thread", "ThreadPoolExecutor", _threads),
    (
        "concurrent.futures.process",
        "ProcessPoolExecutor",
        lambda pool: Processes("executor", ExecutorCrew(pool)),
    ),
    ("distributed.cfexecutor", "ClientExecutor", lambda pool: _of(pool, "_client")),
    ("ipyparallel.client.view", "ViewExecutor", lambda pool: _of(pool, "view")),
    *(
        (
            f"{where}loky.process_executor",
            "ProcessPoolExecutor",
            lambda pool: Processes("executor", LokyCrew(pool)),
        )
        for where in ("", "joblib.externals.")
    ),
    ("concurrent.futures", "Executor", _unknown),
)
"""A kind of pool is a row: its module, its class, what makes its engine; the first one counts."""
