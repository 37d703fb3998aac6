"""Stories of OMP210, OMP212 and OMP214: what ends a process and is no duplicate."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP210": Story(
        "A container, a user or the machine may have so many tasks, which are threads and "
        "processes alike. When nearly all are used, the next pool cannot start, and few libraries "
        'take that well: libgomp exits the process ("Thread creation failed"); OpenBLAS raises '
        "SIGINT while it is loaded, so the import ends in a KeyboardInterrupt that nobody "
        "pressed, works when it is tried again, and hangs at the next large operation; Python "
        "raises RuntimeError, can't start new thread.",
        "pids.max and pids.current of the own cgroup and of every visible one above it, ulimit "
        "-u (which does not hold for root), threads-max and pid_max of the kernel, against what "
        "loaded pools have yet to start and what the next one may want. The tasks of one user "
        "are counted as far as /proc shows them. An OpenBLAS without its workers is known by its "
        "live threads.",
        (
            "Start no more threads than this one: %omp_limit 1",
            "Before the kernel starts: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
            "Ask for more tasks (docker run --pids-limit, podPidsLimit, TasksMax, ulimit -u)",
            "An OpenBLAS that lacks workers can still be used: %omp_limit blas=1",
        ),
    ),
    "OMP212": Story(
        "numba has three threading layers. workqueue, which it takes where there is neither TBB "
        "nor OpenMP, or when it is told to, is not safe for threads: when two of them are in a "
        "parallel function at once, or one parallel function calls another, it ends the process "
        "with SIGABRT. In a notebook the kernel dies. (Of fourteen other pools, called by four "
        "threads at once, none did.) The layer omp needs the system's libgomp on Linux; tbb lets "
        "both in too, but numba finds the library of PyPI's tbb only where the loader does "
        "(LD_LIBRARY_PATH with the environment's lib folder, before the start).",
        "numba's own record of the layer that runs; before it runs, NUMBA_THREADING_LAYER and "
        "its order of layers, where they leave no choice.",
        (
            (
                "After a restart of the kernel, before numba is imported: "
                "import os; os.environ['NUMBA_THREADING_LAYER'] = 'omp'"
            ),
            "Or let one thread in at a time, with a threading.Lock() around its parallel functions",
        ),
    ),
    "OMP214": Story(
        "OpenBLAS is built for a number of threads, 64 in NumPy's and SciPy's wheels, and has "
        "twice as many buffers. Each of its workers keeps one, and each call takes one for as "
        "long as it runs. When more Python threads call than that, it prints a warning "
        '("precompiled NUM_THREADS exceeded") and makes 512 more; older builds, and this one '
        "when those are used up too, end the process.",
        "MAX_THREADS of openblas_get_config() against the Python threads that live, those of a "
        "ThreadPoolExecutor among them. Whether they will call OpenBLAS at once is not known.",
        (
            (
                "End the large pool and make one as large as there are CPUs: "
                "from concurrent.futures import ThreadPoolExecutor; executor.shutdown(); "
                "executor = ThreadPoolExecutor(2)"
            ),
        ),
    ),
}
