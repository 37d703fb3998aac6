"""A sweep of workers -> its rows of words, and the code that makes the best pool."""

from __future__ import annotations

import math

from ..facts.sweeps import Point, Sweep
from .sweep_words import runs_words, short_s
from .usage import megabytes
from .words import DASH

_HERE = "this process"


def columns_of(sweep: Sweep) -> tuple[str, ...]:
    """Give the columns; what no point has is left out."""
    return tuple(name for name, _ in _cells(sweep.points[-1], sweep))


def cells_of(point: Point, sweep: Sweep) -> tuple[str, ...]:
    """Give a point as words, in the order of `columns_of`."""
    return tuple(cell for _, cell in _cells(point, sweep))


def _cells(point: Point, sweep: Sweep) -> list[tuple[str, str]]:
    points = sweep.points
    found = [(">workers", str(point.workers) if point.workers else _HERE)]
    if len({each.kind for each in points if each.workers}) > 1:
        found.append(("kind", point.kind))
    found += [(">threads each", str(point.threads)), (">time", short_s(point.median_s))]
    if sweep.items:
        found.append((">items/s", rate_words(sweep.items / point.median_s)))
    found.append((">speed-up", "1" if point is points[0] else f"{point.speedup:.2f}"))
    if any(each.startup_s is not None for each in points):
        found += [(">start-up", _seconds(point.startup_s)), (">sending", _seconds(point.sending_s))]
    if any(each.worker_bytes is not None for each in points):
        size = point.worker_bytes
        found.append((">MB each", DASH if size is None else megabytes(size)))
    return [*found, (">runs", runs_words(point))]


def _seconds(value: float | None) -> str:
    return DASH if value is None else short_s(value)


def pool_code(sweep: Sweep) -> str:
    """Give the line that makes the best pool; the best of this process is a limit."""
    number, threads, kind = sweep.best_workers, sweep.best, sweep.best_kind
    limit = repr(sweep.spec) if sweep.pool else str(threads)
    if not number:
        return f"%omp_limit {sweep.spec}"
    if not kind:
        return f"workers = {number}, in a cell that begins with %%omp_limit {sweep.spec}"
    if kind == "loky":
        config = f'"loky", n_jobs={number}, inner_max_num_threads={threads}'
        return f"with joblib.parallel_config({config}): ..."
    if kind == "threads":
        return f"with omp_magic.limit({limit}), ThreadPoolExecutor({number}) as pool: ..."
    start = f"initializer=omp_magic.worker_limits({limit})"
    method = kind.removeprefix("pool-")
    if kind.startswith("pool"):
        made = "multiprocessing" if kind == "pool" else f'multiprocessing.get_context("{method}")'
        return f"{made}.Pool({number}, {start})"
    context = f'mp_context=multiprocessing.get_context("{kind}")'
    return f"ProcessPoolExecutor({number}, {context}, {start})"


def rate_words(rate: float) -> str:
    """Give a rate with three digits, and never as a power of ten.

    Examples
    --------
    >>> rate_words(0.1234), rate_words(77.4), rate_words(999.7), rate_words(1686.1)
    ('0.123', '77.4', '1000', '1686')
    >>> rate_words(0.0000123)
    '0.0000123'
    """
    if rate >= 999.5:
        return f"{rate:.0f}"
    digits = 3 if rate <= 0 else 2 - math.floor(math.log10(rate))
    text = f"{rate:.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
