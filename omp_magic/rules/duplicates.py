"""OMP101-OMP104: runtimes that end or hang a process when they meet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.settings import EnvSetting
from ..facts.snapshots import Snapshot
from ..knowledge.conda import conda_name
from ..knowledge.envvars import is_true
from .rule import Case, Rule, bringer, described, named

_LLVM = (
    "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/kmp_runtime.cpp "
    "(__kmp_register_library_startup)"
)
THREADPOOLCTL = "https://github.com/joblib/threadpoolctl/blob/master/multiple_openmp.md"
_MKL_SERVICE = (
    "https://github.com/IntelPython/mkl-service/blob/master/mkl/_mklinitmodule.c "
    "(_preload_threading_layer)"
)
_OTHER_LAYER = "Or let MKL use another runtime, before the kernel starts: MKL_THREADING_LAYER=GNU"
_REFUSE = "Or refuse such imports from now on: %omp_guard raise"
_WORKAROUND = (
    "Last resort, which the runtime itself calls an unsafe, unsupported, undocumented workaround "
    "that may cause crashes or silently produce incorrect results: "
    "import os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'"
)


def _llvm(libraries: tuple[Library, ...]) -> tuple[Library, ...]:
    return tuple(each for each in libraries if each.kin == "llvm" and not each.idle)


def _masked(snapshot: Snapshot) -> bool:
    setting = snapshot.setting("KMP_DUPLICATE_LIB_OK")
    return setting is not None and is_true(setting.native)


def _fatal(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    if _masked(snapshot):
        return
    # A shared library registers in a file, a static copy in a variable: neither sees the other.
    for static in (False, True):
        copies = tuple(each for each in _llvm(libraries) if each.static is static)
        waiting = tuple(library for library in copies if not library.initialized)
        if len(copies) < 2 or not waiting:
            continue
        started = next((library for library in copies if library.initialized), None)
        coming = _coming(snapshot, copies)
        if started is not None:
            who = " or ".join(map(bringer, coming or waiting))
            title = f"This kernel will die at the first call of {who}"
            kind = "is another runtime" if len(waiting) == 1 else "are other runtimes"
            why = (
                f"{named(started)} has started; {', '.join(map(named, waiting))} {kind} "
                "of the LLVM family. When it starts it finds the first one and ends the "
                "process: OMP: Error #15. The notebook shows only that the kernel died."
            )
        else:
            if coming:
                who = (
                    f"{' or '.join(map(bringer, coming))} and another LLVM-family runtime have both"
                )
            else:
                *most, last = map(bringer, copies)
                who = f"two of {', '.join(most)} and {last} have"
            title = f"This kernel will die once {who} started"
            why = (
                f"None of {', '.join(map(named, copies))} has started. The first one to be called "
                "works; when another one starts it ends the process: OMP: Error #15."
            )
        first, *others = _one_of(snapshot, copies)
        yield Case(
            title=title,
            why=why,
            evidence=tuple(map(described, copies)),
            remedies=(first, *([_REFUSE] if coming else []), *others, _WORKAROUND),
        )


def _coming(snapshot: Snapshot, libraries: tuple[Library, ...]) -> tuple[Library, ...]:
    """Give those that are about to be loaded: a guard's alarm is about them."""
    return tuple(each for each in libraries if each not in snapshot.libraries)


def _counted(snapshot: Snapshot, copies: tuple[Library, ...], noun: str) -> str:
    """Give their number, and which of them is about to be loaded."""
    coming = ", ".join(map(bringer, _coming(snapshot, copies)))
    return f"{len(copies)} {noun} with {coming}" if coming else f"{len(copies)} {noun}"


def _one_of(snapshot: Snapshot, copies: tuple[Library, ...]) -> tuple[str, ...]:
    """Give the ways to have one runtime instead of several."""
    # libiomp5 has all that libomp has; libomp before libiomp5 in the global scope hangs.
    shared = sorted((each for each in copies if not each.static), key=_intel_first)
    ways = []
    # Where the first one serves all already, the others are called through their own handles.
    if shared and not copies[0].serves:
        ways.append(
            f"Restart the kernel, and let {bringer(shared[0])}'s runtime serve all, in the first "
            f"cell: import ctypes; ctypes.CDLL({shared[0].path!r}, ctypes.RTLD_GLOBAL)"
        )
    packages = " ".join(sorted({conda_name(each.owner) for each in copies if each.owner}))
    if snapshot.conda and packages:
        ways.append(f"One runtime for all: conda install -c conda-forge {packages}")
    elif packages:
        ways.append(
            "One runtime for all, in an environment of its own: "
            f"conda create -n one-openmp -c conda-forge ipykernel {packages}"
        )
    *most, last = map(bringer, copies)
    ways.append(f"Or use only one of {', '.join(most)} and {last} in a kernel")
    return tuple(ways)


