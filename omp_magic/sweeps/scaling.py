"""Times by number of threads -> Amdahl's law and the Universal Scalability Law, fitted.

Amdahl (AFIPS 1967): T(n) = T1 (s + (1 - s) / n), so n T(n) = T1 (1 + s (n - 1)).
Gunther (Guerrilla Capacity Planning, 2007, chapter 4): n T(n) = T1 (1 + s (n - 1) + k n (n - 1)).
Both are linear in their unknowns; least squares are weighted by 1 / (n T(n)), so that what is made
small is the relative error. A factor that comes out negative has no meaning: it is 0, and the
others are fitted again without it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from ..facts.sweeps import Fit

_LEAST = {"Amdahl": 3, "USL": 4}
"""Points that a law needs: one more than it has unknowns, or its residual would say nothing."""
_NOTHING = 1e-9
"""What is less, of the time of one thread, is a rounding error, or the zero with a minus."""


def fits_of(times_s: Mapping[int, float]) -> tuple[Fit, ...]:
    """Give the laws that can be fitted to times by the number of threads, Amdahl's first."""
    found = (_fitted(law, times_s) for law in _LEAST if len(times_s) >= _LEAST[law])
    return tuple(fit for fit in found if fit is not None)


def _fitted(law: str, times_s: Mapping[int, float]) -> Fit | None:
    terms = 2 if law == "Amdahl" else 3
    rows = [(1.0, n - 1.0, n * (n - 1.0))[:terms] for n in times_s]
    work = [n * seconds for n, seconds in times_s.items()]
    if min(work) <= 0:
        return None
    best: tuple[float, ...] | None = None
    error = math.inf
    # Least squares with factors of at least 0: with so few, each set of them can be tried.
    for kept in _subsets(terms):
        found = _least_squares([[row[i] for i in kept] for row in rows], work)
        if found is None or min(found) < 0:
            continue
        full = [0.0] * terms
        for index, value in zip(kept, found, strict=True):
            full[index] = value
        now = _relative_error(rows, work, full)
        if now < error * (1 - 1e-9):
            best, error = tuple(full), now
    if best is None or best[0] <= 0:
        return None
    base, serial, crosstalk = (*best, 0.0)[:3]
    serial, crosstalk = (
        0.0 if each < _NOTHING * base else each / base for each in (serial, crosstalk)
    )
    if law == "Amdahl":
        serial = min(serial, 1.0)
    peak = None
    if crosstalk > 0:
        peak = math.sqrt(max(0.0, 1 - serial) / crosstalk)
    return Fit(
        law=law,
        serial=serial,
        crosstalk=crosstalk,
        one_thread_s=base,
        residual=error,
        peak_threads=None if peak is None else max(1.0, peak),
    )


def _subsets(terms: int) -> list[tuple[int, ...]]:
    """Give the sets of factors, that of one thread always among them, the fullest first."""
    more = range(1, terms)
    return [
        (0, *some)
        for number in range(len(more), -1, -1)
        for some in itertools.combinations(more, number)
    ]


def _relative_error(
    rows: Sequence[Sequence[float]], work: Sequence[float], factors: Sequence[float]
) -> float:
    squares = (
        (sum(a * f for a, f in zip(row, factors, strict=True)) / told - 1) ** 2
        for row, told in zip(rows, work, strict=True)
    )
    return math.sqrt(sum(squares) / len(work))


def _least_squares(rows: Sequence[Sequence[float]], work: Sequence[float]) -> list[float] | None:
    """Solve the normal equations of rows divided by their work; None where they have no answer."""
    scaled = [[value / told for value in row] for row, told in zip(rows, work, strict=True)]
    size = len(scaled[0])
    matrix = [
        [sum(row[i] * row[j] for row in scaled) for j in range(size)]
        + [sum(row[i] for row in scaled)]
        for i in range(size)
    ]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-12 * max(1e-300, abs(matrix[0][0])):
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [
                    a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)
                ]
    return [matrix[i][size] / matrix[i][i] for i in range(size)]
