"""What was asked of a sweep of workers -> checked values."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from ..errors import RequestError
from ..plans.division import threads_of_each
from .kinds import EXAMPLE as WORKERS_EXAMPLE
from .points import checked_points

EXAMPLE = "omp_magic.sweep(fn, threads=[1, 2, 4])"
_CALLS, _MOST_CALLS = 8, 24
"""Calls of a function without items, where no number of workers is named, and at most."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A function without arguments, as one of an item: each call does the same."""

    fn: Callable[[], Any]

    def __call__(self, _: object) -> Any:
        """Call it."""
        return self.fn()


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """Workers that were asked for.

    Parameters
    ----------
    fn
        What they call.
    items
        What they call it with; None where `fn` makes its own pool.
    workers
        Numbers of them; None to choose.
    threads
        Threads of each; None for the plan's.
    kinds
        Kinds of pools, as they were asked for.
    """

    fn: Callable[..., Any]
    items: list[Any] | None
    workers: tuple[int, ...] | None
    threads: tuple[int, ...] | None
    kinds: str | Iterable[str] | None

    @classmethod
    def checked(
        cls,
        fn: Callable[..., Any],
        items: Iterable[Any] | None,
        workers: Iterable[SupportsIndex] | None,
        kinds: str | Iterable[str] | None,
        threads: Iterable[SupportsIndex] | None,
    ) -> WorkerRequest:
        """Check what was asked.

        Raises
        ------
        RequestError
            When it cannot be followed.
        """
        numbers = None if workers is None else listed_points(workers, "workers", WORKERS_EXAMPLE)
        each = None if threads is None else listed_points(threads)
        if items is not None:
            listed = _listed(items)
            return cls(fn, listed, numbers, each, kinds)
        if kinds is None and takes(fn, workers=1):
            return cls(fn, None, numbers, each, None)
        if not takes(fn):
            accepted = (
                "items for fn(item), an fn without arguments, or one with a parameter workers that "
                "makes its own pool"
            )
            raise RequestError("workers without items", accepted, WORKERS_EXAMPLE)
        # So many calls that each number of workers has the same for each of its workers.
        calls = math.lcm(*numbers) if numbers is not None else _CALLS
        calls = calls if calls <= _MOST_CALLS else max(numbers or (_CALLS,))
        return cls(Repeated(fn), list(range(calls)), numbers, each, kinds)


def _listed(items: Iterable[Any]) -> list[Any]:
    if not isinstance(items, Iterable):
        raise RequestError(repr(items), "items that fn is called with", WORKERS_EXAMPLE)
    found = list(items)
    if not found:
        raise RequestError("no item", "at least one item", WORKERS_EXAMPLE)
    return found


def takes(fn: Callable[..., Any], **arguments: object) -> bool:
    """Tell whether a function can be called with these arguments alone."""
    try:
        inspect.signature(fn).bind(**arguments)
    except (TypeError, ValueError):
        return False
    return True


def listed_points(
    asked: Iterable[SupportsIndex], what: str = "threads", example: str = EXAMPLE
) -> tuple[int, ...]:
    """Give the numbers of a list, sorted, each once.

    Raises
    ------
    RequestError
        When it is no list of whole numbers.
    """
    try:
        numbers = None if isinstance(asked, (str, bytes)) else list(asked)
    except TypeError:  # of an array without a dimension too, which has __iter__
        numbers = None
    if numbers is None:
        raise RequestError(repr(asked), f"a list of numbers of {what}", example)
    return checked_points(numbers, what, example)


def checked_function(fn: object) -> None:
    """Refuse what is no function, or one whose call alone runs nothing of it.

    Raises
    ------
    RequestError
        With what would have been accepted.
    """
    if not callable(fn):
        raise RequestError(repr(fn), "a function without arguments", EXAMPLE)
    if inspect.iscoroutinefunction(fn):
        accepted = "a function whose call runs it"
        raise RequestError(
            "a coroutine function", accepted, "omp_magic.sweep(lambda: asyncio.run(f()))"
        )
    if inspect.isgeneratorfunction(fn):
        accepted = "a function whose call runs it"
        raise RequestError("a generator function", accepted, "omp_magic.sweep(lambda: list(g()))")


def grid_of(
    workers: Sequence[int], threads: Sequence[int] | None, budget_threads: int
) -> list[tuple[int, int]]:
    """Give (workers, threads of each), the fewest first.

    Examples
    --------
    >>> grid_of([1, 2, 4], None, 2)
    [(1, 2), (2, 1), (4, 1)]
    """
    return [
        (number, each)
        for number in workers
        for each in threads or (threads_of_each(budget_threads, number),)
    ]
