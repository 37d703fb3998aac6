"""A pool of workers as a case of a sweep, and the same items in this process."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..facts.memory import bytes_words
from ..limits.held import surely
from ..limits.limiter import Limiter
from ..machine import Machine
from .cases import ThreadCase, counted_threads, limited, spec_text
from .engines import Engine, Loky, ProcessExecutor, ProcessPool, Threads
from .kinds import FORK, LOKY, THREADS, Session, counted_workers, method_of
from .meeting import WorkerStart, first_call
from .port import NotRunError
from .sending import sending_s


@dataclass(frozen=True, slots=True)
class Ways:
    """What cases of workers need of the session.

    Parameters
    ----------
    machine
        Tells what processes use.
    limiter
        Sets the limit here, and by variables for what is started meanwhile.
    limits
        Gives what a worker calls to limit itself, by the limit as it is written.
    hazards
        Gives in words what a fork would do to started pools, under the limits in force.
    free_bytes
        Gives the memory that is free; None when not known.
    session
        Decides how workers start.
    cpus
        CPUs that threads can get.
    """

    machine: Machine
    limiter: Limiter
    limits: Callable[[str], Callable[[], object]]
    hazards: Callable[[], tuple[str, ...]]
    free_bytes: Callable[[], int | None]
    session: Session
    cpus: float
    worker_bytes: dict[str, int] = field(default_factory=dict)
    """By kind, the largest that a worker had so far."""


@dataclass(frozen=True, slots=True)
class HereCase(ThreadCase):
    """The items in this process, one after the other."""

    @property
    def label(self) -> str:
        """See `port.Case`."""
        return "this process"


def workers_label(kind: str, workers: int, threads: int) -> str:
    """Give ``"2 loky workers of 1 thread"``."""
    return f"{counted_workers(kind, workers)} of {counted_threads(threads)}"


@dataclass(slots=True)
class WorkerCase:
    """A number of workers with a number of threads each, by one kind of pool.

    Each run has a pool of its own. It is opened, and each worker has called the function once,
    before the clock begins.

    Parameters
    ----------
    kind, workers, threads
        What it is.
    pool
        Which pools have the threads; "" for all.
    fn, items
        What is run.
    ways
        What it needs of the session.
    named
        Whether its kind is told: where several are compared.
    """

    kind: str
    workers: int
    threads: int
    pool: str
    fn: Callable[[Any], Any]
    items: Sequence[Any]
    ways: Ways
    named: bool = False
    startups_s: list[float] = field(default_factory=list)
    sending_s: float | None = None
    worker_bytes: int | None = None
    _results: list[Any] = field(default_factory=list)

    @property
    def at_once(self) -> int:
        """See `port.Case`; workers without an item do nothing."""
        return min(self.workers, len(self.items)) * self.threads

    @property
    def label(self) -> str:
        """See `port.Case`."""
        return workers_label(self.kind if self.named else "", self.workers, self.threads)

    @property
    def before(self) -> None:
        """See `port.Case`: nothing is set up before a call."""

    @property
    def startup_s(self) -> float | None:
        """The median time until each worker had run a first call."""
        return statistics.median(self.startups_s) if self.startups_s else None

    def is_more_than(self, other: Any) -> bool:
        """See `port.Case`: more of what has no CPU left to run on."""
        return (
            isinstance(other, WorkerCase)
            and other.kind == self.kind
            and other.at_once >= self.ways.cpus
            and other.workers <= self.workers
            and other.threads <= self.threads
        )

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        """See `port.Case`."""
        self._room()
        with limited(self.ways.limiter, self.threads, self.pool, self.label):
            self._survives()
            begin_s = time.perf_counter()
            engine = self._open()
            try:
                pids = self._begin(engine)
                self.startups_s.append(time.perf_counter() - begin_s)
                yield lambda: self._map(engine)
                self._look(engine, pids)
            except BaseException:
                surely(engine.kill)
                raise
            else:
                surely(engine.close)
            finally:
                self._results = []

    def _open(self) -> Engine:
        if self.kind == THREADS:
            return Threads(self.workers)
        if self.kind == LOKY:
            return Loky(self.workers, None if self.pool else self.threads)
        start = WorkerStart(self.ways.limits(spec_text(self.threads, self.pool)))
        engine = ProcessPool if self.kind.startswith("pool") else ProcessExecutor
        return engine(self.workers, method_of(self.kind, self.ways.session), start)

    def _begin(self, engine: Engine) -> tuple[int, ...]:
        """Let each worker call the function once; give the pids of those that are processes."""
        with tempfile.TemporaryDirectory(prefix="omp_magic-") as folder:
            items = (self.items[n % len(self.items)] for n in range(self.workers))
            calls = [(first_call, (self.fn, item, folder, self.workers)) for item in items]
            pids = engine.each(calls)
        return tuple(sorted({pid for pid in pids if pid != os.getpid()}))

    def _map(self, engine: Engine) -> None:
        results = engine.map(self.fn, self.items)
        if self.sending_s is None and self.kind != THREADS:
            self._results = results

    def _look(self, engine: Engine, pids: Sequence[int]) -> None:
        """See, after a run, what the workers have in memory and what sending has cost."""
        for pid in pids:
            try:
                use = self.ways.machine.system.memory_use(pid)
            except OSError:
                continue
            size = use.rss_bytes if use.pss_bytes is None else use.pss_bytes
            self.worker_bytes = max(size, self.worker_bytes or 0)
        if self.worker_bytes is not None:
            known = self.ways.worker_bytes
            known[self.kind] = max(self.worker_bytes, known.get(self.kind, 0))
        if self._results:
            self.sending_s = sending_s(engine, self.items, self._results)

    def _room(self) -> None:
        """Refuse what the workers seen so far would not fit into."""
        each_bytes = self.ways.worker_bytes.get(self.kind)
        free_bytes = self.ways.free_bytes() if each_bytes is not None else None
        if each_bytes is None or free_bytes is None or each_bytes * self.workers <= free_bytes:
            return
        need = f"{self.workers} workers would need {bytes_words(round(each_bytes * self.workers))}"
        raise NotRunError(f"{need}, {bytes_words(free_bytes)} are free")

    def _survives(self) -> None:
        """Refuse a fork that the workers would not survive; pools start while a sweep runs."""
        if method_of(self.kind, self.ways.session) == FORK:
            found = self.ways.hazards()
            if found:
                cure = 'this works: kinds="loky", or "forkserver" with fn in a module'
                raise NotRunError(f"{found[0][:1].lower()}{found[0][1:]} (OMP204); {cure}")


def one_by_one(fn: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Call a function for each item here; what it gives is kept no longer than a loop keeps it."""
    for item in items:
        fn(item)
