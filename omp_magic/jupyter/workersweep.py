"""``%%omp_sweep --workers``: the cell makes its own pool of the number in the name `workers`."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..sweeps.points import checked_points
from ..sweeps.reads import names_read
from ..workersweeping import own_pools_swept
from .asking import wrong_use

if TYPE_CHECKING:
    from types import CodeType

    from ..facts.sweeps import Sweep

NAME = "workers"
EXAMPLE = "%%omp_sweep --workers 1,2,4"
_BODY = "Parallel(n_jobs=workers)(delayed(f)(i) for i in items)"
_MISSING = object()


def numbers_of(
    text: str | None, what: str = NAME, example: str = EXAMPLE
) -> tuple[int, ...] | None:
    """Give the numbers of ``--workers 1,2,4``, with commas or spaces; None where it is not there.

    Raises
    ------
    RequestError
        When they are no whole numbers.
    """
    if text is None:
        return None
    words = text.strip("'\"").replace(",", " ").split()
    asked = [int(word) if word.isascii() and word.isdigit() else word for word in words]
    return checked_points(asked, what, example)


def check_reads(magic: str, codes: Iterable[CodeType], names: dict[str, Any]) -> None:
    """Refuse a cell whose code never reads the name.

    Parameters
    ----------
    magic
        The magic's name.
    codes
        The cell's.
    names
        The user's: a function that the cell calls may be what reads it.

    Raises
    ------
    UsageError
        In one line, with a cell that reads it.
    """
    reads, _ = names_read(codes)
    called = (names[each] for each in reads if isinstance(names.get(each), types.FunctionType))
    if NAME in reads or any(NAME in names_read([each.__code__])[0] for each in called):
        return
    found = "found a cell that does not read the name workers"
    raise UsageError(wrong_use(magic, found, "a cell that makes its own pool of so many", _BODY))


def swept_by_workers(
    run: Callable[[], object],
    workers: tuple[int, ...],
    threads: tuple[int, ...] | None,
    names: dict[str, Any],
    options: Any,
) -> Sweep:
    """Run a cell with one number of workers after another.

    Parameters
    ----------
    run
        Runs the cell.
    workers, threads
        The numbers; of threads None for the plan's.
    names
        The user's.
    options
        The others of `own_pools_swept`.
    """
    return own_pools_swept(
        lambda _: run(), workers, threads, bind=lambda number: bound(names, number), **options
    )


@contextmanager
def bound(names: dict[str, Any], number: int) -> Iterator[None]:
    """Give the name its number, and put it back exactly as it was, also where it was not there."""
    before = names.get(NAME, _MISSING)
    try:
        names[NAME] = number
        yield
    finally:
        if before is _MISSING:
            names.pop(NAME, None)
        else:
            names[NAME] = before
