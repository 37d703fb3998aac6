"""Medians, their intervals, outliers, and whether two points differ at all.

The median and a percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap,
1993, chapter 13): no assumption about the noise of a machine that others use. The resamples are
drawn with a fixed seed, so that the same runs always give the same answer.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence

_RESAMPLES = 2000
_SEED = 20120521
_FENCE, _LEAST_REACH = 1.5, 0.02
_FEWEST = 4
_APART = {1: 0.0, 2: 1.0, 3: 0.5}
_LEAST_APART = {1: 0.2, 2: 0.1, 3: 0.0}
"""How far apart the ranges of so few runs lie where they differ: in widths of the wider one, and in
shares of the shortest time. At 5 % noise one run of each of six numbers gave a gain where there was
none in 58 % of sweeps when any difference was one, and two runs in 29 %. Three
runs whose ranges did not meet gave a gain where there was none in 4 % of sweeps of two numbers of
threads, 10 % of six and 13 % of twelve, at 5 % noise; so far apart in 1, 3 and 4 %."""


def interval_of_median(values: Sequence[float]) -> tuple[float, float]:
    """Give the 95 % interval of the median; the value itself where there is one alone."""
    if len(values) < 2:
        return values[0], values[0]
    draw = random.Random(_SEED)  # noqa: S311 - resampling, not cryptography
    return _middle(_median_of_resample(values, draw) for _ in range(_RESAMPLES))


def interval_of_ratio(
    first: Sequence[float], second: Sequence[float], chosen_of: int = 1
) -> tuple[float, float]:
    """Give the 95 % interval of the median of `first` divided by that of `second`.

    Where one of them is the fastest of several, it is wider: each of them could have been (the
    correction of Bonferroni).
    """
    draw = random.Random(_SEED)  # noqa: S311 - as above
    return _middle(
        (
            _median_of_resample(first, draw) / _median_of_resample(second, draw)
            for _ in range(_RESAMPLES)
        ),
        0.05 / chosen_of,
    )


def differ(first: Sequence[float], second: Sequence[float], chosen_of: int = 1) -> bool:
    """Tell whether two points differ by more than the noise of their runs.

    Runs that are too few for an interval differ where their ranges lie apart. A single one has no
    noise that could be told.

    Parameters
    ----------
    first, second
        Their times.
    chosen_of
        Of how many points the faster one was chosen, since it was the fastest.
    """
    fewest = min(len(first), len(second))
    if fewest < _FEWEST:
        wider = max(max(each) - min(each) for each in (first, second))
        apart = max(min(second) - max(first), min(first) - max(second))
        least_s = _LEAST_APART[fewest] * min(*first, *second)
        return apart > max(_APART[fewest] * wider, least_s)
    low, high = interval_of_ratio(first, second, chosen_of)
    return not low <= 1.0 <= high


def outliers_of(values: Sequence[float]) -> int:
    """Count the values outside of Tukey's fences: 1.5 interquartile ranges from the quartiles.

    The fences are at least 2 % of the median away: four equal runs make no fifth one strange.
    """
    if len(values) < _FEWEST:
        return 0
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    reach = max(_FENCE * (upper - lower), _LEAST_REACH * middle)
    return sum(not lower - reach <= value <= upper + reach for value in values)


def drift_of(values: Sequence[float]) -> float:
    """Give Spearman's rank correlation of values with their order, -1 to 1; 0 where too few."""
    number = len(values)
    if number < _FEWEST or min(values) == max(values):
        return 0.0
    ranks = _ranks(values)
    mean = (number - 1) / 2
    order = sum((place - mean) * (rank - mean) for place, rank in enumerate(ranks))
    spread = sum((place - mean) ** 2 for place in range(number))
    of_ranks = sum((rank - mean) ** 2 for rank in ranks)
    return float(order / (spread * of_ranks) ** 0.5)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    at = 0
    while at < len(order):
        last = at
        while last + 1 < len(order) and values[order[last + 1]] == values[order[at]]:
            last += 1
        for place in order[at : last + 1]:
            ranks[place] = (at + last) / 2
        at = last + 1
    return ranks


def _median_of_resample(values: Sequence[float], draw: random.Random) -> float:
    return statistics.median(draw.choices(values, k=len(values)))


def _middle(samples: Iterable[float], outside: float = 0.05) -> tuple[float, float]:
    found = sorted(samples)
    at = round(outside / 2 * len(found))
    return found[at], found[-1 - at]
