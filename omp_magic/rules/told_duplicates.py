"""Stories of OMP101 to OMP111: runtimes that meet, and packages that were replaced."""

from __future__ import annotations

from .story import Story

_INTEL_FIRST = (
    "import ctypes, glob, sys; ctypes.CDLL(glob.glob(f'{sys.prefix}/**/libiomp5*', "
    "recursive=True)[0], ctypes.RTLD_GLOBAL)"
)
_ONE_FOR_ALL = (
    (
        "On Linux, let Intel's runtime serve all, in the first cell of a fresh kernel: "
        f"{_INTEL_FIRST}"
    ),
    (
        "Install the packages from one source that shares its runtime, for example: "
        "conda create -n one-openmp -c conda-forge ipykernel scikit-learn pytorch"
    ),
    "Use only one of the two packages in a kernel",
)

STORIES: dict[str, Story] = {
    "OMP101": Story(
        "LLVM's libomp and Intel's libiomp5 are one code base. At its first call each copy looks "
        "whether another copy has registered itself in this process; if so it prints 'OMP: Error "
        "#15: Initializing libiomp5.so, but found libomp.so already initialized' and aborts. The "
        "notebook only says that the kernel died: ipykernel mostly has no time left to pass the "
        "message on, not even to the server's log. "
        "Both can be loaded without harm: the end comes with the second one's first use, which is "
        "why there is time to warn.",
        "Two files of the family are mapped; the registration says which one has started: it "
        "stands in shared memory on Linux, in a variable on Windows, and in either or in a file "
        "on macOS. A copy whose callers are bound to another one, in the global scope on Linux "
        "and by import tables on Windows, is left out, unless ctypes opened it to be called "
        "itself. libgomp never takes part.",
        (
            *_ONE_FOR_ALL,
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
        _ONE_FOR_ALL,
    ),
    "OMP103": Story(
        "When libomp is in the global scope and libiomp5 comes later, libiomp5's calls to its own "
        "functions are bound to libomp's. Its start takes a lock of another kind and spins for "
        "ever. KMP_DUPLICATE_LIB_OK does not help.",
        "libomp is what dlsym finds in the global scope, and libiomp5 is mapped after it and has "
        "not started. A process that hangs so is told by: omp-magic status --pid PID.",
        (
            f"Load Intel's first, in the first cell of a fresh kernel: {_INTEL_FIRST}",
            (
                "Where MKL loads libiomp5, let it use another runtime, before the kernel starts: "
                "MKL_THREADING_LAYER=GNU"
            ),
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
            (
                "In a fresh kernel, import mkl before the package that brings libgomp: "
                "import mkl, torch"
            ),
            (
                "In a parent that has imported mkl, before it starts children: "
                "import os; os.unsetenv('MKL_THREADING_LAYER')"
            ),
        ),
    ),
    "OMP105": Story(
        "Each OpenMP runtime has a pool of its own and does not know of the others. A region of "
        "one inside a region of the other starts a full team in each thread; and threads of a "
        "team that has just finished keep spinning on the CPUs the other needs.",
        "Runtimes that have started and whose callers are bound to them. One that is mapped while "
        "another serves, from the global scope or by import tables, is not counted, nor is one "
        "that a limit of omp_magic leaves a single thread.",
        (
            (
                "On Linux, in a fresh kernel, import the package that loads its runtime globally "
                "first of all: import torch"
            ),
            "For one cell: %%omp_limit openmp=1",
        ),
    ),
    "OMP106": Story(
        "Wheels from PyPI bring their own BLAS, so NumPy and SciPy have one each, each with a "
        "thread per CPU. That is usual and mostly harmless: idle threads of OpenBLAS sleep. It "
        "matters when code calls both at once, from Python threads for example.",
        "Each mapped BLAS by its identity; one that a limit of omp_magic leaves a single thread is "
        "not counted.",
        (
            "For one cell: %%omp_limit blas=1",
            "One BLAS for all packages: conda install -c conda-forge numpy scipy",
        ),
    ),
    "OMP107": Story(
        "Copies of LLVM's and Intel's runtime look for one another where they register, and that "
        "place has changed with their age: an environment variable, an object of shm_open, a file "
        "below /tmp. On a Mac every package ships a copy of the age it likes. Two that look in "
        "different places do not notice each other: there is no Error #15 and nothing for "
        "KMP_DUPLICATE_LIB_OK to mask. What then ends the process is another thing: copies since "
        "LLVM 12 export functions weakly, and macOS binds those to the first copy that is loaded, "
        "also for the others. The threads of a later copy run __kmp_suspend of the first, which "
        "does not know them: a segmentation fault at the first parallel region, also where the "
        "first copy was never used. The package that is loaded first works. Two copies of which "
        "one is older, such as scikit-learn's, mostly work side by side, a pool each.",
        "Where each copy registers, and whether it exports those functions, is told by the texts "
        "in its file. Only on macOS: on Windows all copies register in a variable, on Linux shared "
        "ones in /dev/shm.",
        (
            (
                "Import them in an order in which the second finds the first by its install name; "
                "orders are tried by: omp-magic check torch lightgbm --target macos-arm64"
            ),
            (
                "Install the packages from one source that shares its runtime, for example: "
                "conda create -n one-openmp -c conda-forge ipykernel pytorch lightgbm"
            ),
            "Use only one of the packages in a kernel",
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
}
