"""CPUs -> the numbers of threads that are worth trying."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import index
from typing import SupportsIndex

from ..errors import RequestError
from ..limits.spec import MOST_THREADS

EXAMPLE = "%%omp_sweep 1 2 4"
_FIRST = (1, 2, 3, 4, 6, 8)


def points_for(affinity_cpus: int, quota_cpus: float | None) -> tuple[int, ...]:
    """Give 1, 2, 3, 4, 6, 8, 12, 16 … up to the affinity, and the quota rounded both ways.

    More threads than CPUs that the process may be scheduled on are never among them: with
    OpenBLAS three threads on two CPUs take 20 times as long as two.

    Examples
    --------
    >>> points_for(10, 4.5)
    (1, 2, 3, 4, 5, 6, 8, 10)
    """
    affinity_cpus = max(1, affinity_cpus)
    found = {*_FIRST, affinity_cpus}
    step = 8
    while step < affinity_cpus:
        found |= {step * 3 // 2, step * 2}
        step *= 2
    if quota_cpus is not None:
        found |= {max(1, math.floor(quota_cpus)), math.ceil(quota_cpus)}
    return tuple(sorted(each for each in found if each <= affinity_cpus))


def checked_points(
    asked: Iterable[object], what: str = "threads", example: str = EXAMPLE
) -> tuple[int, ...]:
    """Give the numbers that somebody asked for, sorted, each once.

    Raises
    ------
    RequestError
        When one of them is no whole number from 1 to 8192, or there is none.
    """
    accepted = f"whole numbers of {what}, 1 to {MOST_THREADS}"
    found = set()
    for each in asked:
        if isinstance(each, bool) or not isinstance(each, SupportsIndex):
            raise RequestError(repr(each), accepted, example)
        value = index(each)
        if not 1 <= value <= MOST_THREADS:
            raise RequestError(str(value), accepted, example)
        found.add(value)
    if not found:
        raise RequestError("no number", accepted, example)
    return tuple(sorted(found))


def ideal_cpus(affinity_cpus: int, quota_cpus: float | None) -> float:
    """Give the CPUs that threads can get: beyond them more threads only wait."""
    return float(affinity_cpus) if quota_cpus is None else min(float(affinity_cpus), quota_cpus)


def words_of(numbers: Sequence[object]) -> str:
    """Give ``"2"``, ``"2 and 4"``, ``"2, 3 and 4"``."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
