"""OMP101-OMP106: the same kind of runtime more than once in a process."""

from __future__ import annotations

from collections.abc import Iterator

from ..envvars import is_true
from ..facts import Library
from ..snapshots import Snapshot
from .rule import Case, Rule, bringer, described, named

_LLVM = (
    "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/kmp_runtime.cpp "
    "(__kmp_register_library_startup)"
)
_THREADPOOLCTL = "https://github.com/joblib/threadpoolctl/blob/master/multiple_openmp.md"


def _llvm(libraries: tuple[Library, ...]) -> tuple[Library, ...]:
    return tuple(library for library in libraries if library.kin == "llvm")


def _masked(snapshot: Snapshot) -> bool:
    return any(
        setting.name == "KMP_DUPLICATE_LIB_OK" and is_true(setting.native)
        for setting in snapshot.environment
    )


def _fatal(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = _llvm(libraries)
    waiting = tuple(library for library in copies if not library.initialized)
    if len(copies) < 2 or not waiting or _masked(snapshot):
        return
    started = next((library for library in copies if library.initialized), None)
    if started is not None:
        title = f"The first OpenMP call of {bringer(waiting[0])} will end this kernel"
        why = (
            f"{named(started)} has started; {', '.join(map(named, waiting))} is another runtime "
            "of the LLVM family. When it starts it finds the first one and ends the process: "
            "OMP: Error #15. The notebook shows only that the kernel died."
        )
        keep, other = started, waiting[0]
    else:
        title = f"{len(copies)} LLVM-family OpenMP runtimes: the second to start ends this kernel"
        why = (
            f"None of {', '.join(map(named, copies))} has started. The first one to be called "
            "works; when another one starts it ends the process: OMP: Error #15."
        )
        keep, other = copies[0], copies[1]
    yield Case(
        title=title,
        why=why,
        evidence=tuple(map(described, copies)),
        remedies=_one_of(keep, other),
    )


def _one_of(first: Library, second: Library) -> tuple[str, ...]:
    """Give the ways to have one runtime instead of two."""
    ways = [f"Restart the kernel and use only one of {bringer(first)} and {bringer(second)} in it"]
    if first.owner and second.owner:
        packages = " ".join(sorted({first.owner, second.owner}))
        ways.append(f"One runtime for both: conda install -c conda-forge {packages}")
    return tuple(ways)


def _silenced(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = _llvm(libraries)
    if len(copies) < 2 or not _masked(snapshot):
        return
    yield Case(
        title=f"{len(copies)} OpenMP runtimes of the LLVM family run side by side, unwatched",
        why=(
            "KMP_DUPLICATE_LIB_OK is set, so the second runtime starts without its check. Its own "
            "message says: 'this is dangerous, since it can degrade performance or cause "
            "incorrect results'; crashes and hangs are known."
        ),
        evidence=tuple(map(described, copies)),
        remedies=_one_of(copies[0], copies[1]),
    )


def _several(_snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    runtimes = tuple(
        library for library in libraries if library.api == "openmp" and library.initialized
    )
    if len(runtimes) < 2 or any(library.serves for library in runtimes):
        return
    yield Case(
        title=f"{len(runtimes)} OpenMP runtimes are live, each with its own threads",
        why=(
            f"{', '.join(map(named, runtimes))} do not know of each other: a parallel region "
            "inside another's starts its own full team, and idle threads of one spin while the "
            "other works."
        ),
        evidence=tuple(map(described, runtimes)),
        remedies=("For one cell: %%omp_limit openmp=1",),
    )


def _blas_copies(_snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = tuple(library for library in libraries if library.api == "blas")
    if len(copies) < 2:
        return
    yield Case(
        title=f"{len(copies)} BLAS libraries are loaded, each with its own threads",
        why=(
            f"{', '.join(map(named, copies))}: usual with wheels from PyPI, where every package "
            "brings its own. They matter when code calls both at once."
        ),
        evidence=tuple(map(described, copies)),
        remedies=("For one cell: %%omp_limit blas=1",),
    )


RULES = (
    Rule(
        code="OMP101",
        severity="error",
        summary=(
            "two LLVM-family runtimes, the second not yet used: "
            "its first use ends the process (Error #15)"
        ),
        source=_LLVM,
        look=_fatal,
    ),
    Rule(
        code="OMP102",
        severity="warning",
        summary="two LLVM-family runtimes, masked by KMP_DUPLICATE_LIB_OK",
        source=_LLVM,
        look=_silenced,
    ),
    Rule(
        code="OMP105",
        severity="warning",
        summary="several OpenMP runtimes live: separate pools that don't know of each other",
        source=_THREADPOOLCTL,
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
