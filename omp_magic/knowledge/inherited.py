"""The variables by which child processes inherit a number of threads, as a table."""

from __future__ import annotations

CPU_COUNT = "LOKY_MAX_CPU_COUNT"
"""What loky, joblib and scikit-learn count at most."""

INHERITED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("OMP_NUM_THREADS", ("openmp", "")),
    ("OPENBLAS_NUM_THREADS", ("openblas", "blas", "")),
    ("MKL_NUM_THREADS", ("mkl", "blas", "")),
    ("BLIS_NUM_THREADS", ("blis", "blas", "")),
    ("VECLIB_MAXIMUM_THREADS", ("blas", "")),
    ("NUMEXPR_NUM_THREADS", ("numexpr", "")),
    ("NUMBA_NUM_THREADS", ("numba", "")),
    ("OPENCV_FOR_THREADS_NUM", ("cv2", "")),
    ("ARROW_IO_THREADS", ("pyarrow-io", "pyarrow")),
    ("BLOSC_NTHREADS", ("blosc2", "")),
    ("POLARS_MAX_THREADS", ("polars", "")),
    ("TF_NUM_INTRAOP_THREADS", ("tensorflow", "")),
    ("TF_NUM_INTEROP_THREADS", ("tensorflow", "")),
    (CPU_COUNT, ("joblib", "")),
)
"""Variables by the names of a limit that set them, the most particular name first.

joblib's list for its workers (joblib/_parallel_backends.py, MAX_NUM_THREADS_VARS), and the
variables of the pools that it leaves out; last what joblib counts here, at each call.
"""

_CHILDREN_ALONE = ("RAYON_NUM_THREADS",)
"""Read once, by pools that no limit reaches (`strangers`)."""

AT_START = ("TOKIO_WORKER_THREADS", "PJRT_NPROC", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
"""Read once too, by pools whose number nothing sets later: for programs that are started anew.

PJRT_NPROC and not NPROC, which other programs read (xla/pjrt/utils.cc, DefaultThreadPoolSize);
ITK's is in Modules/Core/Common/src/itkMultiThreaderBase.cxx, GetGlobalDefaultNumberOfThreads.
"""


def for_children(threads: int) -> tuple[tuple[str, str], ...]:
    """Give the variables of workers whose pools are to have so many threads, by name.

    joblib's CPU count is none of them: set here it would also keep this process's own
    ``Parallel(n_jobs=-1)`` to so many workers.

    Examples
    --------
    >>> for_children(2)[0]
    ('OMP_NUM_THREADS', '2')
    """
    every = (name for name, names in INHERITED if "" in names and name != CPU_COUNT)
    return tuple((name, str(threads)) for name in (*every, *_CHILDREN_ALONE))
