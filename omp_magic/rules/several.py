"""OMP105 and OMP106: the same kind of runtime more than once, each with a pool of its own."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from .copies import module_of
from .duplicates import THREADPOOLCTL
from .rule import Case, Rule, described, named, pools_among


def _several(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    runtimes = tuple(
        each for each in libraries if each.api == "openmp" and each.initialized and not each.idle
    )
    if pools_among(snapshot, runtimes) < 2:
        return
    remedies = ["For one cell: %%omp_limit openmp=1"]
    again = ", after a restart"
    if snapshot.is_foreseen:
        remedies = ["For one cell there: %%omp_limit openmp=1"]
        again = ""
    late = next((each for each in runtimes[1:] if each.serves), None)
    if late is not None and module_of(late):
        remedies.insert(
            0,
            f"One runtime for all{again}, first of all: import {module_of(late)}",
        )
    yield Case(
        title=f"{len(runtimes)} OpenMP runtimes are live, each with its own threads",
        why=(
            f"{', '.join(map(named, runtimes))} do not know of each other: a parallel region "
            "inside another's starts its own full team, and idle threads of one spin while the "
            "other works."
        ),
        evidence=tuple(map(described, runtimes)),
        remedies=tuple(remedies),
    )


def _blas_copies(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = tuple(library for library in libraries if library.api == "blas")
    if pools_among(snapshot, copies) < 2:
        return
    yield Case(
        title=f"{len(copies)} BLAS libraries are loaded, each with its own threads",
        why=(
            f"{', '.join(map(named, copies))}: usual with wheels from PyPI, where every package "
            "brings its own. They matter when code calls both at once."
        ),
        evidence=tuple(map(described, copies)),
        # Nothing is turned in a process that is not here.
        remedies=() if snapshot.is_foreseen else ("For one cell: %%omp_limit blas=1",),
    )


RULES = (
    Rule(
        code="OMP105",
        severity="warning",
        summary="several OpenMP runtimes live: separate pools that don't know of each other",
        source=THREADPOOLCTL,
        look=_several,
    ),
    Rule(
        code="OMP106",
        severity="info",
        summary="several BLAS copies, each with its own pool",
        source="https://pypackaging-native.github.io/key-issues/native-dependencies/blas_openmp/",
        look=_blas_copies,
    ),
)
