"""OMP201-OMP206: more threads than CPUs."""

from __future__ import annotations

from collections.abc import Iterator

from ..catalog import BY_KEY
from ..cpus import Bound
from ..facts import Library, Pool
from ..snapshots import Snapshot
from .rule import Case, Rule


def _size(pool: Pool) -> int:
    return pool.num_threads if pool.num_threads is not None else pool.would_use or 0


def _by(bound: Bound) -> str:
    return f"{bound.detail} of {bound.where}" if bound.where else f"{bound.source}"


def _remedies(snapshot: Snapshot, pools: list[Pool]) -> tuple[str, ...]:
    names = sorted({BY_KEY[pool.family].variables[0] for pool in pools})
    before = " ".join(f"{name}={snapshot.budget.threads}" for name in names)
    return ("For this session: %omp_limit auto", f"Before the kernel starts: {before}")


def _is_warning(snapshot: Snapshot, pool: Pool) -> bool:
    """Tell OMP201 from OMP205.

    A team larger than the visible CPUs costs 2 to 100 times (measured: 3 threads on 2 CPUs, 22
    times). One that fits them but not the quota costs 0 to 10 % at twice the quota, and as much
    as the first where it is a multiple (xgboost#7653: 90 times at 16 threads on 1 CPU).
    """
    budget = snapshot.budget
    return _size(pool) > budget.affinity_cpus or _size(pool) > 2 * budget.threads


def _case(snapshot: Snapshot, pools: list[Pool], why: str) -> Case:
    budget = snapshot.budget
    most = max(pools, key=_size)
    return Case(
        title=f"{most.name} uses {_size(most)} threads where {budget.cpus:g} CPUs are allowed",
        why=why,
        evidence=(
            ", ".join(f"{pool.name} {_size(pool)}" for pool in pools),
            f"{budget.cpus:g} CPUs: {_by(budget.binding)}",
        ),
        remedies=_remedies(snapshot, pools),
    )


def _too_many(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    large = [pool for pool in snapshot.pools if _is_warning(snapshot, pool)]
    if large:
        yield _case(
            snapshot,
            large,
            "Threads of one team wait for each other, and most of them have no CPU to run on "
            "while the others spin. Small operations become many times slower than with one.",
        )


def _over_quota(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    large = [
        pool
        for pool in snapshot.pools
        if _size(pool) > snapshot.budget.threads and not _is_warning(snapshot, pool)
    ]
    if large:
        yield _case(
            snapshot,
            large,
            f"{snapshot.budget.affinity_cpus} CPUs are visible, so all threads run at once, use "
            "up the quota early in each period and are all stopped until the next one.",
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
        code="OMP205",
        severity="info",
        summary="pool threads exceed the quota but not the visible CPUs: bursts, then throttling",
        source="https://docs.kernel.org/scheduler/sched-bwc.html",
        look=_over_quota,
    ),
)
