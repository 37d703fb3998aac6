"""OMP201-OMP206: more threads than CPUs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..facts.cpus import Bound, cpus_words
from ..facts.libraries import Library, Pool
from ..facts.snapshots import Snapshot
from .crowded import own_remedies, threads_wanted, unreached_cases
from .rule import Case, Rule

_ENOUGH_PERIODS = 20
_NOTABLE = 0.05
"""Share of throttled periods worth a warning: a burst now and then is what a quota is for."""


def _by(bound: Bound) -> str:
    return f"{bound.detail} of {bound.where}" if bound.where else f"{bound.source}"


def _remedies(snapshot: Snapshot, pools: list[Pool]) -> tuple[str, ...]:
    names = sorted({pool.variables[0] for pool in pools if pool.variables})
    before = " ".join(f"{name}={snapshot.budget.threads}" for name in names)
    session = "For this session: %omp_limit auto"
    return (session, f"Before the kernel starts: {before}") if before else (session,)


def _is_warning(snapshot: Snapshot, pool: Pool) -> bool:
    """Tell OMP201 from OMP205.

    A team larger than the visible CPUs costs 2 to 100 times (measured: 3 threads on 2 CPUs, 22
    times). One that fits them but not the quota costs 0 to 10 % at twice the quota, and as much
    as the first where it is a multiple (xgboost#7653: 90 times at 16 threads on 1 CPU).
    """
    size = threads_wanted(snapshot, pool)
    if pool.api == "unknown" and not pool.own_switch:
        return False  # what its threads do is not known
    return size > _visible(snapshot, pool) or size > 2 * _allowed(snapshot, pool)


def _visible(snapshot: Snapshot, pool: Pool) -> int:
    """Give the CPUs that a pool's threads may run on: a bound team's are its own threads'."""
    return pool.bound_cpus or snapshot.budget.affinity_cpus


def _allowed(snapshot: Snapshot, pool: Pool) -> int:
    """Give the threads that a pool should have: the budget's, the affinity that of its threads."""
    budget = snapshot.budget
    if pool.bound_cpus is None:
        return budget.threads
    others = [
        bound.cpus
        for bound in budget.bounds
        if bound.lowers and bound.cpus is not None and bound.source != "affinity"
    ]
    return max(1, math.ceil(min([pool.bound_cpus, *others])))


def _own(snapshot: Snapshot, *, reached: bool = True) -> list[Pool]:
    """Give the pools that compute on threads of their own; those for files mostly wait."""
    own = [pool for pool in snapshot.pools if not pool.lender and not pool.for_io]
    return [pool for pool in own if pool.unreached is not reached]


def _case(snapshot: Snapshot, pools: list[Pool], why: str) -> Case:
    budget = snapshot.budget
    most = max(pools, key=lambda pool: pool.size)
    cpus = budget.cpus if most.bound_cpus is None else float(_allowed(snapshot, most))
    return Case(
        title=(
            f"{most.name} uses {most.size} threads where {cpus_words(cpus)} "
            f"{'is' if cpus == 1 else 'are'} allowed"
        ),
        why=why,
        evidence=(
            ", ".join(f"{pool.name} {pool.size}" for pool in pools),
            f"{cpus_words(budget.cpus)}: {_by(budget.binding)}",
        ),
        remedies=_remedies(snapshot, pools),
    )


def _too_many(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    large = [pool for pool in _own(snapshot) if _is_warning(snapshot, pool)]
    if large:
        yield _case(
            snapshot,
            large,
            "Threads of one team wait for each other, and most of them have no CPU to run on "
            "while the others spin. Small operations become many times slower than with one.",
        )
    yield from unreached_cases(
        snapshot,
        [pool for pool in _own(snapshot, reached=False) if _is_warning(snapshot, pool)],
        "Threads of one pool wait for each other, and most of them have no CPU to run on.",
    )


def _over_quota(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    large = [
        pool
        for pool in _own(snapshot)
        if pool.size > _allowed(snapshot, pool) and not _is_warning(snapshot, pool)
    ]
    if large:
        yield _case(
            snapshot,
            large,
            f"{snapshot.budget.affinity_cpus} CPUs are visible, so all threads run at once, use "
            "up the quota early in each period and are all stopped until the next one.",
        )
    yield from unreached_cases(
        snapshot,
        [
            pool
            for pool in _own(snapshot, reached=False)
            if threads_wanted(snapshot, pool) > snapshot.budget.threads
            and not _is_warning(snapshot, pool)
        ],
        f"{snapshot.budget.affinity_cpus} CPUs are visible, so its threads run at once, use up the "
        "quota early in each period and are all stopped until the next one.",
    )


def _throttled(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    load, budget = snapshot.load, snapshot.budget
    if load is not None and load.throttled_share is not None:
        share, over = load.throttled_share, f"of the last {load.interval_s:.1f} s"
    else:
        # The first look has no rate: go by what the counters say since the cgroup was made.
        counted = [each for each in snapshot.throttling if each.periods >= _ENOUGH_PERIODS]
        share = max((each.throttled_periods / each.periods for each in counted), default=0.0)
        over = "of the time since its cgroup was made"
    if share < _NOTABLE:
        return
    pools = [*_own(snapshot), *_own(snapshot, reached=False)]
    largest = max((pool.size for pool in pools), default=0)
    yield Case(
        title=f"Throttled {share:.0%} {over}",
        why=(
            f"The quota of {cpus_words(budget.cpus)} is used up before its period ends, and every "
            "thread of the cgroup is stopped until the next one."
            + (f" The largest pool has {largest} threads." if largest > budget.threads else "")
        ),
        evidence=(
            *(
                f"{each.group}: throttled in {each.throttled_periods} of {each.periods} periods, "
                f"{each.throttled_us / 1e6:.2f} s in all"
                for each in snapshot.throttling
            ),
            f"{cpus_words(budget.cpus)}: {_by(budget.binding)}",
        ),
        remedies=tuple(_relief(snapshot)),
    )


def _relief(snapshot: Snapshot) -> Iterator[str]:
    """Give what ends throttling, or lessens it.

    Measured with OpenBLAS and cgroup v1, products of 600 x 600 in 2 s: with 1 CPU of quota 196 by
    two threads, stopped in each period, and 240 by the one of `auto`, not stopped; with 1.5 CPUs
    349 by two, stopped in each period, and 227 by one, which is not; with 0.5 CPUs 42 by two and
    121 by one, both stopped in each period.
    """
    budget = snapshot.budget
    cpus, whole = cpus_words(budget.cpus), int(budget.cpus)
    large = [pool for pool in _own(snapshot) if pool.size > budget.threads]
    others = [
        remedy
        for pool in _own(snapshot, reached=False)
        if threads_wanted(snapshot, pool) > budget.threads
        for remedy in own_remedies(snapshot, pool)
    ]
    more = f"Ask for more than {cpus}, or run less at the same time; no pool is too large"
    if whole == budget.threads and large:
        yield from _remedies(snapshot, large)
    elif whole == budget.threads:
        yield from () if others else (more,)
    else:
        if not whole:
            yield f"Ask for a whole CPU, since one busy thread alone uses up {cpus}"
        elif any(pool.size > whole for pool in _own(snapshot)):
            yield f"Never to be stopped, at the price of a part of {cpus}: %omp_limit {whole}"
        elif not others:
            yield more
        if large:
            yield "To be stopped less: %omp_limit auto"
    yield from others


def _starved(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    load, budget = snapshot.load, snapshot.budget
    if load is None or load.starved_share is None or not load.waits_notably:
        return
    used = max(load.used_cpus or 0.0, load.group_cpus or 0.0)
    if used > 0.9 * budget.cpus or (load.throttled_share or 0.0) >= _NOTABLE:
        return  # the visible limit explains it
    if load.neighbours is not None and load.neighbours.are_notable:
        return  # OMP211 says who
    yield Case(
        title=f"Ready to run, and waiting {load.starved_share:.0%} of the time",
        why=(
            f"Ready threads waited for a CPU although only {used:.2f} of the visible limit of "
            f"{cpus_words(budget.cpus)} was used: a limit that no file shows here, a pod's for "
            "example, or other processes on a busy host."
        ),
        evidence=(
            f"waited {load.starved_share:.0%} over {load.interval_s:.1f} s",
            f"used {used:.2f} of {cpus_words(budget.cpus)}",
        ),
        remedies=("Measure what one really gets: %omp_status --probe",),
    )


RULES = (
    Rule(
        code="OMP201",
        severity="warning",
        summary="a pool has more threads than the CPUs this process may use",
        source="https://github.com/OpenMathLib/OpenBLAS/issues/1155",
        look=_too_many,
    ),
    Rule(
        code="OMP203",
        severity="warning",
        summary="the cgroup is being throttled",
        source="https://docs.kernel.org/scheduler/sched-bwc.html",
        look=_throttled,
    ),
    Rule(
        code="OMP205",
        severity="info",
        summary="pool threads exceed the quota but not the visible CPUs: bursts, then throttling",
        source="https://docs.kernel.org/scheduler/sched-bwc.html",
        look=_over_quota,
    ),
    Rule(
        code="OMP206",
        severity="warning",
        summary="threads are ready to run but wait although the visible limit is not reached",
        source="https://docs.kernel.org/scheduler/sched-stats.html",
        look=_starved,
    ),
)
