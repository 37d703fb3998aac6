"""How a limit reaches threads, tasks of executors and steps of coroutines.

An OpenMP count belongs to a thread, and nobody but the thread can set it. So a thread that is
started inside a limit sets its own counts before it runs, and a worker of a ThreadPoolExecutor or
a multiprocessing ThreadPool before each task, also when the limit has ended meanwhile. A
coroutine's limit is taken back whenever it waits and put in force again when it goes on.

What a limit is in force for is told by the context (`contextvars`): a task has its own.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from ..hooks.wrapping import Wrappings

if TYPE_CHECKING:
    from .held import Held

_LOG = logging.getLogger("omp_magic")
_MARK = "_omp_magic_limits"

SCOPE: ContextVar[tuple[Held, ...]] = ContextVar("omp_magic_limits", default=())
"""The limits that were entered in this context, some of which may have ended."""


class Keeper(Protocol):
    """Who knows the limits and can put this thread under them."""

    def scope(self) -> tuple[Held, ...]:
        """Give the limits in force for the code that asks."""

    def sync(
        self, scope: tuple[Held, ...] | None = None, *, fresh: bool = False, synced: bool = True
    ) -> None:
        """Put this thread under these limits, as far as they are in force."""

    def work(self, scope: tuple[Held, ...], number: int) -> None:
        """Count a task that begins (1) or ends (-1) under these limits."""

    def focus(self, scope: tuple[Held, ...]) -> None:
        """Suspend the limits of coroutines of this thread that are not among these."""

    def has_coroutines(self) -> bool:
        """Tell whether a coroutine of this thread has a limit."""


class Spread:
    """The wrappers that carry limits to other threads; in place while there are limits.

    Parameters
    ----------
    keeper
        Knows the limits.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._wrappings = Wrappings()
        self.starts = 0
        """Threads that were started under limits so far."""

    def install(self, *, coroutines: bool) -> None:
        """Put the wrappers in place that are needed; asked again it puts what is new."""
        put = self._wrappings.put
        put(threading.Thread, "start", self._around_start)
        for name in _EXECUTORS:
            item = getattr(sys.modules.get(name), "_WorkItem", None)
            if item is not None:
                put(item, "__init__", self._around_item)
                put(item, "run", self._around_run)
        events = sys.modules.get("asyncio.events")
        if coroutines and events is not None:
            put(events.Handle, "_run", self._around_step)

    def remove(self) -> None:
        """Take all of them out."""
        self._wrappings.remove()

    def _around_start(self, original: Any) -> Any:
        def start(thread: threading.Thread) -> Any:
            prepared = self._quietly(lambda: self._prepare(thread))
            try:
                return original(thread)
            except BaseException:
                if prepared:
                    vars(thread).pop("_bootstrap_inner", None)
                raise

        return start

    def _prepare(self, thread: threading.Thread) -> bool:
        """Let a thread set its counts before it runs."""
        scope = self._keeper.scope()
        if not scope or _keeps_house(thread):
            return False
        self.starts += 1
        self.install(coroutines=False)  # the executor may have been imported since
        asks = _follow_queue(thread, self._before_task) or _is_executors(thread)
        begin = thread._bootstrap_inner  # type: ignore[attr-defined]  # noqa: SLF001 - no public place

        def bootstrap() -> None:
            vars(thread).pop("_bootstrap_inner", None)
            self._quietly(lambda: self._keeper.sync(scope, fresh=True, synced=asks))
            begin()

        vars(thread)["_bootstrap_inner"] = bootstrap
        return True

    def _around_item(self, original: Any) -> Any:
        def __init__(item: Any, *arguments: Any, **named: Any) -> None:  # noqa: N807 - it stands in its place
            original(item, *arguments, **named)
            self._quietly(lambda: setattr(item, _MARK, self._keeper.scope()))

        return __init__

    def _around_run(self, original: Any) -> Any:
        keeper = self._keeper

        def run(item: Any, *arguments: Any) -> Any:
            scope: tuple[Held, ...] | None = getattr(item, _MARK, None)
            self._before_task(scope)
            if scope is None or not any(held.loop_thread is not None for held in scope):
                return original(item, *arguments)
            counted = self._quietly(lambda: keeper.work(scope, 1))
            try:
                return original(item, *arguments)
            finally:
                if counted:
                    self._quietly(lambda: keeper.work(scope, -1))

        return run

    def _before_task(self, scope: tuple[Held, ...] | None = None) -> None:
        self._quietly(lambda: self._keeper.sync(scope))

    def _around_step(self, original: Any) -> Any:
        def _run(handle: Any) -> Any:
            keeper = self._keeper
            if not keeper.has_coroutines():
                return original(handle)
            context: Context | None = getattr(handle, "_context", None)
            inside = context.get(SCOPE, ()) if context is not None else ()
            self._quietly(lambda: keeper.focus(inside))
            try:
                return original(handle)
            finally:
                self._quietly(lambda: keeper.focus(SCOPE.get()))

        return _run

    @staticmethod
    def _quietly(step: Callable[[], bool | None]) -> bool:
        """Run a step of ours in the user's thread; its failure is a logged line and False."""
        try:
            return step() is not False
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's code
            _LOG.warning("omp_magic: a thread is not limited (%s)", error)
            return False


