"""How the size of each Python package's pool is read without starting it: one row a pool.

An adapter gets a module that is already loaded and may call nothing that creates a pool, fixes
a variable that would be read later, or sets a count. Each one's docstring says what was found
out with the real wheels, on Linux x86-64; "freezes" means that a variable set after the look
was no longer obeyed, while without the look it was. They stand in `numeric`, `tables` and `models`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

from ...knowledge.strangers import BY_MODULE
from . import models, numeric, tables
from .poolcontext import Context, Size


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
    each
        What has such a pool of its own each time, or "".
    own_switch
        The package's own way to set its number, where no limit reaches it; else "".
    """

    module: str
    name: str
    read: Callable[[ModuleType, Context], Size]
    variables: tuple[str, ...]
    source: str
    for_io: bool = False
    each: str = ""
    own_switch: str = ""


def _stranger(module: str, read: Callable[[ModuleType, Context], Size]) -> Adapter:
    """Give the row of a package that no limit reaches."""
    row = BY_MODULE[module]
    return Adapter(
        module, row.label, read, row.variables, row.source, each=row.each, own_switch=row.switch
    )


_OMP = "OMP_NUM_THREADS"
_TORCH = ("MKL_NUM_THREADS", _OMP)
_NUMEXPR = ("NUMEXPR_NUM_THREADS", _OMP, "NUMEXPR_MAX_THREADS")
_TF = "tf.config.threading.set_{}_op_parallelism_threads before its first operation"

ADAPTERS: tuple[Adapter, ...] = (
    Adapter("torch", "torch intra-op", numeric.torch_intra, _TORCH, "ATen/ParallelCommon.cpp"),
    Adapter("torch", "torch inter-op", numeric.torch_inter, (), "ParallelThreadPoolNative.cpp"),
    Adapter("numba", "numba", numeric.numba, ("NUMBA_NUM_THREADS",), "numba/core/config.py"),
    Adapter("numexpr", "numexpr", numeric.numexpr, _NUMEXPR, "numexpr/utils.py"),
    Adapter("cv2", "OpenCV", numeric.cv2, ("OPENCV_FOR_THREADS_NUM",), "core/src/parallel.cpp"),
    Adapter(
        "pyarrow", "pyarrow CPU", tables.arrow_cpu, (_OMP, "OMP_THREAD_LIMIT"), "thread_pool.cc"
    ),
    Adapter(
        "pyarrow", "pyarrow I/O", tables.arrow_io, ("ARROW_IO_THREADS",), "interfaces.cc",
        for_io=True,
    ),
    Adapter(
        "polars", "polars", tables.polars, ("POLARS_MAX_THREADS",), "polars.thread_pool_size",
        own_switch="POLARS_MAX_THREADS before the import",
    ),
    Adapter("blosc2", "blosc2", numeric.blosc2, ("BLOSC_NTHREADS",), "measured with 4.14"),
    Adapter("faiss", "faiss", numeric.faiss, (_OMP,), "measured with 1.15"),
    Adapter(
        "tensorflow",
        "tensorflow intra-op",
        partial(models.tensorflow, "intra", ""),
        ("TF_NUM_INTRAOP_THREADS",),
        "local_device.cc",
        own_switch=_TF.format("intra"),
    ),
    Adapter(
        "tensorflow",
        "tensorflow inter-op",
        partial(models.tensorflow, "inter", "tf_Compute"),
        ("TF_NUM_INTEROP_THREADS",),
        "process_util.cc",
        own_switch=_TF.format("inter"),
    ),
    Adapter("xgboost", "xgboost", numeric.xgboost, (_OMP,), "measured with 3.2"),
    Adapter("lightgbm", "lightgbm", numeric.lightgbm, (_OMP,), "measured with 4.7"),
    _stranger("onnxruntime", models.onnxruntime),
    _stranger("jaxlib", models.jax),
    _stranger("duckdb", tables.duckdb),
    _stranger("tokenizers", models.tokenizers),
    _stranger("catboost", models.catboost),
)  # fmt: skip