def _intel_first(library: Library) -> bool:
    return library.family != "libiomp5"


def _silenced(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = _llvm(libraries)
    setting = snapshot.setting("KMP_DUPLICATE_LIB_OK")
    if len(copies) < 2 or setting is None or not _masked(snapshot):
        return
    running = sum(bool(library.initialized) for library in copies)
    number = _counted(snapshot, copies, "LLVM-family OpenMP runtimes")
    yield Case(
        title=f"{number} side by side, unwatched",
        why=(
            f"KMP_DUPLICATE_LIB_OK is set ({who_set(setting)}), so the second runtime starts "
            f"without its check; {running} of {len(copies)} have started. Its own message says "
            "that this may cause crashes or silently produce incorrect results."
        ),
        evidence=(*map(described, copies), f"KMP_DUPLICATE_LIB_OK={setting.native}"),
        remedies=_one_of(snapshot, copies),
    )


def who_set(setting: EnvSetting) -> str:
    """Give who set a variable, as far as it is known."""
    if setting.at_exec is not None and setting.at_exec == setting.native:
        return "it was set before this kernel started"
    if setting.change is not None and setting.change.by:
        return f"set by {setting.change.by}"
    if setting.set_by:
        return f"importing {' or '.join(setting.set_by)} sets it"
    return "it was set in this kernel, by whom is not known"


def _hanging(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    first = next((each for each in libraries if each.serves and each.family == "libomp"), None)
    intel = tuple(each for each in libraries if each.family == "libiomp5")
    hanging = tuple(each for each in intel if each.idle and not each.initialized)
    if first is None or not hanging:
        return
    second = (*_coming(snapshot, hanging), *hanging)[0]
    yield Case(
        title=f"This kernel will hang at the first call of {bringer(second)}",
        why=(
            f"{named(first)} is in the global scope and was there first. libiomp5's own start then "
            "takes libomp's locks for its own and waits for ever; KMP_DUPLICATE_LIB_OK changes "
            "nothing about that."
        ),
        evidence=(described(first), described(second)),
        remedies=(
            (
                "Restart the kernel, and load Intel's first, in the first cell: "
                f"import ctypes; ctypes.CDLL({second.path!r}, ctypes.RTLD_GLOBAL)"
            ),
            # Where something else than MKL loads libiomp5, MKL's variable does nothing about it.
            *(_OTHER_LAYER for each in libraries if each.family == "mkl"),
        ),
    )


def _refused(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    setting = snapshot.setting("MKL_THREADING_LAYER")
    if setting is None or (setting.native or "").strip().upper() != "INTEL":
        return
    provider = next((each for each in libraries if each.serves), None)
    loaded = any(each.family == "mkl" and each in snapshot.libraries for each in libraries)
    importable = any(reading.family == "mkl" for reading in setting.readings)
    if provider is None or provider.family == "libiomp5" or loaded or not importable:
        return
    yield Case(
        title="This kernel will die when mkl is imported: MKL_THREADING_LAYER is INTEL",
        why=(
            f"{named(provider)} serves OpenMP in the global scope. mkl-service then prints "
            "'MKL_THREADING_LAYER=INTEL is incompatible with "
            f"{provider.file_name}' and exits; no Python exception is raised. "
            f"The variable: {who_set(setting)}. A child process inherits it from a parent that "
            "imported mkl."
        ),
        evidence=(
            (
                f"MKL_THREADING_LAYER: C getenv {setting.native!r}, os.environ {setting.python!r}, "
                f"at start {setting.at_exec!r}"
            ),
            described(provider),
        ),
        remedies=(
            "Before importing mkl: import os; os.environ['MKL_THREADING_LAYER'] = 'GNU'",
            (
                "Or restart the kernel and import mkl first: "
                f"import {', '.join(('mkl', *filter(None, [module_of(provider)])))}"
            ),
        ),
    )


def module_of(library: Library) -> str | None:
    """Give the module whose import loads a library, where its path tells it."""
    if library.owner in ("intel-openmp", "mkl"):
        return "mkl"
    match = re.search(r"-packages[/\\]([A-Za-z_]\w*)[/\\]", library.path)
    return match[1] if match else None


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
        code="OMP103",
        severity="error",
        summary="libomp in the global scope, then libiomp5: its first use hangs",
        source=THREADPOOLCTL,
        look=_hanging,
    ),
    Rule(
        code="OMP104",
        severity="error",
        summary=(
            "MKL_THREADING_LAYER=INTEL with a non-Intel OpenMP in the global scope: "
            "importing mkl exits the process"
        ),
        source=_MKL_SERVICE,
        look=_refused,
    ),
)
