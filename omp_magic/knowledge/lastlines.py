"""The last lines of runtimes that end their own process: what each means.

They write to C's stderr and then call abort or exit, where no Python code runs any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LastLine:
    """A row of `LAST_LINES`.

    Parameters
    ----------
    pattern
        What it is known by; its groups are for `told`.
    told
        What happened, to go on after "the kernel": ``{cell}`` is where, ``{0}`` the first group.
    why
        What that means.
    code
        The code of `omp_explain` that it belongs to, or "".
    source
        Where the runtime writes it.
    """

    pattern: re.Pattern[str]
    told: str
    why: str
    code: str
    source: str


def _row(pattern: str, told: str, why: str, code: str, source: str) -> LastLine:
    return LastLine(re.compile(pattern), told, why, code, source)


LAST_LINES = (
    _row(
        r"OMP: Error #15: Initializing ([^\n,]+), but found ([^\n]+?) already initialized",
        "died of Error #15{cell}: {0} against {1}",
        "Two copies of LLVM's or Intel's OpenMP runtime were in one process; the second one to be "
        "called found the first, and ended the process.",
        "OMP101",
        "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/kmp_runtime.cpp "
        "(__kmp_register_library_startup)",
    ),
    _row(
        r"MKL_THREADING_LAYER=INTEL is incompatible with (\S+) library",
        "was ended by mkl{cell}, which called exit: MKL_THREADING_LAYER=INTEL beside {0}",
        "mkl-service looks at its import which OpenMP is in the global scope; one that is not "
        "Intel's cannot go with this value, and it calls exit in C: no Python exception.",
        "OMP104",
        "https://github.com/IntelPython/mkl-service/blob/master/mkl/_mklinitmodule.c "
        "(_preload_threading_layer)",
    ),
    _row(
        r"(?:Terminating|workqueue threading layer is terminating): "
        r"(?:Nested parallel kernel launch|Concurrent access has been) detected",
        "was ended by numba{cell}: two threads were in its workqueue at once",
        "numba's threading layer workqueue is not safe for threads. When a second one enters it, "
        "or a parallel function calls another, it calls abort.",
        "OMP212",
        "https://github.com/numba/numba/blob/main/numba/np/ufunc/workqueue.c",
    ),
    _row(
        r"libgomp: Thread creation failed: ([^\n]+)",
        "was ended by libgomp{cell}, which could not start a thread: {0}",
        "libgomp calls exit when a thread of its team cannot be started: the threads that this "
        "group or user may have were used up.",
        "OMP210",
        "https://github.com/gcc-mirror/gcc/blob/master/libgomp/team.c (gomp_team_start)",
    ),
    _row(
        r"OMP: (?:System e|E)rror #34: ([^\n]+)",
        "was ended by LLVM's OpenMP runtime{cell}, which could not start a thread: {0}",
        "It ends the process when a thread of its team cannot be started.",
        "OMP210",
        "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/z_Linux_util.cpp "
        "(__kmp_create_worker)",
    ),
    _row(
        r"(?:INTEL|Intel(?:\(R\))?) (?:one)?MKL (?:FATAL )?ERROR: ([^\n]+)",
        "was ended by MKL{cell}: {0}",
        "MKL could not load a part of itself, and called exit.",
        "",
        "https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/current/"
        "dynamic-select-the-interface-and-threading-layer.html",
    ),
    _row(
        r"OMP: (?:System e|E)rror (#\d+): ([^\n]+)",
        "was ended by LLVM's OpenMP runtime{cell}: error {0}, {1}",
        "The runtime ends the process at an error that it cannot handle.",
        "",
        "https://github.com/llvm/llvm-project/blob/main/openmp/runtime/src/i18n/en_US.txt",
    ),
    _row(
        r"libgomp: (?!Invalid value|Affinity)([^\n]+)",
        "was ended by libgomp{cell}: {0}",
        "libgomp ends the process at an error that it cannot handle.",
        "",
        "https://github.com/gcc-mirror/gcc/blob/master/libgomp/error.c (gomp_fatal)",
    ),
    _row(
        r"terminate called after throwing an instance of '([^\n']+)'",
        "died of a C++ exception that nobody caught{cell}: {0}",
        "C++ calls abort where no code catches an exception, in a thread of a library for one.",
        "",
        "https://gcc.gnu.org/onlinedocs/libstdc++/manual/termination.html",
    ),
    _row(
        r"(?m)^((?:free|malloc|realloc|calloc|munmap_chunk|malloc_consolidate)\(\): [^\n]+"
        r"|double free or corruption[^\n]*|corrupted (?:size|double)[^\n]*"
        r"|\*\*\* stack smashing detected[^\n]*)",
        "died of damaged memory{cell}: {0}",
        "The C library found its own notes in memory overwritten, and called abort: some library "
        "wrote where it may not, perhaps long before.",
        "",
        "https://man7.org/linux/man-pages/man3/mallopt.3.html (M_CHECK_ACTION)",
    ),
)
"""Each line, the more telling first; a warning that ends nothing has no row."""


def last_line_in(text: str) -> tuple[LastLine, tuple[str, ...]] | None:
    """Give the row whose line stands in a text, and what its groups are; the latest line wins."""
    best: tuple[int, LastLine, tuple[str, ...]] | None = None
    for row in LAST_LINES:
        for found in row.pattern.finditer(text):
            if best is None or found.start() > best[0]:
                best = found.start(), row, tuple(each.strip() for each in found.groups())
    return None if best is None else best[1:]


SIGNALS = {
    "Segmentation fault": ("SIGSEGV", "memory read or written that is not the process's own"),
    "Aborted": ("SIGABRT", "what C's abort raises"),
    "Bus error": ("SIGBUS", "memory that has nothing behind it, a file that was cut short for one"),
    "Floating point exception": ("SIGFPE", "an arithmetic error in C"),
    "Floating-point exception": ("SIGFPE", "an arithmetic error in C"),
    "Illegal instruction": ("SIGILL", "an instruction that this processor does not have"),
    "access violation": ("an access violation", "memory that it may not touch"),
    "stack overflow": ("a stack overflow", "calls too deep for its stack"),
    "int divide by zero": ("a division by zero", "an arithmetic error in C"),
}
"""What faulthandler calls each (Modules/faulthandler.c), by its signal and what that means."""
