"""What we know of runtimes and variables, as tables. A new runtime is a new row.

Sources: the exported symbols of each library; for file names, the wheels on PyPI and the
packages of conda-forge and Debian; for the order of variables, the documentation named in
each row and measurements with the library itself.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache

from .package_variables import PACKAGE_VARIABLES

AT_LOAD = "at load"
AT_FIRST_CALL = "at the first call"


def _openblas(stem: str) -> tuple[str, ...]:
    """Give an OpenBLAS function's names in every build: SciPy's prefix, ILP64's suffix."""
    return tuple(
        f"{prefix}{stem}{suffix}"
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of runtimes.

    Parameters
    ----------
    key, label
        Name in limits and JSON, and name for people.
    api
        ``"openmp"`` or ``"blas"``.
    kin
        Runtimes of the kin ``"llvm"`` refuse to start beside one another (Error #15).
    files
        Regular expression for the start of the file's name, never for its middle:
        ``_decomp.so`` and ``libtorch_compute.so`` contain "omp" too.
    getters, setters
        Symbols, in the order in which they are looked for.
    starts
        When it starts up and reads its variables: `AT_LOAD`, so that asking it wakes nothing,
        or `AT_FIRST_CALL`.
    variables
        Those that set its thread count, the winner first.
    scope
        Whether a count belongs to the ``"thread"`` or to the ``"process"``.
    resetters
        Setters of the process-wide default, where `setters` set an override.
    config, layer
        Symbols that give the build's description and the threading layer, or ().
    describe
        Symbols that write the build's description into a buffer, once it has started, or ().
    """

    key: str
    label: str
    api: str
    kin: str
    files: str
    getters: tuple[str, ...]
    setters: tuple[str, ...]
    starts: str
    variables: tuple[str, ...]
    scope: str
    resetters: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    layer: tuple[str, ...] = ()
    describe: tuple[str, ...] = ()


_OMP_GET = ("omp_get_max_threads",)
_OMP_SET = ("omp_set_num_threads",)

FAMILIES: tuple[Family, ...] = (
    # libgomp reads its variables in a constructor (libgomp/env.c, initialize_env), so asking
    # it wakes nothing.
    Family(
        key="libgomp",
        label="GNU libgomp",
        api="openmp",
        kin="gnu",
        files=r"libgomp(?!-plugin)[-.]",
        getters=_OMP_GET,
        setters=_OMP_SET,
        starts=AT_LOAD,
        variables=("OMP_NUM_THREADS",),
        scope="thread",
    ),
    # LLVM and Intel start at the first call, and a second one of the kin then ends the process:
    # openmp/runtime/src/kmp_runtime.cpp, __kmp_register_library_startup.
    Family(
        key="libiomp5",
        label="Intel libiomp5",
        api="openmp",
        kin="llvm",
        files=r"libiomp5(md)?[-.]",
        getters=_OMP_GET,
        setters=_OMP_SET,
        starts=AT_FIRST_CALL,
        variables=("OMP_NUM_THREADS",),
        scope="thread",
    ),
    Family(
        key="libomp",
        label="LLVM libomp",
        api="openmp",
        kin="llvm",
        files=r"libomp\d*[-.]",
        getters=_OMP_GET,
        setters=_OMP_SET,
        starts=AT_FIRST_CALL,
        variables=("OMP_NUM_THREADS",),
        scope="thread",
    ),
    Family(
        key="vcomp",
        label="Microsoft vcomp",
        api="openmp",
        kin="microsoft",
        files=r"vcomp\d*[-.]",
        getters=_OMP_GET,
        setters=_OMP_SET,
        starts=AT_LOAD,
        variables=("OMP_NUM_THREADS",),
        scope="process",
    ),
    # OpenBLAS starts its workers in a constructor (driver/others/blas_server.c).
    Family(
        key="openblas",
        label="OpenBLAS",
        api="blas",
        kin="openblas",
        files=r"lib(scipy_)?openblas|libblas[-.]|openblas",
        getters=_openblas("openblas_get_num_threads"),
        setters=_openblas("openblas_set_num_threads"),
        config=_openblas("openblas_get_config"),
        layer=_openblas("openblas_get_parallel"),
        starts=AT_LOAD,
        variables=(
            "OPENBLAS_NUM_THREADS",
            "OPENBLAS_DEFAULT_NUM_THREADS",
            "GOTO_NUM_THREADS",
            "OMP_NUM_THREADS",
        ),
        scope="process",
    ),
    # The getter of libmkl_rt maps the layers (65 ms) and fixes the threading layer.
    Family(
        key="mkl",
        label="Intel MKL",
        api="blas",
        kin="mkl",
        files=r"(lib)?mkl_rt[-.]",
        getters=("MKL_Get_Max_Threads",),
        setters=("MKL_Set_Num_Threads_Local",),
        resetters=("MKL_Set_Num_Threads",),
        describe=("MKL_Get_Version_String",),
        starts=AT_FIRST_CALL,
        variables=("MKL_NUM_THREADS", "OMP_NUM_THREADS"),
        scope="thread",
    ),
    # bli_thread_get_num_threads calls bli_init_once, so only a limit asks it.
    Family(
        key="blis",
        label="BLIS",
        api="blas",
        kin="blis",
        files=r"libblis[-.\d]",
        getters=("bli_thread_get_num_threads",),
        setters=("bli_thread_set_num_threads",),
        config=("bli_info_get_version_str",),
        starts=AT_FIRST_CALL,
        variables=("BLIS_NUM_THREADS", "OMP_NUM_THREADS"),
        scope="process",
    ),
)

BY_KEY: dict[str, Family] = {family.key: family for family in FAMILIES}

APIS = ("openmp", "blas")

MKL_LAYERS: tuple[tuple[str, str], ...] = (
    (r"(lib)?mkl_intel_thread[-.]", "intel"),
    (r"(lib)?mkl_gnu_thread[-.]", "gnu"),
    (r"(lib)?mkl_tbb_thread[-.]", "tbb"),
    (r"(lib)?mkl_sequential[-.]", "sequential"),
)
"""Threading layers of MKL by file name; one of them is mapped exactly when MKL has started."""

OPENBLAS_LAYERS = {0: "disabled", 1: "pthreads", 2: "openmp"}
"""What openblas_get_parallel answers (OpenBLAS, driver/others/parameter.c)."""

OMP_LAYERS = ("openmp", "intel", "gnu")
"""Threading layers of a BLAS whose threads are those of an OpenMP runtime."""

STATIC_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"__KMP_REGISTERED_LIB_", "libomp"),
    (b"GOMP_SPINCOUNT", "libgomp"),
)
"""Texts that only a runtime itself holds, by family: of 378 libraries of 100 kB and more in 20
wheels, LLVM's code generators included, no other has them."""
INTEL_MARK = b"libiomp5"
"""Its own name, which tells Intel's runtime from LLVM's (KMP_LIBRARY_FILE)."""

_PATTERNS = tuple((re.compile(family.files), family) for family in FAMILIES)
_ANY = re.compile("|".join(family.files for family in FAMILIES))
_LAYERS = tuple((re.compile(pattern), layer) for pattern, layer in MKL_LAYERS)


@lru_cache(maxsize=4096)
def family_of(file_name: str) -> Family | None:
    """Give the family that a file of this name belongs to, or None.

    Examples
    --------
    >>> family_of("libgomp-a34b3233.so.1.0.0").key
    'libgomp'
    >>> family_of("libomptarget.so") is None
    True
    """
    return next((family for pattern, family in _PATTERNS if pattern.match(file_name)), None)


def is_family(file_name: str) -> bool:
    """Tell whether a file of this name belongs to a family; 0.5 us for one never asked about."""
    return _ANY.match(file_name) is not None


@lru_cache(maxsize=4096)
def mkl_layer_of(file_name: str) -> str | None:
    """Give the MKL threading layer that a file of this name is, or None."""
    return next((layer for pattern, layer in _LAYERS if pattern.match(file_name)), None)


def answers_for(serving: str, kin: str) -> bool:
    """Tell whether a runtime of the kin `serving` has all that users of one of `kin` call.

    libomp and libiomp5 have libgomp's functions too, libgomp does not have theirs.
    """
    return serving in (kin, "llvm")


VARIABLES: dict[str, str] = {
    "OMP_NUM_THREADS": "threads of an OpenMP parallel region; a list gives one number a level",
    "OMP_THREAD_LIMIT": "threads that all OpenMP regions together may have",
    "OMP_DYNAMIC": "lets OpenMP use fewer threads than asked",
    "OMP_MAX_ACTIVE_LEVELS": "how deep parallel regions may nest",
    "OMP_PROC_BIND": "whether OpenMP threads stay on their CPUs",
    "OMP_PLACES": "the CPUs OpenMP threads are bound to",
    "OMP_WAIT_POLICY": "whether idle OpenMP threads spin or sleep",
    "OMP_SCHEDULE": "how loops with schedule(runtime) are dealt out",
    "GOMP_CPU_AFFINITY": "CPUs of libgomp's threads",
    "GOMP_SPINCOUNT": "how long libgomp's idle threads spin",
    "KMP_DUPLICATE_LIB_OK": "silences Error #15 of LLVM and Intel OpenMP; unsafe by their own word",
    "KMP_AFFINITY": "CPUs of LLVM and Intel OpenMP threads",
    "KMP_BLOCKTIME": "how long LLVM and Intel OpenMP threads spin before they sleep",
    "KMP_LIBRARY": "whether idle LLVM and Intel OpenMP threads spin or sleep",
    "KMP_INIT_AT_FORK": "whether LLVM and Intel OpenMP prepare for fork",
    "OPENBLAS_NUM_THREADS": "threads of OpenBLAS",
    "OPENBLAS_DEFAULT_NUM_THREADS": "threads of OpenBLAS where OPENBLAS_NUM_THREADS is not set",
    "GOTO_NUM_THREADS": "threads of OpenBLAS, older name",
    "OPENBLAS_CORETYPE": "the CPU kernels OpenBLAS uses",
    "MKL_NUM_THREADS": "threads of MKL",
    "MKL_DOMAIN_NUM_THREADS": "threads of MKL by domain",
    "MKL_DYNAMIC": "lets MKL use fewer threads than asked",
    "MKL_THREADING_LAYER": "the threading runtime MKL uses",
    "MKL_INTERFACE_LAYER": "the integer size MKL uses",
    "MKL_SERVICE_FORCE_INTEL": "makes mkl-service accept a mix of OpenMP runtimes",
    "BLIS_NUM_THREADS": "threads of BLIS",
    "VECLIB_MAXIMUM_THREADS": "threads of Apple Accelerate",
    "NUMEXPR_NUM_THREADS": "threads of numexpr",
    "NUMEXPR_MAX_THREADS": "most threads numexpr may have",
    "NUMBA_NUM_THREADS": "threads of numba",
    "NUMBA_THREADING_LAYER": "the threading runtime numba uses",
    "POLARS_MAX_THREADS": "threads of polars, read at import",
    "OPENCV_FOR_THREADS_NUM": "threads of OpenCV",
    "ARROW_IO_THREADS": "threads Arrow reads files with",
    "BLOSC_NTHREADS": "threads of Blosc",
    "TOKENIZERS_PARALLELISM": "whether tokenizers uses threads, forked children included",
    "TF_NUM_INTRAOP_THREADS": "threads of TensorFlow within an operation",
    "TF_NUM_INTEROP_THREADS": "threads of TensorFlow across operations",
    **PACKAGE_VARIABLES,
    "LOKY_MAX_CPU_COUNT": "most CPUs that loky and joblib count",
    "PYTHON_CPU_COUNT": "what os.cpu_count() answers, Python 3.13 and later",
    "SLURM_CPUS_PER_TASK": "CPUs the job asked for, by Slurm",
    "SLURM_CPUS_ON_NODE": "CPUs the job has on this node, by Slurm",
    "CPU_LIMIT": "CPUs promised by JupyterHub",
}
"""Environment variables that matter here, and what each does."""


def readers_of(variable: str) -> tuple[str, ...]:
    """Give the keys of the families whose thread count this variable sets."""
    return tuple(family.key for family in FAMILIES if variable in family.variables)
