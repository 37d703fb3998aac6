"""How the size of each Python package's pool is read without starting it: one row a pool.

An adapter gets a module that is already loaded and may call nothing that creates a pool, fixes
a variable that would be read later, or sets a count. Each one's docstring says what was found
out with the real wheels, on Linux x86-64; "freezes" means that a variable set after the look
was no longer obeyed, while without the look it was.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from .poolcontext import Context, Size, affinity_cpus, attribute, count, lent, loaded, positive


def _torch_intra(_module: ModuleType, context: Context) -> Size:
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


def _torch_inter(_module: ModuleType, _context: Context) -> Size:
    """Say that torch is not asked.

    ``torch.get_num_interop_threads()`` starts no thread and leaves ``set_num_interop_threads``
    working, but begins with lazy_init_num_threads like the other getter: with 2.13 it put the
    main thread's OpenMP count, set to 5, back to 2. Older versions did not
    (aten/src/ATen/ParallelThreadPoolNative.cpp). Nothing else tells the number.
    """
    return Size(note="not asked: torch.get_num_interop_threads() sets this thread's OpenMP count")


def _numba(_module: ModuleType, context: Context) -> Size:
    """Ask numba's threading layer once it runs.

    ``numba.get_num_threads()`` launches the pool, maps libgomp and resets torch's count
    (numba#9387). Before, the number that it will launch is fixed: NUM_THREADS of
    numba/np/ufunc/parallel.py, read at import; ``numba.config.NUMBA_NUM_THREADS`` follows
    ``reload_config()`` while the launch does not (0.68). Afterwards the layer is asked without
    the locks of ``get_num_threads``; it answers with the mask of the thread that asks.
    """
    parallel = loaded("numba.np.ufunc.parallel")
    if not attribute(parallel, "_is_initialized"):
        return Size(would_use=count(attribute(parallel, "NUM_THREADS")), scope="thread")
    layer = str(attribute(parallel, "_threading_layer"))
    pool = sys.modules.get("numba.np.ufunc.omppool") if layer == "omp" else None
    file = getattr(pool, "__file__", None)
    lenders = context.lenders(file, "PyInit_omppool") if file is not None else ()
    path, note = (lenders[0].path if len(lenders) == 1 else ""), f"threading layer {layer}"
    if not context.on_main:
        note += "; not asked: its count belongs to a thread, and this is not the main thread"
        return Size(scope="thread", lender=path, note=note)
    number = count(attribute(parallel, "_get_num_threads")())
    return Size(num_threads=number, scope="thread", lender=path, note=note)


def _numexpr(module: ModuleType, _context: Context) -> Size:
    """Ask ``numexpr.get_num_threads()``, which is passive.

    The pool starts and the variables are read at import (numexpr/utils.py, _init_num_threads):
    2.14 has its threads before and no more of them after the call.
    """
    return Size(num_threads=count(attribute(module, "get_num_threads")()))


def _cv2(module: ModuleType, context: Context) -> Size:
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
    real = os.path.realpath(folder) + os.sep if files else ""
    return any(os.path.realpath(file).startswith(real) for file in files)


def _arrow(
    module: ModuleType, context: Context, symbol: str, getter: str, idle: Callable[[Context], Size]
) -> Size:
    """Ask a getter of pyarrow when its pool exists.

    ``cpu_count()`` and ``io_thread_count()`` start no thread, but create the pool object, which
    freezes OMP_NUM_THREADS, OMP_THREAD_LIMIT and ARROW_IO_THREADS (26): set to 5 and 3 after
    the import, they were 5 and 3, and 2 and 8 when it was asked before. Whether the object
    exists is seen in memory, with 17, 21 and 26.
    """
    library = getattr(sys.modules.get("pyarrow.lib"), "__file__", None)
    exists = context.has_started(symbol, lambda: context.static_exists(library, symbol))
    if exists:
        return Size(num_threads=count(attribute(module, getter)()))
    if exists is None:
        return Size(note=f"not asked: pyarrow.{getter}() creates the pool where there is none")
    return idle(context)


def _arrow_cpu(module: ModuleType, context: Context) -> Size:
    """Give Arrow's CPU pool, from cpp/src/arrow/util/thread_pool.cc, GetCpuThreadPool."""
    symbol = "_ZN5arrow8internal16GetCpuThreadPoolEv"
    return _arrow(module, context, symbol, "cpu_count", _arrow_cpu_idle)


def _arrow_cpu_idle(context: Context) -> Size:
    """Give what DefaultCapacity in thread_pool.cc will say.

    Without a variable it is std::thread::hardware_concurrency: the CPUs online with 17 and 21,
    those of the affinity mask with 26.
    """
    first = positive(context.getenv("OMP_NUM_THREADS"), STOI)
    limit = positive(context.getenv("OMP_THREAD_LIMIT"), STOI)
    if first is None:
        first = affinity_cpus()
        if first is None or first != os.sysconf("SC_NPROCESSORS_ONLN"):
            return Size(note="not asked: pyarrow.cpu_count() would create the pool")
    return Size(would_use=min(first, limit or first))


STOI = r"\s*\+?(\d{1,9})(?:\D.*)?"
"""What std::stoi makes a positive number of: " 7x" is 7."""


def _arrow_io(module: ModuleType, context: Context) -> Size:
    """Give Arrow's I/O pool, from cpp/src/arrow/io/interfaces.cc, GetIOThreadPool.

    ARROW_IO_THREADS if it is a positive number, else 8; "0", "-1" and " 7x" gave 8 (26).
    """
    symbol = "_ZN5arrow2io8internal15GetIOThreadPoolEv"
    number = positive(context.getenv("ARROW_IO_THREADS")) or 8
    return _arrow(module, context, symbol, "io_thread_count", lambda _: Size(would_use=number))


def _polars(module: ModuleType, context: Context) -> Size:
    """Ask ``polars.thread_pool_size()`` once a thread of the pool is there to be seen.

    It starts the pool: two threads "polars-0" and "polars-1" more, and until 1.38 it freezes
    POLARS_MAX_THREADS, which is read at first use. 2.1 reads it, and the CPUs, at import.
    """
    size = attribute(module, "thread_pool_size", "threadpool_size")
    if not context.machine.linux:
        return Size(note="not asked: polars.thread_pool_size() starts the pool")
    if context.has_started("polars", lambda: any(map(_POLARS, context.thread_names()))):
        return Size(num_threads=count(size()))
    value, note = context.getenv("POLARS_MAX_THREADS"), ""
    if "config_reload_env_vars" in vars(sys.modules.get("polars._plr", module)):
        if value != context.at_exec("POLARS_MAX_THREADS"):
            return Size(note="not asked: polars read POLARS_MAX_THREADS at import, as it was then")
        note = "read at import: if its CPUs are those it had then"
    number = positive(value)
    if number is not None:
        return Size(would_use=number)
    cpus = affinity_cpus()
    if cpus is None or (value is not None and not note):
        return Size(note=f"not asked: polars makes nothing of POLARS_MAX_THREADS={value!r:.40}")
    # std::thread::available_parallelism: affinity, and the CPU quota rounded down.
    quota = context.quota_cpus
    return Size(would_use=cpus if quota is None else max(1, min(cpus, int(quota))), note=note)


_POLARS = re.compile(r"polars-\d+").fullmatch


def _blosc2(module: ModuleType, context: Context) -> Size:
    """Read ``blosc2.nthreads``, a plain number that ``set_nthreads`` keeps.

    BLOSC_NTHREADS, read by C anew each time, wins: 2 threads by the attribute and the variable
    set to 5 after the import, ``asarray`` started 5 (4.14). Each array has such a pool.
    """
    number = count(attribute(module, "nthreads"))
    forced = positive(context.getenv("BLOSC_NTHREADS"))
    note = "BLOSC_NTHREADS outdoes blosc2.set_nthreads()" if forced not in (None, number) else ""
    return Size(num_threads=forced or number, note=note)


def _faiss(_module: ModuleType, context: Context) -> Size:
    """Give the count of the runtime that faiss calls; faiss keeps none of its own."""
    name = next((name for name in _FAISS if f"faiss.{name}" in sys.modules), "")
    file = getattr(sys.modules.get(f"faiss.{name}"), "__file__", None)
    return lent(context.lenders(file, f"PyInit_{name}"))


_FAISS = tuple(f"_swigfaiss{cpu}" for cpu in ("", "_avx512", "_avx512_spr", "_avx2", "_sve"))


def _xgboost(_module: ModuleType, context: Context) -> Size:
    """Give the count of the runtime that XGBoost calls.

    ``set_config(nthread=1)`` sets the count of that runtime, for this thread (3.2).
    """
    library = attribute(loaded("xgboost.core"), "_LIB")
    path = library._name  # noqa: SLF001 - ctypes has no other name for it
    return lent(context.lenders(path, "XGBoostVersion"))


def _tensorflow(op: str, threads: str, _module: ModuleType, context: Context) -> Size:
    """Read what TensorFlow's context was told, else what it will choose.

    ``tf.config.threading.get_*`` creates the context and looks for devices (2.21), so the
    settings are read where they are kept: tensorflow/python/eager/context.py. Without one, the
    variable is read at the first operation, else the affinity mask counts
    (core/common_runtime/process_util.cc and local_device.cc). The threads across operations
    start all at once and have a name, those within one have none.
    """
    kept = attribute(loaded("tensorflow.python.eager.context"), "_context")
    state = vars(kept) if kept is not None else {}
    field = f"{op}_op_parallelism_threads"
    told = state.get(f"_{field}") or getattr(state.get("_config"), field, 0)
    if state.get("_context_handle") is None:
        value = context.getenv(f"TF_NUM_{op.upper()}OP_THREADS")
        chosen = positive(value, r"\s*(\d{1,9})\s*") or affinity_cpus()
        return Size(would_use=count(told) if told else chosen)
    number = told or (threads and context.thread_names().get(threads, 0))
    if number:
        return Size(num_threads=count(number))
    return Size(note="TensorFlow chose it at its first operation and does not tell")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One pool of one package.

    Parameters
    ----------
    module
        The package, looked for in ``sys.modules``.
    name
        The pool, for people.
    read
        Gives its size, from the module and the context.
    variables
        Variables that set its size, the winner first.
    source
        Where the order of the variables is documented, or what it was measured with.
    for_io
        Whether its threads mostly wait for files.
    """

    module: str
    name: str
    read: Callable[[ModuleType, Context], Size]
    variables: tuple[str, ...]
    source: str
    for_io: bool = False


_OMP = "OMP_NUM_THREADS"
_TORCH = ("MKL_NUM_THREADS", _OMP)
_NUMEXPR = ("NUMEXPR_NUM_THREADS", _OMP, "NUMEXPR_MAX_THREADS")

ADAPTERS: tuple[Adapter, ...] = (
    Adapter("torch", "torch intra-op", _torch_intra, _TORCH, "ATen/ParallelCommon.cpp"),
    Adapter("torch", "torch inter-op", _torch_inter, (), "ParallelThreadPoolNative.cpp"),
    Adapter("numba", "numba", _numba, ("NUMBA_NUM_THREADS",), "numba/core/config.py"),
    Adapter("numexpr", "numexpr", _numexpr, _NUMEXPR, "numexpr/utils.py"),
    Adapter("cv2", "OpenCV", _cv2, ("OPENCV_FOR_THREADS_NUM",), "modules/core/src/parallel.cpp"),
    Adapter("pyarrow", "pyarrow CPU", _arrow_cpu, (_OMP, "OMP_THREAD_LIMIT"), "thread_pool.cc"),
    Adapter(
        "pyarrow", "pyarrow I/O", _arrow_io, ("ARROW_IO_THREADS",), "interfaces.cc", for_io=True
    ),
    Adapter("polars", "polars", _polars, ("POLARS_MAX_THREADS",), "polars.thread_pool_size"),
    Adapter("blosc2", "blosc2", _blosc2, ("BLOSC_NTHREADS",), "measured with 4.14"),
    Adapter("faiss", "faiss", _faiss, (_OMP,), "measured with 1.15"),
    Adapter(
        "tensorflow",
        "tensorflow intra-op",
        partial(_tensorflow, "intra", ""),
        ("TF_NUM_INTRAOP_THREADS",),
        "local_device.cc",
    ),
    Adapter(
        "tensorflow",
        "tensorflow inter-op",
        partial(_tensorflow, "inter", "tf_Compute"),
        ("TF_NUM_INTEROP_THREADS",),
        "process_util.cc",
    ),
    Adapter("xgboost", "xgboost", _xgboost, (_OMP,), "measured with 3.2"),
)
