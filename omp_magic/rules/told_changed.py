"""Stories of OMP207 and OMP208: what an import changed in this process."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP207": Story(
        "OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY make libgomp bind its threads to CPUs. It "
        "begins with the thread that loads it, and that is the kernel's main thread: the kernel "
        "then has one CPU. LLVM's and Intel's runtimes do so at their first call, KMP_AFFINITY "
        "included. The team itself is well off, each of its threads has its CPU. All else is not: "
        "child processes and new threads inherit the one CPU, and OpenBLAS, joblib and others "
        "that count CPUs later find one. A package may also set the affinity itself.",
        "The main thread's mask before and after each import and each cell. What an import "
        "narrowed before %load_ext, or with %omp_guard off, is known only where a variable asks "
        "for it and another thread or the parent process still has more CPUs. A mask that a "
        "cell's own line sets is no "
        "finding.",
        (
            "To have the CPUs back: import os; os.sched_setaffinity(0, {0, 1})",
            "Before the kernel starts: unset OMP_PROC_BIND",
        ),
    ),
    "OMP208": Story(
        "Some packages set a variable of OpenMP's when they are imported: importing paddle sets "
        "OMP_NUM_THREADS=1. Their own pools may have been made before; every library that is "
        "loaded after it gets one thread, and so do child processes, though nobody wished it.",
        "os.environ and C's environment before and after each import, and the count of each pool: "
        "it must be the one that the variable gives, and less than the CPUs allowed. What was "
        "imported before %load_ext, or with %omp_guard off, is told for packages that are known "
        "to do it.",
        (
            "For this session: %omp_limit auto",
            (
                "For child processes and what is still to be loaded: "
                "import os; os.environ.pop('OMP_NUM_THREADS', None)"
            ),
            (
                "In a fresh kernel, right after that import: "
                "import os; os.environ.pop('OMP_NUM_THREADS', None)"
            ),
            (
                "Or in a fresh kernel, before that import, which may leave a value that is there: "
                "import os; os.environ['OMP_NUM_THREADS'] = '4'"
            ),
        ),
    ),
}
