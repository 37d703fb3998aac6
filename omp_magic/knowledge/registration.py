"""Where a copy of LLVM's or Intel's runtime tells other copies of itself.

openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup: a variable of the environment
until LLVM 12 and in a copy that is linked into another library, then an object of shm_open, and
where /dev/shm is missing a file below /tmp. Copies that look in different places do not notice
each other: no Error #15 comes, and nothing keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

ENVIRONMENT, SHARED_MEMORY, FILE = "environment", "shared memory", "file"


class Registry(NamedTuple):
    """Where the copies of a system look for each other; those linked into others aside.

    Parameters
    ----------
    everywhere
        Where every copy registers, whatever its age; "" where its age decides, which its texts
        tell.
    seen_by_all
        A place that copies of all ages are taken to share; "" where each looks in its own, and
        one that does not tell it where no other does.
    has_dev_shm
        Whether there is a /dev/shm, so that a copy that looks for it makes no file below /tmp.
    unnoticed_end
        Whether copies that do not notice each other were seen to end the process.
    """

    everywhere: str
    seen_by_all: str
    has_dev_shm: bool
    unnoticed_end: bool


REGISTRIES = {
    # A shared and a linked-in copy of one family were seen to work side by side there, each for
    # its own library.
    "linux": Registry(
        everywhere="", seen_by_all=SHARED_MEMORY, has_dev_shm=True, unnoticed_end=False
    ),
    # Those that do not tell are taken for one kind: beside Homebrew's every report saw a crash,
    # and none Error #15 (tests/data/foreign/reports.json).
    "macos": Registry(everywhere="", seen_by_all="", has_dev_shm=False, unnoticed_end=True),
    # Shared memory is for Unix alone; Intel's DLLs from 2021.4 to 2026.2 and torch's were seen to
    # register in a variable, and to notice each other.
    "windows": Registry(
        everywhere=ENVIRONMENT, seen_by_all=ENVIRONMENT, has_dev_shm=False, unnoticed_end=False
    ),
}


def registers_of(texts: Collection[str], *, static: bool) -> str:
    """Give where a copy registers, by the texts in it.

    Parameters
    ----------
    texts
        Those of `omp_magic.formats.binaries.MARKS` that its file holds.
    static
        Whether it is linked into another library.
    """
    if static:
        return ENVIRONMENT
    # A file comes where there is no /dev/shm to be found. A file's name in /tmp alone is no sign:
    # the copy of faiss 1.8.0 for macOS has one for the case that shm_open fails.
    if "/dev/shm" in texts:  # noqa: S108 - a text of the runtime, no file
        return FILE
    return SHARED_MEMORY if "shm_open" in texts else ENVIRONMENT


def registers_on(system: str, texts: Collection[str], *, static: bool) -> str:
    """Give where a copy for a system registers.

    Parameters
    ----------
    system
        By the form of the file: ``"linux"``, ``"macos"`` or ``"windows"``.
    texts, static
        As in `registers_of`.
    """
    there = REGISTRIES[system]
    place = there.everywhere or registers_of(texts, static=static)
    return SHARED_MEMORY if place == FILE and there.has_dev_shm else place


def told_on(
    system: str, texts: Callable[[], Collection[str]], *, static: bool
) -> tuple[str | None, bool | None]:
    """Give where a copy registers and whether it shares functions, where its age decides.

    Parameters
    ----------
    system
        As in `registers_on`.
    texts
        Gives its texts; asked only where copies of one system register in several places.
    static
        As in `registers_of`.

    Returns
    -------
    tuple
        None for what is the same for all copies there, or cannot be told.
    """
    if REGISTRIES[system].seen_by_all:
        return None, None
    found = texts()
    return (registers_on(system, found, static=static), coalesces(found)) if found else (None, None)


def coalesces(texts: Collection[str]) -> bool:
    """Tell whether a copy for macOS shares its functions with other copies, by its texts.

    dyld binds a weak definition to the first image that exports it, whatever library asks
    (apple-oss-distributions/dyld, dyld-1378, Loader.cpp, BIND_SPECIAL_DYLIB_WEAK_LOOKUP). LLVM 12
    and later export templates so, ``__kmp_suspend_64<false, true>`` among them: the workers of a
    copy that is loaded later run the first one's, which looks for them in its own table, and end
    the process there, whether or not the first has started. Exact in all 40 copies that were
    read: scikit-learn from 1.0.1 on, glum and faiss 1.7.0 lack it (LLVM 11), all others have it.
    """
    return "__kmp_suspend_64ILb0ELb1EE" in texts
