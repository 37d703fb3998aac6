"""Stories of OMP202, OMP204 and OMP213: what child processes do with threads."""

from __future__ import annotations

from .story import Story

STORIES: dict[str, Story] = {
    "OMP202": Story(
        "A pool of N worker processes whose libraries start T threads each has N x T threads. "
        "joblib's loky divides the CPUs it sees among its workers; multiprocessing, "
        "concurrent.futures and many others do not.",
        "Child processes with a runtime mapped; the threads of each of their runtimes, told by "
        "their stacks. Workers that have not used their libraries yet have no threads yet.",
        (
            "In joblib: joblib.parallel_config('loky', inner_max_num_threads=1)",
            "Before other pools are made: import os; os.environ['OMP_NUM_THREADS'] = '1'",
            "In a pool's initializer: threadpoolctl.threadpool_limits(1)",
        ),
    ),
    "OMP204": Story(
        "GNU's libgomp keeps its team of threads after a parallel region. fork copies the memory "
        "that says they exist and not the threads, so the child's first parallel region waits for "
        "them for ever. LLVM's and Intel's runtimes start anew in the child.",
        "Threads that libgomp owns, told by their stacks, and multiprocessing's start method. "
        "os.fork without multiprocessing is not seen coming.",
        (
            (
                "Before pools are made: "
                "import multiprocessing; multiprocessing.set_start_method('forkserver', force=True)"
            ),
            "In PyTorch: DataLoader(..., multiprocessing_context='forkserver')",
            "Use joblib's loky, which starts its workers anew",
        ),
    ),
}
