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
            (
                "In the line that makes the pool, whatever starts its workers: import omp_magic; "
                "from concurrent.futures import ProcessPoolExecutor; "
                "pool = ProcessPoolExecutor(2, initializer=omp_magic.worker_limits(1))"
            ),
            ("In joblib: import joblib; joblib.parallel_config('loky', inner_max_num_threads=1)"),
            (
                "Before other pools are made, unless they fork: "
                "import os; os.environ['OMP_NUM_THREADS'] = '1'"
            ),
            "Before pools that fork are made: %omp_limit 1",
            (
                "In a shell, a server's own command after the dashes: "
                "omp-magic run --workers 2 -- gunicorn -w 2 server:app"
            ),
        ),
    ),
    "OMP204": Story(
        "fork copies the memory that says that a pool's threads exist, and not the threads. GNU's "
        "libgomp keeps its team after a parallel region, so the child's first parallel region "
        "waits for them for ever; so do the pools of polars, JAX, TensorFlow and DataFusion once "
        "they have started. numba's threading layer omp ends the child by SIGTERM instead. LLVM's "
        "and Intel's runtimes, OpenBLAS, MKL, Arrow, OpenCV, numexpr and blosc2 start anew there. "
        "It is so whoever forks: multiprocessing where its start method is fork, gunicorn "
        "--preload, uwsgi, celery.",
        "Threads that live and the files that own them, told by their stacks, and a table of what "
        "a fork does to each pool, measured with the real packages. os.register_at_fork tells of "
        "a fork before it happens, and a cell is warned then, once for each pool, unless the code "
        "that forks goes on to exec. A fork cannot be refused: with %omp_guard raise it is told. "
        "A process that hangs so is told by: omp-magic status --pid PID.",
        (
            (
                "In a notebook, with joblib's loky, whose workers start anew and get functions by "
                "value: from joblib import Parallel, delayed; "
                "results = Parallel(n_jobs=2)(delayed(work)(item) for item in items)"
            ),
            (
                "With functions of a module, before pools are made: "
                "import multiprocessing; multiprocessing.set_start_method('forkserver', force=True)"
            ),
            "Let each worker of a server load and compute by itself (gunicorn without --preload)",
            (
                "With numba, after a restart, before it is imported: "
                "import os; os.environ['NUMBA_THREADING_LAYER'] = 'workqueue'"
            ),
            (
                "With libgomp, let forked children have one thread each; the first line of the "
                "cell that forks: %%omp_limit openmp=1"
            ),
            (
                "In PyTorch, load data in this process: "
                "from torch.utils.data import DataLoader; "
                "loader = DataLoader(dataset, num_workers=0)"
            ),
        ),
    ),
    "OMP213": Story(
        "multiprocessing sends a function or a class by its name. A child that spawn or forkserver "
        "starts imports the main script to find it there, and a notebook or a prompt is no file "
        "that it could import. A Pool's worker then ends with AttributeError, another takes its "
        "place, and the call waits for ever. Python 3.14 starts children by forkserver unless told "
        "otherwise. Lambdas and functions inside functions are refused at once.",
        "The calls of multiprocessing's Pool and Process and of ProcessPoolExecutor are seen while "
        "the guard is on: functions, classes, their instances, partial objects and bound methods "
        "among what they are given. Generators are not looked into. In a script that child "
        "processes can import nothing is said. With %omp_guard raise the call is refused. A "
        "module is looked for where the kernel was when multiprocessing was imported: after %cd "
        "elsewhere children do not find one that %%writefile wrote, and that is not seen.",
        (
            (
                "With joblib's loky, which sends functions by value: "
                "from joblib import Parallel, delayed; "
                "results = Parallel(n_jobs=2)(delayed(work)(item) for item in items)"
            ),
            (
                "Or put it into a module, by a cell that begins with %%writefile work.py and has "
                "its imports too, then: import work"
            ),
            "To end a Pool that waits already, once the kernel is interrupted: pool.terminate()",
            (
                "In PyTorch, load data in this process: "
                "from torch.utils.data import DataLoader; "
                "loader = DataLoader(dataset, num_workers=0)"
            ),
        ),
    ),
}
