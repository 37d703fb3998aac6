"""What a sweep's figures are worth: its medians against `timeit`'s, and what it takes beside them.

The same function is timed by ``omp_magic.sweep`` and by ``timeit.repeat`` below
``threadpoolctl.threadpool_limits``, in turn, in one process. Prints the ratio of the medians for
each number of threads, and how much longer the whole sweep takes than the calls that it times.
Exits with 1 when a median is off by more than 10 % in the best of three rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
import timeit
from collections.abc import Callable

MOST_OFF = 0.10
ROUNDS, REPEATS = 3, 5


def peer_s(work: Callable[[], object], threads: int) -> float:
    """Give timeit's median of a call, in seconds."""
    import threadpoolctl

    with threadpoolctl.threadpool_limits(threads):
        work()
        number = timeit.Timer(work).autorange()[0]
        return statistics.median(timeit.repeat(work, number=number, repeat=REPEATS)) / number


def main() -> int:
    """Compare, print, and give the exit code."""
    import numpy as np

    import omp_magic

    matrix = np.random.default_rng(0).standard_normal((500, 500))
    works: dict[str, Callable[[], object]] = {
        "500 x 500 product": lambda: matrix @ matrix,
        "pure Python": lambda: sum(n * n for n in range(50_000)),
    }
    missed = 0
    for name, work in works.items():
        off: dict[int, list[float]] = {1: [], 2: []}
        beside = []
        for _ in range(ROUNDS):
            begin_s = time.perf_counter()
            found = omp_magic.sweep(work, threads=[1, 2], repeats=REPEATS, progress=False)
            whole_s = time.perf_counter() - begin_s
            timed_s = sum(run.wall_s * run.calls for p in found.points for run in p.runs)
            beside.append(whole_s / timed_s)
            for point in found.points:
                off[point.threads].append(point.median_s / peer_s(work, point.threads))
        for threads, ratios in off.items():
            nearest = min(ratios, key=lambda ratio: abs(ratio - 1))
            missed += abs(nearest - 1) > MOST_OFF
            print(f"{name}, {threads} threads: {nearest:.2f} times timeit's median")
        print(f"{name}: the sweep takes {min(beside):.2f} times the calls that it times")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
