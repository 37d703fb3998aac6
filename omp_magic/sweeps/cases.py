"""One number of threads as a case of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ..facts.limits import Limit
from ..limits.held import surely
from ..limits.limiter import Limiter
from ..limits.spec import parse_limit


def counted_threads(number: int) -> str:
    """Give ``"1 thread"``, ``"2 threads"``."""
    return f"{number} thread{'' if number == 1 else 's'}"


def spec_text(threads: int, pool: str) -> str:
    """Give the limit of a case: ``"2"``, ``"blas=2"``."""
    return f"{pool}={threads}" if pool else str(threads)


@dataclass(frozen=True, slots=True)
class ThreadCase:
    """A call under a limit.

    Parameters
    ----------
    threads
        The limit.
    pool
        Which pools it is for; "" for all.
    call
        What is run.
    limiter
        Sets the limit, and gives back what was there before.
    before
        Called before each call, not timed; None for nothing.
    around
        Gives what is entered around each run and is not timed, or None.
    unmet
        Filled at the end of each run: a line for each thing that the limit could not do.
    """

    threads: int
    pool: str
    call: Callable[[], object]
    limiter: Limiter
    before: Callable[[], object] | None = None
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    unmet: list[str] = field(default_factory=list, compare=False)

    @property
    def at_once(self) -> int:
        """See `port.Case`."""
        return self.threads

    @property
    def label(self) -> str:
        """See `port.Case`."""
        return counted_threads(self.threads)

    def is_more_than(self, other: Any) -> bool:
        """See `port.Case`: more threads than too many."""
        return isinstance(other, ThreadCase) and self.threads > other.threads

    @contextmanager
    def ready(self) -> Iterator[Callable[[], object]]:
        """See `port.Case`."""
        limit = limited(self.limiter, self.threads, self.pool, self.label, self.unmet)
        with limit, self.around():
            yield self.call


@contextmanager
def limited(
    limiter: Limiter, threads: int, pool: str, label: str, unmet: list[str] | None = None
) -> Iterator[None]:
    """Limit this process, and by variables what it starts, for a run; `unmet` as in a case."""
    spec = parse_limit(spec_text(threads, pool))
    told = Limit(spec=spec.text, set_by=f"a sweep ({label})", undo="the end of its run")
    held = limiter.enter(spec, told=told)
    try:
        yield
    finally:
        if unmet is not None:
            unmet[:] = held.notes
        surely(held.leave)
