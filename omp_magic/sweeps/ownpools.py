"""Code that makes its own pool as a case of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from ..limits.held import surely
from ..limits.limiter import Limiter
from .cases import limited
from .leftovers import end_loky, keeps_workers
from .workercases import workers_label


@dataclass(slots=True)
class OwnPoolCase:
    """Code that makes its own pool of a number of workers, which it is given.

    Parameters
    ----------
    workers, threads, pool
        As in `WorkerCase`; the limit is in force, with its variables, while the code runs.
    call
        What is run.
    bind
        Gives what is entered around a run and tells the code the number of workers.
    limiter, around
        As in `ThreadCase`.
    keeps
        Tells whether the code keeps its workers for the next call; then a run calls it once more
        before the clock begins.
    """

    workers: int
    threads: int
    pool: str
    call: Callable[[int], object]
    limiter: Limiter
    cpus: float
    bind: Callable[[int], AbstractContextManager[object]] = lambda _: nullcontext()
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    keeps: Callable[[], bool] = keeps_workers
    kind: str = ""
    startup_s: float | None = None
    sending_s: float | None = None
    worker_bytes: int | None = None

    @property
    def at_once(self) -> int:
        """See `port.Case`."""
        return self.workers * self.threads

    @property
    def label(self) -> str:
        """See `port.Case`."""
        return workers_label("", self.workers, self.threads)

    @property
    def before(self) -> None:
        """See `port.Case`: nothing is set up before a call."""

    def is_more_than(self, other: Any) -> bool:
        """See `WorkerCase.is_more_than`."""
        more = other.workers <= self.workers and other.threads <= self.threads
        return bool(other.at_once >= self.cpus and more)

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        """See `port.Case`."""
        with (
            limited(self.limiter, self.threads, self.pool, self.label),
            self.around(),
            self.bind(self.workers),
        ):
            try:
                if self.keeps():
                    self.call(self.workers)
                yield lambda: self.call(self.workers)
            finally:
                # Its workers have our variables, and the next case has others.
                surely(end_loky)
