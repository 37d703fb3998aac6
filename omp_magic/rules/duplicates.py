"""OMP101-OMP104: runtimes that end or hang a process when they meet."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.settings import EnvSetting
from ..facts.snapshots import Snapshot
from .copies import coming, counted, it, llvm, masked, module_of, one_of, opened, place_of
from .hanging import hangs_between, spinning_between
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
_SILENT = (
    " The later one alone may end it before that, by a segmentation fault in __kmp_suspend: macOS "
    "binds that function to the first copy."
)
_REFUSE = "Or refuse such imports from now on: %omp_guard raise"
_REFUSE_THERE = "In a notebook there, refuse such imports: %omp_guard raise"
_WORKAROUND = (
    "Last resort, which the runtime itself calls an unsafe, unsupported, undocumented workaround "
    "that may cause crashes or silently produce incorrect results: "
    "import os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'"
)


def _fatal(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    if masked(snapshot):
        return
    every = llvm(libraries)
    for place in dict.fromkeys(place_of(snapshot.system, each) for each in every):
        copies = tuple(each for each in every if place_of(snapshot.system, each) == place)
        waiting = tuple(library for library in copies if not library.initialized)
        if len(copies) < 2 or not waiting:
            continue
        started = next((library for library in copies if library.initialized), None)
        silent = _SILENT if sum(bool(each.coalesces) for each in copies) > 1 else ""
        arriving = coming(snapshot, copies)
        if started is not None:
            who = " or ".join(map(bringer, arriving or waiting))
            title = f"{it(snapshot)} will die at the first call of {who}"
            kind = "is another runtime" if len(waiting) == 1 else "are other runtimes"
            why = (
                f"{named(started)} has started; {', '.join(map(named, waiting))} {kind} "
                "of the LLVM family. When it starts it finds the first one and ends the "
                "process: OMP: Error #15. The notebook shows only that the kernel died."
            )
        else:
            if arriving and not snapshot.is_foreseen:
                them = " or ".join(map(bringer, arriving))
                who = f"{them} and another LLVM-family runtime have both"
            else:
                *most, last = map(bringer, copies)
                both = "both" if len(copies) == 2 else "two of"
                who = f"{both} {', '.join(most)} and {last} have"
            title = f"{it(snapshot)} will die once {who} started"
            why = (
                f"None of {', '.join(map(named, copies))} has started. The first one to be called "
                f"works; when another one starts it ends the process: OMP: Error #15.{silent}"
            )
        first, *others = one_of(snapshot, copies)
        refuse = [_REFUSE] if arriving and not snapshot.is_foreseen else []
        there = [_REFUSE_THERE] if snapshot.is_foreseen else []
        yield Case(
            title=title,
            why=why,
            evidence=tuple(map(described, copies)),
            # A Mac's copies that share functions crash with the variable too.
            remedies=(first, *refuse, *others, *([] if silent else [_WORKAROUND]), *there),
        )


def _silenced(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = llvm(libraries)
    setting = snapshot.setting("KMP_DUPLICATE_LIB_OK")
    if len(copies) < 2 or setting is None or not masked(snapshot):
        return
    running = sum(bool(library.initialized) for library in copies)
    started = "" if snapshot.is_foreseen else f"; {running} of {len(copies)} have started"
    number = counted(snapshot, copies, "LLVM-family OpenMP runtimes")
    yield Case(
        title=f"{number} side by side, unwatched",
        why=(
            f"KMP_DUPLICATE_LIB_OK is set ({who_set(snapshot, setting)}), so the second runtime "
            f"starts without its check{started}. Its own message says that this may cause crashes "
            "or silently produce incorrect results."
        ),
        evidence=(*map(described, copies), f"KMP_DUPLICATE_LIB_OK={setting.native}"),
        remedies=one_of(snapshot, copies),
    )


def who_set(snapshot: Snapshot, setting: EnvSetting) -> str:
    """Give who set a variable, as far as it is known."""
    if snapshot.is_foreseen and not setting.set_by:
        return "as was asked for"
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
    second = (*coming(snapshot, hanging), *hanging)[0]
    wait = spinning_between(snapshot, first, second)
    if wait is not None:
        case = hangs_between(snapshot, first, second, wait)
        yield case._replace(remedies=(*case.remedies, *_ways_around(snapshot, libraries, second)))
        return
    yield Case(
        title=f"{it(snapshot)} will hang at the first call of {bringer(second)}",
        why=(
            f"{named(first)} is in the global scope and was there first. libiomp5's own start then "
            "takes libomp's locks for its own and waits for ever; KMP_DUPLICATE_LIB_OK changes "
            "nothing about that."
        ),
        evidence=(described(first), described(second)),
        remedies=_ways_around(snapshot, libraries, second),
    )


def _ways_around(
    snapshot: Snapshot, libraries: tuple[Library, ...], second: Library
) -> tuple[str, ...]:
    when = "Restart the kernel, and load Intel's first, in the first cell"
    if snapshot.is_foreseen or snapshot.outside is not None:
        when = "Load Intel's before all imports"
    return (
        f"{when}: {opened(snapshot, second)}",
        # Where something else than MKL loads libiomp5, MKL's variable does nothing about it.
        *(_other_layer(snapshot) for each in libraries if each.family == "mkl"),
    )


def _other_layer(snapshot: Snapshot) -> str:
    who = "Python" if snapshot.is_foreseen else "the kernel"
    return f"Or let MKL use another runtime, before {who} starts: MKL_THREADING_LAYER=GNU"


def _refused(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    setting = snapshot.setting("MKL_THREADING_LAYER")
    if setting is None or (setting.native or "").strip().upper() != "INTEL":
        return
    provider = next((each for each in libraries if each.serves), None)
    loaded = any(each.family == "mkl" and each in snapshot.libraries for each in libraries)
    importable = any(reading.family == "mkl" for reading in setting.readings)
    if provider is None or provider.family == "libiomp5" or loaded or not importable:
        return
    first = ("mkl", *filter(None, [module_of(provider)]))
    again = "Or" if snapshot.is_foreseen else "Or restart the kernel and"
    yield Case(
        title=f"{it(snapshot)} will die when mkl is imported: MKL_THREADING_LAYER is INTEL",
        why=(
            f"{named(provider)} serves OpenMP in the global scope. mkl-service then prints "
            "'MKL_THREADING_LAYER=INTEL is incompatible with "
            f"{provider.file_name}' and exits; no Python exception is raised. "
            f"The variable: {who_set(snapshot, setting)}. A child process inherits it from a "
            "parent that imported mkl."
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
            f"{again} import mkl first: import {', '.join(first)}",
        ),
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
