"""A snapshot -> families of samples for a monitoring system. What is not known has no sample."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping

from ..facts.series import Family
from ..facts.snapshots import Snapshot

_DUPLICATES = ("OMP101", "OMP102", "OMP103", "OMP107")
"""Findings that two OpenMP runtimes are in the process that cannot share it."""
_Rows = tuple[tuple[tuple[str, ...], float], ...]

FAMILIES = (
    Family(
        name="omp_magic_info",
        kind="gauge",
        told="Always 1; the labels tell what answers.",
        labels=("version", "python"),
    ),
    Family(
        name="omp_magic_cpus_allowed",
        kind="gauge",
        told="CPUs this process may use: the smallest of quota, affinity and declarations.",
    ),
    Family(
        name="omp_magic_quota_cpus",
        kind="gauge",
        told="CPUs the tightest cgroup quota allows; absent without one.",
    ),
    Family(name="omp_magic_affinity_cpus", kind="gauge", told="CPUs in the affinity mask."),
    Family(name="omp_magic_machine_cpus", kind="gauge", told="CPUs online in the machine."),
    Family(
        name="omp_magic_threads_allowed",
        kind="gauge",
        told="Threads that a pool should have for the CPUs allowed.",
    ),
    Family(name="omp_magic_threads", kind="gauge", told="OS threads of this process."),
    Family(
        name="omp_magic_owner_threads",
        kind="gauge",
        told="Live OS threads by the library that started them; Python's are those of threading.",
        labels=("owner",),
    ),
    Family(
        name="omp_magic_pool_threads",
        kind="gauge",
        told="Size of each thread pool in threads, that it has or starts with; absent where it "
        "may not be asked: OpenMP's belongs to the main thread.",
        labels=("family", "library"),
    ),
    Family(
        name="omp_magic_process_cpu_seconds",
        kind="counter",
        told="CPU time of this process in seconds, user and system.",
    ),
    Family(name="omp_magic_resident_memory_bytes", kind="gauge", told="Resident memory in bytes."),
    Family(
        name="omp_magic_cfs_periods",
        kind="counter",
        told="Enforcement periods of each cgroup with a quota.",
        labels=("group",),
    ),
    Family(
        name="omp_magic_throttled_periods",
        kind="counter",
        told="Enforcement periods in which the cgroup was throttled.",
        labels=("group",),
    ),
    Family(
        name="omp_magic_throttled_seconds",
        kind="counter",
        told="Time in which the cgroup was throttled in seconds, summed over CPUs.",
        labels=("group",),
    ),
    Family(
        name="omp_magic_findings",
        kind="gauge",
        told="What is wrong or worth knowing, by its code: omp-magic explain CODE.",
        labels=("code", "severity"),
    ),
    Family(
        name="omp_magic_duplicate_runtimes",
        kind="gauge",
        told="1 where two OpenMP runtimes are loaded that cannot share a process, else 0.",
    ),
    Family(
        name="omp_magic_unknown",
        kind="gauge",
        told="Always 1: something that could not be read, by its name.",
        labels=("what",),
    ),
)
"""Every family, with what it is and no samples."""


def families_of(
    snapshot: Snapshot, version: str, cpu_s: float | None, rss_bytes: int | None
) -> tuple[Family, ...]:
    """Give every family that has samples.

    Parameters
    ----------
    snapshot
        The facts.
    version
        omp_magic's.
    cpu_s, rss_bytes
        CPU time of the process in seconds and its resident memory; None where unknown.
    """
    known = {**_of_cpus(snapshot), **_of_threads(snapshot), **_of_throttling(snapshot)}
    known["omp_magic_info"] = (((version, snapshot.python), 1.0),)
    known["omp_magic_process_cpu_seconds"] = _one(cpu_s)
    known["omp_magic_resident_memory_bytes"] = _one(rss_bytes)
    known |= _of_findings(snapshot)
    missing = dict.fromkeys(gap.what for gap in snapshot.gaps)
    known["omp_magic_unknown"] = tuple(((what,), 1.0) for what in missing)
    return tuple(
        Family(
            name=each.name,
            kind=each.kind,
            told=each.told,
            labels=each.labels,
            samples=known[each.name],
        )
        for each in FAMILIES
        if known.get(each.name)
    )


def _of_cpus(snapshot: Snapshot) -> dict[str, _Rows]:
    if any(gap.what == "budget" for gap in snapshot.gaps):
        return {}
    budget = snapshot.budget
    return {
        "omp_magic_cpus_allowed": _one(budget.cpus),
        "omp_magic_quota_cpus": _one(budget.quota_cpus),
        "omp_magic_affinity_cpus": _one(budget.affinity_cpus),
        "omp_magic_machine_cpus": _one(budget.machine_cpus),
        "omp_magic_threads_allowed": _one(budget.threads),
    }


def _of_threads(snapshot: Snapshot) -> dict[str, _Rows]:
    owners: Counter[str] = Counter()
    titles = {library.path: library.title for library in snapshot.libraries}
    for owner in snapshot.thread_owners or ():
        name = os.path.basename(owner.path)
        also = f"{name} ({owner.package})" if owner.package else name
        owners[titles.get(owner.path, also)] += owner.num_threads
    if snapshot.thread_owners is not None and snapshot.python_threads is not None:
        owners["Python"] = snapshot.python_threads.alive
    sizes: dict[tuple[str, ...], float] = {}
    for pool in snapshot.pools:
        if pool.size and not pool.lender:
            called = titles.get(pool.library, pool.name)
            also, number = called, 1
            while (pool.family, also) in sizes:
                number += 1
                also = f"{called} {number}"
            sizes[pool.family, also] = float(pool.size)
    return {
        "omp_magic_threads": _one(snapshot.num_os_threads),
        "omp_magic_owner_threads": _rows({(name,): n for name, n in owners.items()}),
        "omp_magic_pool_threads": _rows(sizes),
    }


def _of_throttling(snapshot: Snapshot) -> dict[str, _Rows]:
    groups = snapshot.throttling
    return {
        "omp_magic_cfs_periods": tuple(((g.group,), float(g.periods)) for g in groups),
        "omp_magic_throttled_periods": tuple(
            ((g.group,), float(g.throttled_periods)) for g in groups
        ),
        "omp_magic_throttled_seconds": tuple(((g.group,), g.throttled_us / 1e6) for g in groups),
    }


def _of_findings(snapshot: Snapshot) -> dict[str, _Rows]:
    if any(gap.what in ("findings", "libraries") for gap in snapshot.gaps):
        return {}
    found: Counter[tuple[str, ...]] = Counter(
        (finding.code, finding.severity) for finding in snapshot.findings
    )
    duplicates = any(finding.code in _DUPLICATES for finding in snapshot.findings)
    return {
        "omp_magic_findings": _rows(found),
        "omp_magic_duplicate_runtimes": _one(float(duplicates)),
    }


def _one(number: float | None) -> _Rows:
    return () if number is None else (((), float(number)),)


def _rows(numbers: Mapping[tuple[str, ...], float]) -> _Rows:
    return tuple(_sorted(numbers))


def _sorted(
    numbers: Mapping[tuple[str, ...], float],
) -> Iterator[tuple[tuple[str, ...], float]]:
    for labels in sorted(numbers):
        yield labels, float(numbers[labels])
