"""The whole story of each code: for %omp_explain, and for the pages in docs/findings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """What a code means, without the facts of one kernel.

    Parameters
    ----------
    happens
        What happens and why.
    seen
        How it is found out, and what may be missed.
    mend
        What to do about it, the best first; what is to be run follows ``": "``.
    """

    happens: str
    seen: str
    mend: tuple[str, ...]


STORIES: dict[str, Story] = {
    "OMP101": Story(
        "LLVM's libomp and Intel's libiomp5 are one code base. At its first call each copy looks "
        "whether another copy has registered itself in this process; if so it prints 'OMP: Error "
        "#15: Initializing libiomp5.so, but found libomp.so already initialized' and aborts. The "
        "notebook only says that the kernel died: ipykernel mostly has no time left to pass the "
        "message on, not even to the server's log. "
        "Both can be loaded without harm: the end comes with the second one's first use, which is "
        "why there is time to warn.",
        "Two files of the family are mapped, compared by device and inode; the registration in "
        "/dev/shm says which one has started. A copy whose callers are bound to another runtime "
        "in the global scope is left out, unless ctypes opened it to be called itself. libgomp "
        "never takes part.",
        (
            (
                "Let one runtime serve all, in the first cell of a fresh kernel: "
                "import ctypes; ctypes.CDLL('/path/of/libiomp5.so', ctypes.RTLD_GLOBAL)"
            ),
            (
                "Install the packages from one source that shares its runtime: "
                "conda create -n one-openmp -c conda-forge PACKAGES"
            ),
            "Use one of the two packages in a kernel",
            (
                "Last resort, which the runtime itself calls an unsafe, unsupported, undocumented "
                "workaround that may cause crashes or silently produce incorrect results: "
                "import os; os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'"
            ),
        ),
    ),
    "OMP102": Story(
        "KMP_DUPLICATE_LIB_OK turns the check behind Error #15 off. Two runtimes of the LLVM "
        "family then run side by side with a pool each. Often nothing happens; known are "
        "deadlocks, segmentation faults in __kmp_suspend, and slow code. Importing scikit-learn "
        "or threadpoolctl sets the variable for the process and its children.",
        "The variable is read as C sees it. A copy that started without registering is known by "
        "the flag in its own memory.",
        ("As for OMP101: let one runtime serve all, or install from one source",),
    ),
    "OMP103": Story(
        "When libomp is in the global scope and libiomp5 comes later, libiomp5's calls to its own "
        "functions are bound to libomp's. Its start takes a lock of another kind and spins for "
        "ever. KMP_DUPLICATE_LIB_OK does not help.",
        "libomp is what dlsym finds in the global scope, and libiomp5 is mapped after it and has "
        "not started.",
        (
            (
                "Load Intel's first, in the first cell of a fresh kernel: "
                "import ctypes; ctypes.CDLL('/path/of/libiomp5.so', ctypes.RTLD_GLOBAL)"
            ),
            "Let MKL use another runtime, before the kernel starts: MKL_THREADING_LAYER=GNU",
        ),
    ),
    "OMP104": Story(
        "mkl-service looks at its import which OpenMP is in the global scope. If that is not "
        "Intel's and MKL_THREADING_LAYER says INTEL, it prints 'MKL_THREADING_LAYER=INTEL is "
        "incompatible with libgomp.so.1 library' and calls exit: the kernel is gone without a "
        "Python exception. The value is often nobody's choice: importing mkl sets it in C, where "
        "os.environ does not show it, and a child process inherits it.",
        "The variable as C sees it, the provider of the global scope, and whether mkl can be "
        "imported and has not been yet. A libgomp that is mapped but not global does no harm.",
        (
            "Before importing mkl: import os; os.environ['MKL_THREADING_LAYER'] = 'GNU'",
            "Import mkl before the package that brings libgomp: import mkl, torch",
            "Start children with what os.environ shows: subprocess.run(..., env=dict(os.environ))",
        ),
    ),
    "OMP105": Story(
        "Each OpenMP runtime has a pool of its own and does not know of the others. A region of "
        "one inside a region of the other starts a full team in each thread; and threads of a "
        "team that has just finished keep spinning on the CPUs the other needs.",
        "Runtimes that have started and whose callers are bound to them. One that is mapped while "
        "another serves from the global scope is not counted.",
        (
            "Import the package that loads its runtime globally first of all: import torch",
            "For one cell: %%omp_limit openmp=1",
        ),
    ),
    "OMP106": Story(
        "Wheels from PyPI bring their own BLAS, so NumPy and SciPy have one each, each with a "
        "thread per CPU. That is usual and mostly harmless: idle threads of OpenBLAS sleep. It "
        "matters when code calls both at once, from Python threads for example.",
        "Each mapped BLAS by its identity.",
        (
            "For one cell: %%omp_limit blas=1",
            "One BLAS for all packages: conda install -c conda-forge numpy scipy",
        ),
    ),
    "OMP110": Story(
        "pip install -U replaces files below a running kernel. What is mapped stays what it was; "
        "modules and libraries that are loaded from now on are the new ones. Symptoms are "
        "ImportErrors about names that exist, a second copy of an OpenMP runtime under another "
        "hash, and crashes.",
        "The inode that is mapped and the one the path leads to; the code in memory is compared "
        "with the code on disk, so that a reinstallation of the same version is told as such.",
        ("Restart the kernel",),
    ),
    "OMP111": Story(
        "After an upgrade importlib.reload, or a fresh import of what was removed from "
        "sys.modules, runs the new Python code, and the loader gives back the extension modules "
        "that it has already mapped. __version__ then says the new version while the machine "
        "code is the old one.",
        "__version__ equals the installed version, and mapped files differ in their code from "
        "those on disk.",
        ("Restart the kernel",),
    ),
    "OMP201": Story(
        "Threads of one team wait for each other at every barrier. With more threads than CPUs "
        "some of them have no CPU while the others spin: 3 threads on 2 CPUs were measured to be "
        "22 times slower than 2. Runtimes count the CPUs of the affinity mask or of the machine, "
        "none of them the cgroup's quota.",
        "Each pool's size against the smallest of affinity, every visible cgroup quota, and what "
        "a batch system declares; %omp_status --cpus shows them all.",
        (
            "For this session: %omp_limit auto",
            "Before the kernel starts: OMP_NUM_THREADS=N OPENBLAS_NUM_THREADS=N",
        ),
    ),
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
    "OMP203": Story(
        "A cgroup with a quota may use so much CPU time in each period, 100 ms as a rule. When "
        "that is used up, all of its threads are stopped until the next period: cells take long "
        "although no CPU is busy.",
        "nr_throttled of cpu.stat, since the last look, or since the cgroup was made.",
        ("For this session: %omp_limit auto", "Ask for more CPUs"),
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
    "OMP205": Story(
        "The pool fits the CPUs that are visible and not the quota. All threads run at once, use "
        "the quota up early in each period and stop together. Up to twice the quota that costs "
        "little; a multiple costs as much as OMP201.",
        "As for OMP201; up to twice the budget it is a note.",
        ("For this session: %omp_limit auto",),
    ),
    "OMP206": Story(
        "Threads are ready and wait for a CPU although the visible limit is not used up. Either "
        "a limit is set where this process cannot see it, on a pod around the container for "
        "example, or other processes keep the machine busy.",
        "Waiting time of /proc/self/task/*/schedstat between two looks.",
        ("Measure what one really gets: %omp_status --probe",),
    ),
    "OMP301": Story(
        "Libraries read their variables once: libgomp and OpenBLAS when they are loaded, LLVM's "
        "and Intel's OpenMP and MKL at their first call. Set later, a variable changes nothing "
        "here, but child processes inherit it.",
        "The value when the process started, the value now, and the count the library has: it "
        "must be the one that the former value gives, and not the one of the value now.",
        (
            "For this session: %omp_limit openblas=2",
            (
                "Before the kernel starts, or before the import in a fresh kernel: "
                "import os; os.environ['OPENBLAS_NUM_THREADS'] = '2'"
            ),
        ),
    ),
    "OMP302": Story(
        "Several variables speak about one pool and only one is heard: OPENBLAS_NUM_THREADS "
        "before OMP_NUM_THREADS, MKL_NUM_THREADS before OMP_NUM_THREADS, and so on. "
        "%omp_status --env says for each variable which library follows it.",
        "Both variables as C sees them, for the libraries that are loaded.",
        ("Unset the stronger one, or set it to what is wanted, before the kernel starts",),
    ),
    "OMP303": Story(
        "KMP_DUPLICATE_LIB_OK keeps a second runtime of the LLVM family from ending the process, "
        "and from saying that there are two. The runtime's own message calls it unsafe, "
        "unsupported and undocumented. Children inherit it.",
        "The variable as C sees it. That scikit-learn or threadpoolctl has set it is told only "
        "where a runtime of the family is loaded: without one it means nothing.",
        ("To have the check back: import os; del os.environ['KMP_DUPLICATE_LIB_OK']",),
    ),
    "OMP304": Story(
        "A library that cannot read a value ignores it, some with a line on stderr that a "
        "notebook does not show. What is accepted differs: libgomp wants true or false where "
        "LLVM's runtime also takes 1 and yes.",
        "Each variable is parsed as its readers parse it.",
        ("Set it to a value that is accepted, before the kernel starts",),
    ),
    "OMP305": Story(
        "os.environ is a copy that Python makes when it starts. A library that sets a variable "
        "in C does not change it. Libraries, and children started by subprocess without env=, "
        "see the C value.",
        "os.environ beside getenv.",
        ("Start children with what os.environ shows: subprocess.run(..., env=dict(os.environ))",),
    ),
}
