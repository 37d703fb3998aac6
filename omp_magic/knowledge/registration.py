"""Where a copy of LLVM's or Intel's runtime tells other copies of itself.

openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup: a variable of the environment
until LLVM 12 and in a copy that is linked into another library, then an object of shm_open, and
where /dev/shm is missing a file below /tmp. Copies that look in different places do not notice
each other: no Error #15 comes, and nothing keeps them apart.
"""

from __future__ import annotations

from collections.abc import Collection

ENVIRONMENT, SHARED_MEMORY, FILE = "environment", "shared memory", "file"


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
