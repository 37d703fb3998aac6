"""Readers of the pools of packages that compute on arrays, as `adapters` says of all readers."""

from __future__ import annotations

import os
import sys
from types import ModuleType

from ...machine.python.own import lies_in, real_path
from .answers import attribute, count, loaded, positive
from .numbalayer import coming_layer
from .poolcontext import Context, Size, lent


def torch_intra(_module: ModuleType, context: Context) -> Size:
    """Give the count of the OpenMP runtime that serves torch.

    ``torch.get_num_threads()`` is not asked: its first call in a thread, the main thread too,
    sets that thread's OpenMP count (aten/src/ATen/Parallel.h, lazy_init_num_threads). Torch's
    own first parallel operation in a thread does the same: after ``set_num_threads(4)`` a count
    that was set to 1 past torch is 4 again (2.13). So the count is the one in force now.
    """
    openmp = [library for library in context.libraries if library.api == "openmp"]
    lender = next((library for library in openmp if library.serves), None)
    if lender is None:
        lender = next((library for library in openmp if library.owner == "torch"), None)
    return lent((lender,) if lender is not None else ())


def torch_inter(_module: ModuleType, _context: Context) -> Size:
    """Say that torch is not asked.

    ``torch.get_num_interop_threads()`` starts no thread and leaves ``set_num_interop_threads``
    working, but begins with lazy_init_num_threads like the other getter: with 2.13 it put the
    main thread's OpenMP count, set to 5, back to 2. Older versions did not
    (aten/src/ATen/ParallelThreadPoolNative.cpp). Nothing else tells the number.
    """
    return Size(note="not asked: torch.get_num_interop_threads() sets this thread's OpenMP count")


def numba(_module: ModuleType, context: Context) -> Size:
    """Ask numba's threading layer once it runs.

    ``numba.get_num_threads()`` launches the pool, maps libgomp and resets torch's count
    (numba#9387). Before, the number that it will launch is fixed: NUM_THREADS of
    numba/np/ufunc/parallel.py, read at import; ``numba.config.NUMBA_NUM_THREADS`` follows
    ``reload_config()`` while the launch does not (0.68). Afterwards the layer is asked without
    the locks of ``get_num_threads``; it answers with the mask of the thread that asks.
    """
    parallel = loaded("numba.np.ufunc.parallel")
    chosen = getattr(sys.modules.get("numba.core.config"), "THREADING_LAYER", None)
    taken = (("NUMBA_THREADING_LAYER", str(chosen)),) if chosen else ()
    if not attribute(parallel, "_is_initialized"):
        number = count(attribute(parallel, "NUM_THREADS"))
        return Size(would_use=number, scope="thread", taken=taken, layer=coming_layer())
    layer = str(attribute(parallel, "_threading_layer"))
    file = getattr(sys.modules.get("numba.np.ufunc.omppool"), "__file__", None)
    lenders = context.lenders(file, "PyInit_omppool") if file and layer == "omp" else ()
    path, note = (lenders[0].path if len(lenders) == 1 else ""), f"threading layer {layer}"
    if not context.on_main:
        note += "; not asked: its count belongs to a thread, and this is not the main thread"
    now = count(attribute(parallel, "_get_num_threads")()) if context.on_main else None
    return Size(num_threads=now, scope="thread", lender=path, taken=taken, layer=layer, note=note)


def numexpr(module: ModuleType, _context: Context) -> Size:
    """Ask ``numexpr.get_num_threads()``, which is passive.

    The pool starts and the variables are read at import (numexpr/utils.py, _init_num_threads):
    2.14 has its threads before and no more after the call; the most it may have is fixed.
    """
    most = getattr(sys.modules.get("numexpr.utils"), "MAX_THREADS", None)
    taken = (("NUMEXPR_MAX_THREADS", str(most)),) if isinstance(most, int) else ()
    return Size(num_threads=count(attribute(module, "get_num_threads")()), taken=taken)


def cv2(module: ModuleType, context: Context) -> Size:
    """Ask ``cv2.getNumThreads()`` only when OpenCV is known to have threads of its own.

    It creates the pool object, which freezes OPENCV_FOR_THREADS_NUM
    (modules/core/src/parallel.cpp, defaultNumberOfThreads); it starts no thread. 4.12 and
    5.0: set to 5 after the import, the first use had 5 threads, and 2 when it was asked before.
    Whether the object exists cannot be seen: the module exports nothing but its entry.
    """
    file = str(attribute(module, "__file__"))
    if context.has_started("cv2", lambda: _below(os.path.dirname(file), context.busy)):
        return Size(num_threads=count(attribute(module, "getNumThreads")()))
    return Size(note="not asked: cv2.getNumThreads() fixes OPENCV_FOR_THREADS_NUM before first use")


def _below(folder: str, files: frozenset[str]) -> bool:
    """Tell whether one of the files is in a folder; the kernel names them without links."""
    real = real_path(folder) if files else ""
    return any(lies_in(real_path(file), real) for file in files)


def blosc2(module: ModuleType, context: Context) -> Size:
    """Read ``blosc2.nthreads``, a plain number that ``set_nthreads`` keeps.

    BLOSC_NTHREADS, read by C anew each time, wins: 2 threads by the attribute and the variable
    set to 5 after the import, ``asarray`` started 5 (4.14). Each array has such a pool.
    """
    number = count(attribute(module, "nthreads"))
    forced = positive(context.getenv("BLOSC_NTHREADS"))
    note = "BLOSC_NTHREADS outdoes blosc2.set_nthreads()" if forced not in (None, number) else ""
    return Size(num_threads=forced or number, note=note)


def faiss(_module: ModuleType, context: Context) -> Size:
    """Give the count of the runtime that faiss calls; faiss keeps none of its own."""
    name = next((name for name in _FAISS if f"faiss.{name}" in sys.modules), "")
    file = getattr(sys.modules.get(f"faiss.{name}"), "__file__", None)
    return lent(context.lenders(file, f"PyInit_{name}"))


def xgboost(_module: ModuleType, context: Context) -> Size:
    """Give the count of the runtime that XGBoost calls.

    ``set_config(nthread=1)`` sets the count of that runtime, for this thread (3.2).
    """
    library = attribute(loaded("xgboost.core"), "_LIB")
    path = library._name  # noqa: SLF001 - ctypes has no other name for it
    return lent(context.lenders(path, "XGBoostVersion"))


_FAISS = tuple(f"_swigfaiss{cpu}" for cpu in ("", "_avx512", "_avx512_spr", "_avx2", "_sve"))


def lightgbm(_module: ModuleType, context: Context) -> Size:
    """Give the count of the runtime that LightGBM calls.

    Its own ``num_threads`` wins over it: with 4 named, four threads worked on two CPUs (4.7).
    """
    library = attribute(loaded("lightgbm.basic"), "_LIB")
    path = getattr(library, "_name", None)
    if path is None:
        return Size(scope="thread", note="not asked: its library is not known")
    return lent(context.lenders(path, "LGBM_GetLastError"))
