"""OMP107: copies of the LLVM family that do not notice each other, and end a process in silence.

Which copies end a Mac's process was found on the wheels of 26 public reports that say how it
ended (tests/data/foreign/reports.json): where copies register decides about Error #15, and
whether they export their functions weakly about the crash.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from ..knowledge.registration import ENVIRONMENT, FILE, REGISTRIES, SHARED_MEMORY
from .copies import counted, it, llvm, masked, one_of, place_of
from .rule import Case, Rule, bringer, described, named

_SOURCE = (
    "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/kmp_runtime.cpp "
    "(__kmp_register_library_startup); https://github.com/apple-oss-distributions/dyld "
    "(Loader.cpp, BIND_SPECIAL_DYLIB_WEAK_LOOKUP); "
    "https://github.com/pytorch/pytorch/issues/121101"
)
_PLACES = {
    ENVIRONMENT: "in an environment variable",
    SHARED_MEMORY: "in shared memory (shm_open)",
    FILE: "in a file below /tmp",
    "": "in a place that is not known",
}


def _unseen(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    copies = llvm(libraries) if REGISTRIES[snapshot.system].unnoticed_end else ()
    sharing = tuple(each for each in copies if each.coalesces)
    if len(sharing) > 1 and (masked(snapshot) or _apart(snapshot, sharing)):
        yield _crashing(snapshot, sharing)
    elif not masked(snapshot) and _apart(snapshot, copies):
        yield _unwatched(snapshot, copies)


def _apart(snapshot: Snapshot, copies: tuple[Library, ...]) -> bool:
    """Tell whether some of them do not look where others tell of themselves."""
    return len({place_of(snapshot.system, each) for each in copies}) > 1


def _crashing(snapshot: Snapshot, copies: tuple[Library, ...]) -> Case:
    first, *later = copies
    who = " or ".join(map(bringer, later))
    variable = (
        " KMP_DUPLICATE_LIB_OK, which is set, does not help: it has no part in that."
        if masked(snapshot)
        else ""
    )
    number = counted(snapshot, copies, "copies of one OpenMP runtime")
    return Case(
        title=f"{it(snapshot)} will crash in silence once {who} works in parallel: {number}",
        why=(
            f"{_registered(snapshot, copies)}. So {_error15(snapshot, copies)}. And macOS binds "
            "functions that several of them export, such as __kmp_suspend, to the first copy, "
            f"{named(first)}; the threads of {' and '.join(map(named, later))} then run it, and it "
            "does not know them: a segmentation fault at the first parallel region. Only the copy "
            f"that is loaded first works.{variable}"
        ),
        evidence=tuple(map(described, copies)),
        remedies=one_of(snapshot, copies),
    )


def _unwatched(snapshot: Snapshot, copies: tuple[Library, ...]) -> Case:
    number = counted(snapshot, copies, "copies of one OpenMP runtime")
    started = "both start" if len(copies) == 2 else "all start"
    return Case(
        title=f"{it(snapshot)} may crash in silence: {number} that do not notice each other",
        why=(
            f"{_registered(snapshot, copies)}. So none finds the other, no Error #15 comes, and "
            f"{started}, each with a pool of its own; a crash, a hang or a wrong result may follow."
        ),
        evidence=tuple(map(described, copies)),
        remedies=one_of(snapshot, copies),
    )


def _error15(snapshot: Snapshot, copies: tuple[Library, ...]) -> str:
    unknown = any(place_of(snapshot.system, each) == "" for each in copies)
    return "Error #15 may not come" if unknown else "no Error #15 comes"


def _registered(snapshot: Snapshot, copies: tuple[Library, ...]) -> str:
    """Give where copies tell others of themselves."""
    places: dict[str, list[str]] = {}
    for each in copies:
        places.setdefault(place_of(snapshot.system, each), []).append(bringer(each))
    told = (f"{', '.join(who)} {_PLACES[place]}" for place, who in places.items())
    where = "; ".join(told)
    if len(places) == 1:
        return f"KMP_DUPLICATE_LIB_OK switches their look for each other off ({where})"
    return f"They register in different places: {where}"


RULES = (
    Rule(
        code="OMP107",
        severity="error",
        summary=(
            "several LLVM-family copies that do not see each other: "
            "no check, a crash, a hang or wrong results"
        ),
        source=_SOURCE,
        look=_unseen,
    ),
)
