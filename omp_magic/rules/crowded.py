"""Pools that no limit reaches and that have more threads than CPUs: cases of OMP201 and OMP205."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.cpus import Bound, cpus_words
from ..facts.libraries import Pool
from ..facts.snapshots import Snapshot
from ..knowledge.strangers import BY_LABEL
from .rule import Case

_NOT_KNOWN = (
    "No switch of it is known here; its documentation may name a number of threads or of workers"
)


def threads_wanted(snapshot: Snapshot, pool: Pool) -> int:
    """Give the threads that a pool computes with, as far as that can be told.

    Where only its live threads are known, they count when they are as many as the visible CPUs, the
    calling thread included: a pool that sizes itself by the machine. What they do is not known.
    """
    if pool.size or not pool.workers:
        return pool.size
    visible = snapshot.budget.affinity_cpus
    return pool.workers if pool.workers + 1 >= visible > snapshot.budget.threads else 0


def unreached_cases(snapshot: Snapshot, pools: list[Pool], why: str) -> Iterator[Case]:
    """Give a case for each of these pools, with the package's own switch as remedy."""
    budget = snapshot.budget
    for pool in pools:
        cpus, threads = cpus_words(budget.cpus), threads_wanted(snapshot, pool)
        number = f"{threads} thread{'' if threads == 1 else 's'}"
        verb = "is" if budget.cpus == 1 else "are"
        if pool.each and pool.would_use:
            title = f"{pool.name} gives each {pool.each} {number}"
        elif pool.size:
            title = f"{pool.name} {'uses' if pool.num_threads else 'would use'} {number}"
        else:
            title = f"{pool.name} has {number} of its own"
        live = f"{pool.workers} of its threads live now; " if pool.workers else ""
        yield Case(
            title=f"{title} where {cpus} {verb} allowed, and no limit reaches it",
            why=why if pool.size else f"{why} That is so if they compute, which is not known.",
            evidence=(
                f"{pool.name}: {live}{pool.own_switch or 'its switch is not known'}",
                f"{cpus}: {_by(budget.binding)}",
            ),
            remedies=own_remedies(snapshot, pool),
        )


def own_remedies(snapshot: Snapshot, pool: Pool) -> tuple[str, ...]:
    """Give what mends a pool that no limit reaches: lines to run, or where its number is set."""
    row = BY_LABEL.get(pool.name)
    threads = snapshot.budget.threads
    if row is not None and row.remedy:
        return (row.remedy.format(threads=threads),)
    if pool.variables:
        return (f"Before the kernel starts: {pool.variables[0]}={threads}",)
    return (f"Its own switch is {pool.own_switch}",) if pool.own_switch else (_NOT_KNOWN,)


def _by(bound: Bound) -> str:
    return f"{bound.detail} of {bound.where}" if bound.where else f"{bound.source}"
