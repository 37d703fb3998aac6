"""Which variables a library reads, which of them wins, and when it reads them: the table.

`rivals` has the variables that set no count; `readings` judges by both.
"""

from __future__ import annotations

from typing import NamedTuple

from .catalog import AT_FIRST_CALL, AT_LOAD, OMP_LAYERS

AT_IMPORT = "at import"
ALWAYS = "at every call"

_OPENMP = ("OMP_NUM_THREADS",)
_OMP_ALSO = (
    "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS", "OMP_PROC_BIND", "OMP_PLACES",
    "OMP_WAIT_POLICY", "OMP_SCHEDULE", "GOMP_CPU_AFFINITY",
)  # fmt: skip
_LLVM_ALSO = (
    *_OMP_ALSO, "KMP_DUPLICATE_LIB_OK", "KMP_AFFINITY", "KMP_BLOCKTIME", "KMP_INIT_AT_FORK",
    "KMP_LIBRARY",
)  # fmt: skip


class Order(NamedTuple):
    """The variables that one library reads.

    Parameters
    ----------
    variables
        Those that set its thread count, the winner first.
    read
        When: `AT_LOAD`, `AT_FIRST_CALL`, `AT_IMPORT` or `ALWAYS`.
    source
        Where that is documented, or what it was measured with.
    default
        Count without a variable: ``"cpus"`` of the affinity mask; ``"cores"``, as MKL, which
        counts physical ones; ``"machine"``, the CPUs online up to 16; ``"one"``.
    capped
        Whether it takes fewer threads than a variable says when there are fewer CPUs.
    caps
        Variables that hold the most threads it may have.
    also
        Variables that it reads for something else than the count.
    ignored
        Variables that other builds of it read for the count, and this one does not.
    """

    variables: tuple[str, ...]
    read: str
    source: str
    default: str = "cpus"
    capped: bool = False
    caps: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


_OPENBLAS = (
    "OPENBLAS_NUM_THREADS", "OPENBLAS_DEFAULT_NUM_THREADS", "GOTO_NUM_THREADS",
)  # fmt: skip
_LLVM = Order(
    variables=_OPENMP,
    read=AT_FIRST_CALL,
    source="openmp/runtime/src/kmp_settings.cpp, __kmp_env_initialize; Intel OpenMP 2021.4, 2026.2",
    caps=("OMP_THREAD_LIMIT",),
    also=_LLVM_ALSO,
)

ORDERS: dict[str, Order] = {
    "libgomp": Order(
        variables=_OPENMP,
        read=AT_LOAD,
        source="libgomp/env.c, initialize_env, a constructor; wheel of scikit-learn 1.9",
        caps=("OMP_THREAD_LIMIT",),
        also=(*_OMP_ALSO, "GOMP_SPINCOUNT"),
    ),
    "libiomp5": _LLVM,
    "libomp": _LLVM,
    "vcomp": Order(variables=_OPENMP, read=AT_LOAD, source="Visual C++ documentation; not tried"),
    "openblas": Order(
        variables=(*_OPENBLAS, *_OPENMP),
        read=AT_LOAD,
        source="driver/others/openblas_env.c and memory.c (blas_get_cpu_number); NumPy 2.4's",
        capped=True,
        also=("OPENBLAS_CORETYPE",),
    ),
    # memory.c leaves the variables of its own out under USE_OPENMP; faiss-cpu 1.15's, whose count
    # is that of libgomp.
    "openblas on OpenMP": Order(
        variables=_OPENMP,
        read=AT_LOAD,
        source="driver/others/memory.c, blas_get_cpu_number; faiss-cpu 1.15's",
        caps=("OMP_THREAD_LIMIT",),
        also=("OPENBLAS_CORETYPE",),
        ignored=_OPENBLAS,
    ),
    # With MKL_DYNAMIC, its default, it takes at most one thread a physical core.
    "mkl": Order(
        variables=("MKL_NUM_THREADS", *_OPENMP),
        read=AT_FIRST_CALL,
        source="oneMKL developer guide, Techniques to Set the Number of Threads; MKL 2026.2",
        default="cores",
        capped=True,
        also=(
            "MKL_DYNAMIC", "MKL_THREADING_LAYER", "MKL_INTERFACE_LAYER", "MKL_DOMAIN_NUM_THREADS",
        ),
    ),
    "blis": Order(
        variables=("BLIS_NUM_THREADS", *_OPENMP),
        read=AT_FIRST_CALL,
        source="BLIS documentation, docs/Multithreading.md; not tried",
        default="one",
    ),
    "accelerate": Order(
        variables=("VECLIB_MAXIMUM_THREADS",),
        read=AT_FIRST_CALL,
        source="Apple's documentation of vecLib; not tried",
    ),
    # Importing torch sets the count of its OpenMP runtime to MKL's (aten/src/ATen/
    # ParallelOpenMP.cpp, init_num_threads): a variable set after the import did nothing.
    "torch": Order(
        variables=("MKL_NUM_THREADS", *_OPENMP),
        read=AT_IMPORT,
        source="aten/src/ATen/ParallelOpenMP.cpp, init_num_threads; torch 2.13",
        default="cores",
        capped=True,
        also=("MKL_DYNAMIC",),
    ),
    "numexpr": Order(
        variables=("NUMEXPR_NUM_THREADS", *_OPENMP),
        read=AT_IMPORT,
        source="numexpr/utils.py, _init_num_threads; numexpr 2.14",
        default="machine",
        caps=("NUMEXPR_MAX_THREADS",),
    ),
    "numba": Order(
        variables=("NUMBA_NUM_THREADS",),
        read=AT_IMPORT,
        source="numba/core/config.py; numba 0.68",
        also=("NUMBA_THREADING_LAYER",),
    ),
    "polars": Order(
        variables=("POLARS_MAX_THREADS",), read=AT_IMPORT, source="polars 2.1"
    ),
    "cv2": Order(
        variables=("OPENCV_FOR_THREADS_NUM",),
        read=AT_FIRST_CALL,
        source="modules/core/src/parallel.cpp, defaultNumberOfThreads; OpenCV 5.0",
    ),
    "pyarrow": Order(
        variables=_OPENMP,
        read=AT_FIRST_CALL,
        source="cpp/src/arrow/util/thread_pool.cc, DefaultCapacity; pyarrow 26",
        caps=("OMP_THREAD_LIMIT",),
    ),
    "blosc2": Order(variables=("BLOSC_NTHREADS",), read=ALWAYS, source="blosc2 4.14"),
    "tensorflow": Order(
        variables=("TF_NUM_INTRAOP_THREADS",),
        read=AT_FIRST_CALL,
        source="core/common_runtime/local_device.cc; not tried",
    ),
    "tokenizers": Order(
        variables=("RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"),
        read=AT_FIRST_CALL,
        source="rayon-core, default_num_threads; tokenizers 0.23.3",
        also=("TOKENIZERS_PARALLELISM",),
    ),
    "jaxlib": Order(
        variables=("PJRT_NPROC", "NPROC"),
        read=AT_FIRST_CALL,
        source="xla/pjrt/utils.cc, DefaultThreadPoolSize; jaxlib 0.10.2",
        also=("XLA_FLAGS",),
    ),
}  # fmt: skip
"""By key of `catalog.FAMILIES`, or by package."""


def order_of(family: str, threading_layer: str | None = None) -> Order | None:
    """Give what a library reads, as it was built; None for one that is not in the table."""
    if family == "openblas" and threading_layer in OMP_LAYERS:
        family = "openblas on OpenMP"
    return ORDERS.get(family)
