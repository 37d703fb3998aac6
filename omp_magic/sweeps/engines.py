"""The pools as they are: ProcessPoolExecutor, multiprocessing.Pool, joblib's loky, threads.

None of them is ours. What is added is the way out: `kill` ends the workers whatever they do, since
a pool's own end waits for them, and a `multiprocessing.Pool` waits for ever for a call whose worker
was killed (https://bugs.python.org/issue22393).
"""

from __future__ import annotations

import importlib
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_EXCEPTION,
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from multiprocessing.connection import wait
from typing import Any, Protocol

from ..errors import UnreadResultError, WorkerEndedError
from .leftovers import ForkServer, end_loky, ended

Call = tuple[Callable[..., Any], tuple[Any, ...]]
_LOOK_S = 0.05
_END_S = 5.0


class Engine(Protocol):
    """A pool that is open."""

    def each(self, calls: Sequence[Call]) -> list[Any]:
        """Make these calls at once, one a worker, and give what they give."""

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Call a function for each item, as the pool's own map does; its errors pass through."""

    def close(self) -> None:
        """End the pool whose work is done."""

    def kill(self) -> None:
        """End it whatever it does; may be called again."""


class Threads:
    """A ThreadPoolExecutor: threads of this process share its pools and its memory.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)

    def each(self, calls: Sequence[Call]) -> list[Any]:
        """See `Engine`."""
        return _submitted(self._pool, calls)

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """See `Engine`."""
        return list(self._pool.map(fn, items))

    def close(self) -> None:
        """See `Engine`."""
        self._pool.shutdown()

    def kill(self) -> None:
        """See `Engine`; a thread ends when its item does."""
        self._pool.shutdown(cancel_futures=True)


class ProcessExecutor:
    """A ProcessPoolExecutor.

    Parameters
    ----------
    workers
        How many.
    method
        ``"fork"``, ``"spawn"`` or ``"forkserver"``.
    start
        Its initializer.
    """

    def __init__(self, workers: int, method: str, start: Callable[[], object]) -> None:
        context = multiprocessing.get_context(method)
        self._server = ForkServer() if method == "forkserver" else None
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start)
        self._processes: tuple[Any, ...] = ()

    def each(self, calls: Sequence[Call]) -> list[Any]:
        """See `Engine`."""
        found = _submitted(self._pool, calls)
        self._known()
        return found

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """See `Engine`."""
        return list(self._pool.map(fn, items))

    def close(self) -> None:
        """See `Engine`."""
        self._known()
        self._pool.shutdown(wait=False)
        for each in self._processes:
            each.join(_END_S)  # one that does not end by itself is killed below
        self._end()
        self._pool.shutdown()

    def kill(self) -> None:
        """See `Engine`."""
        self._known()
        self._end()
        self._pool.shutdown(wait=False, cancel_futures=True)
        # What it had started meanwhile; its own thread has it no more once it is shut down.
        self._known()
        self._end()

    def _known(self) -> None:
        # Python 3.14 has kill_workers; before, this dict is the only list of them (3.2 on).
        found = tuple((getattr(self._pool, "_processes", None) or {}).values())
        self._processes = (*self._processes, *(p for p in found if p not in self._processes))

    def _end(self) -> None:
        ended(self._processes)
        if self._server is not None:
            self._server.end()


class ProcessPool:
    """A multiprocessing.Pool whose workers are watched while it works.

    Parameters
    ----------
    workers, method, start
        As in `ProcessExecutor`.
    """

    def __init__(self, workers: int, method: str, start: Callable[[], object]) -> None:
        context = multiprocessing.get_context(method)
        self._server = ForkServer() if method == "forkserver" else None
        before = set(multiprocessing.active_children())
        try:
            self._pool = context.Pool(workers, initializer=start)
        except BaseException:
            # An interrupt in its making leaves nobody who knows its workers.
            ended([each for each in multiprocessing.active_children() if each not in before])
            raise
        self._first = tuple(self._processes())

    def each(self, calls: Sequence[Call]) -> list[Any]:
        """See `Engine`."""
        waiting = [self._pool.apply_async(fn, arguments) for fn, arguments in calls]
        return self._waited(waiting)

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """See `Engine`.

        Raises
        ------
        WorkerEndedError
            When a worker has ended: what it had is lost, and the pool would wait for ever.
        UnreadResultError
            When a result, or an error, cannot be unpickled here: as above.
        """
        found: list[Any] = self._waited([self._pool.map_async(fn, items)])[0]
        return found

    def close(self) -> None:
        """See `Engine`."""
        self._pool.close()
        alive = [each for each in self._processes() if each.is_alive()]
        for each in alive:
            each.join(_END_S)
        self.kill()

    def kill(self) -> None:
        """See `Engine`."""
        processes = tuple(self._processes())
        # It waits for a lock that a killed worker may have taken with it: not for ever.
        ending = threading.Thread(target=self._pool.terminate, daemon=True)
        ending.start()
        ending.join(_END_S)
        ended((*self._first, *processes, *self._processes()))
        if self._server is not None:
            self._server.end()

    def _processes(self) -> list[Any]:
        return list(getattr(self._pool, "_pool", None) or ())  # the only list of them (2.6 on)

    def _waited(self, results: Sequence[Any]) -> list[Any]:
        """Give what they give, or raise what the first that failed raises: others wait for it."""
        while True:
            # The thread that reads results: one that it cannot unpickle ends it
            # (https://github.com/python/cpython/issues/103061).
            reader = getattr(self._pool, "_result_handler", None)  # no public way (2.6 on)
            unread = reader is not None and not reader.is_alive()
            gone = wait([each.sentinel for each in self._first], timeout=0)
            ready = [each for each in results if each.ready()]
            for each in ready:
                if not each.successful():
                    each.get()
            if len(ready) == len(results):
                return [each.get() for each in results]
            if unread:
                raise UnreadResultError("multiprocessing.Pool")
            if gone:
                each = next(each for each in self._first if each.sentinel in gone)
                raise WorkerEndedError("multiprocessing.Pool", each.pid or 0, each.exitcode)
            next(each for each in results if not each.ready()).wait(_LOOK_S)


class Loky:
    """joblib's Parallel with loky: its workers start anew, and get functions by value.

    Parameters
    ----------
    workers
        How many; joblib runs one job in the process itself.
    threads
        Threads of each, which joblib gives them by variables; None where those of a limit in
        force are for some pools alone.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        joblib: Any = importlib.import_module("joblib")  # it has no types; where it is asked for

        self._joblib = joblib
        self._config = ExitStack()
        self._config.enter_context(
            joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=threads)
        )

    def each(self, calls: Sequence[Call]) -> list[Any]:
        """See `Engine`."""
        tasks = [self._joblib.delayed(fn)(*arguments) for fn, arguments in calls]
        return list(self._joblib.Parallel(batch_size=1, pre_dispatch="all")(tasks))

    def map(self, fn: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """See `Engine`."""
        delayed = self._joblib.delayed
        return list(self._joblib.Parallel()(delayed(fn)(item) for item in items))

    def close(self) -> None:
        """See `Engine`."""
        self.kill()

    def kill(self) -> None:
        """See `Engine`: the executor that joblib keeps for the next call has our variables."""
        self._config.close()
        end_loky()


def _submitted(pool: Executor, calls: Sequence[Call]) -> list[Any]:
    futures = [pool.submit(fn, *arguments) for fn, arguments in calls]
    # The others wait for one whose item could not be sent.
    failed = wait_for(futures, return_when=FIRST_EXCEPTION).done
    for each in failed:
        each.result()
    return [each.result() for each in futures]
