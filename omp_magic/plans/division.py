"""How CPUs are divided between workers and the threads of each."""

from __future__ import annotations

from ..facts.cpus import Budget
from ..facts.plans import Division

_MOST_ROWS = 8


def threads_of_each(budget_threads: int, workers: int) -> int:
    """Give the threads for each of so many workers: at least 1, also on half a CPU.

    Examples
    --------
    >>> threads_of_each(5, 2), threads_of_each(1, 8)
    (2, 1)
    """
    return max(1, budget_threads // workers)


def division_of(budget: Budget, workers: int) -> Division:
    """Give the division for so many workers."""
    threads = threads_of_each(budget.threads, workers)
    left_cpus = max(0.0, budget.cpus - workers * threads)
    return Division(workers=workers, threads=threads, left_cpus=left_cpus)


def divisions_of(budget: Budget) -> tuple[Division, ...]:
    """Give the sensible ways to divide the CPUs, from one worker to as many as threads.

    For each number of threads the most workers that leave them to each; where those are many,
    the ones at 1, 2, 4, 8 ... workers.
    """
    total = budget.threads
    chosen = sorted({total // threads for threads in range(1, total + 1)})
    if len(chosen) > _MOST_ROWS:
        powers = (1 << power for power in range(total.bit_length()))
        most = (total // (total // workers) for workers in powers)
        chosen = sorted({*most, total})
    return tuple(division_of(budget, workers) for workers in chosen)


def with_division(divisions: tuple[Division, ...], asked: Division) -> tuple[Division, ...]:
    """Give the divisions with the one that was asked for among them, by the number of workers."""
    found = {each.workers: each for each in (asked, *divisions)}
    return tuple(found[workers] for workers in sorted(found))