class _Queue:
    """A ThreadPool's queue of tasks, whose reader puts itself under the limits of the moment."""

    def __init__(self, queue: Any, before_task: Callable[[], None]) -> None:
        self._queue = queue
        self._before_task = before_task

    def get(self, *arguments: Any) -> Any:
        """Wait for a task."""
        task = self._queue.get(*arguments)
        self._before_task()
        return task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def _follow_queue(thread: threading.Thread, before_task: Callable[[], None]) -> bool:
    """Let a new worker of a multiprocessing ThreadPool ask before each task.

    Its loop is one function that runs until the pool ends (multiprocessing/pool.py, worker).
    """
    worker = getattr(sys.modules.get("multiprocessing.pool"), "worker", None)
    arguments, target = getattr(thread, "_args", None), getattr(thread, "_target", None)
    if worker is None or target is not worker or not arguments:
        return False
    vars(thread)["_args"] = (_Queue(arguments[0], before_task), *arguments[1:])
    return True


_HOUSEKEEPERS = {
    ("multiprocessing.pool", "_handle_workers"),
    ("multiprocessing.pool", "_handle_tasks"),
    ("multiprocessing.pool", "_handle_results"),
    ("multiprocessing.queues", "_feed"),
    ("loky.backend.queues", "_feed"),
    ("concurrent.futures.process", "_ExecutorManagerThread"),
    ("loky.process_executor", "_ExecutorManagerThread"),
    ("IPython.core.history", "HistorySavingThread"),
}
"""Functions and classes of threads that only hand tasks and results on, or write them down."""


def _keeps_house(thread: threading.Thread) -> bool:
    """Tell whether the thread computes nothing for anybody."""
    for each in (type(thread), getattr(thread, "_target", None)):
        module = str(getattr(each, "__module__", "")).removeprefix("joblib.externals.")
        if (module, getattr(each, "__name__", "")) in _HOUSEKEEPERS:
            return True
    return False


_EXECUTORS = {
    "concurrent.futures.thread": "concurrent.futures.thread",
    "distributed._concurrent_futures_thread": "distributed.threadpoolexecutor",
}
"""Modules with a ``_WorkItem``, and those whose ``_worker`` runs them.

distributed has a copy of the standard library's file, and a loop of its own over it, in which a
thread may leave the pool (distributed/threadpoolexecutor.py, `secede`).
"""


def _is_executors(thread: threading.Thread) -> bool:
    workers = (getattr(sys.modules.get(name), "_worker", None) for name in _EXECUTORS.values())
    target = getattr(thread, "_target", None)
    return target is not None and target in tuple(workers)
