"""What we know of runtimes and variables, as tables. A new runtime is a new row.

Sources: the exported symbols of each library; for file names, the wheels on PyPI and the
packages of conda-forge and Debian; for the order of variables, the documentation named in
each row and measurements with the library itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

AT_LOAD = "at load"
AT_FIRST_CALL = "at the first call"


def _openblas(stem: str) -> tuple[str, ...]:
    """Give an OpenBLAS function's names in every build: SciPy's prefix, ILP64's suffix."""
    return tuple(
        f"{prefix}{stem}{suffix}"
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64"))
    )


class Family(NamedTuple):
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
    mark
        What that description begins with where its file holds it whole; "" where it does not.
    counters
        Variables of C's type int that its getters answer with, and that it exports, or ().
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
    mark: str = ""
    counters: tuple[str, ...] = ()


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
        mark="OpenBLAS ",
        counters=_openblas("blas_cpu_number"),
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
    # Apple's BLAS, a framework of macOS: no file of its own to read, and nothing to ask. How many
    # threads it uses is its own choice, of which VECLIB_MAXIMUM_THREADS is the most.
    Family(
        key="accelerate",
        label="Apple Accelerate",
        api="blas",
        kin="accelerate",
        files=r"(?:accelerate|veclib)$",
        getters=(),
        setters=(),
        starts=AT_FIRST_CALL,
        variables=("VECLIB_MAXIMUM_THREADS",),
        scope="process",
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

# Windows names a module as it was asked for: VCOMP140.DLL.
_PATTERNS = tuple((re.compile(family.files, re.IGNORECASE), family) for family in FAMILIES)
_ANY = re.compile("|".join(family.files for family in FAMILIES), re.IGNORECASE)
_LAYERS = tuple((re.compile(pattern, re.IGNORECASE), layer) for pattern, layer in MKL_LAYERS)


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


def static_family(texts: Collection[str]) -> str | None:
    """Give the key of the family whose runtime is linked into a file, by its texts, or None.

    Parameters
    ----------
    texts
        Those of `omp_magic.formats.binaries.MARKS` that the file holds.

    Notes
    -----
    LLVM's and Intel's runtimes alone hold the name they register under: of 378 libraries of
    100 kB and more in 20 wheels, LLVM's code generators included, no other has it. Intel's has its
    own name beside it (KMP_LIBRARY_FILE). A variable's name is in lists of variables too: OpenVINO
    (libopenvino 2026.4, on every system) holds GOMP_SPINCOUNT and no libgomp, so libgomp is known
    by that and by what its messages begin with (libgomp/error.c, gomp_verror).

    Examples
    --------
    >>> static_family(("GOMP_SPINCOUNT", "libgomp: "))
    'libgomp'
    >>> static_family(("GOMP_SPINCOUNT",)) is None
    True
    """
    if "__KMP_REGISTERED_LIB_" in texts:
        return "libiomp5" if "libiomp5" in texts else "libomp"
    return "libgomp" if "GOMP_SPINCOUNT" in texts and "libgomp: " in texts else None


@lru_cache(maxsize=4096)
def mkl_layer_of(file_name: str) -> str | None:
    """Give the MKL threading layer that a file of this name is, or None."""
    return next((layer for pattern, layer in _LAYERS if pattern.match(file_name)), None)


def answers_for(serving: str, kin: str) -> bool:
    """Tell whether a runtime of the kin `serving` has all that users of one of `kin` call.

    libomp and libiomp5 have libgomp's functions too, libgomp does not have theirs.
    """
    return serving in (kin, "llvm")


def readers_of(variable: str) -> tuple[str, ...]:
    """Give the keys of the families whose thread count this variable sets."""
    return tuple(family.key for family in FAMILIES if variable in family.variables)
