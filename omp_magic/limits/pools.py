"""The pools that live in Python packages, as a limit turns them: one row a pool.

Nothing is imported here. A dial gets a module that is loaded, and may make the package's pool
object, but starts no thread. How each is read without a limit is in `probes.adapters`; what was
measured was measured with real wheels on Linux x86-64, by the threads that then worked.

The former counts must be read before the first one is set and before any variable is: the
getters of OpenCV and Arrow make a pool that keeps the variables it finds, and torch's and MKL's
counts may be those of a runtime that has its own entry in the ledger. For that reason too they
are put back in the opposite order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from ..probes.packages.answers import attribute, count, loaded
from . import adopt, ceilings


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDial:
    """One pool that a limit can turn.

    Parameters
    ----------
    module
        The package, looked for in ``sys.modules`` and never imported.
    name, label
        Its name in a limit, and for people. Both of torch's dials are named ``torch``.
    scope
        ``"process"``, or ``"thread"`` when the count belongs to the thread that sets it.
    started
        False while it must not be touched yet.
    get
        Gives a number that `set` brings back exactly; 0 for torch's MKL is "no override".
    set
        Sets the count at once. More than the pool can have is lowered to that.
    own
        Gives the count that the pool would have had if no limit's variables had been there when
        it was imported or first used. They must be the process's own again, in Python and in C.
    variables
        What its size is read from, the winner first.
    for_io
        Whether its threads mostly wait for files.
    """

    module: str
    name: str
    label: str
    scope: str
    started: Callable[[ModuleType], bool]
    get: Callable[[ModuleType], int]
    set: Callable[[ModuleType, int], None]
    own: Callable[[ModuleType], int]
    variables: tuple[str, ...]
    for_io: bool = False


def _always(_module: ModuleType) -> bool:
    return True


def _asks(name: str) -> Callable[[ModuleType], int]:
    return lambda module: count(attribute(module, name)())


def _numexpr_set(module: ModuleType, value: int) -> None:
    """Set numexpr's count, which ends its threads and starts as many anew: 40 to 300 us.

    The same number would do so too (2.14, interpreter.cpp, numexpr_set_nthreads). More than
    MAX_THREADS is refused with a line on stderr, not with an exception.
    """
    value = min(value, attribute(module, "MAX_THREADS"))
    if attribute(module, "get_num_threads")() != value:
        attribute(module, "set_num_threads")(value)


def _numba() -> ModuleType:
    return loaded("numba.np.ufunc.parallel")


def _numba_started(_module: ModuleType) -> bool:
    return bool(attribute(_numba(), "_is_initialized"))


def _numba_get(_module: ModuleType) -> int:
    """Give this thread's mask; the layer is asked without the locks of ``get_num_threads``."""
    return count(attribute(_numba(), "_get_num_threads")())


def _numba_own(_module: ModuleType) -> int:
    return count(attribute(_numba(), "NUM_THREADS"))


def _numba_set(module: ModuleType, value: int) -> None:
    """Set this thread's mask, at most the threads that were launched: more raises ValueError."""
    attribute(module, "set_num_threads")(min(value, _numba_own(module)))


def _blosc2_get(module: ModuleType) -> int:
    return count(attribute(module, "nthreads"))


_raised: dict[int, int] = {}
"""The count of blosc2's C library before a limit lowered it, by the module's id."""


def _blosc2_set(module: ModuleType, value: int) -> None:
    """Set ``blosc2.nthreads``, and lower the count of its C library if that is greater.

    The attribute is what new arrays, compress2 and lazy expressions take. ``compress`` and
    ``decompress`` take C's count, which is 1 until ``set_nthreads`` sets both (4.14), so
    ``set_nthreads`` would leave them with more threads than before. C tells its count only
    when it is set, and ends and starts threads (150 us) unless it is the same.
    """
    before = _blosc2_get(module)
    module.nthreads = value  # type: ignore[attr-defined]  # a plain variable of the package
    swap = attribute(loaded("blosc2.blosc2_ext"), "set_nthreads")
    held = _raised.get(id(module))
    wish = held or (1 if before == adopt.blosc2_own(module) else before)
    former = swap(min(value, wish))
    if held is None and former != wish:
        wish = former
        swap(min(value, wish))
    if value < wish:
        _raised[id(module)] = wish
    else:
        _raised.pop(id(module), None)


_OMP = "OMP_NUM_THREADS"
_TORCH = ("MKL_NUM_THREADS", _OMP)

DIALS: tuple[PoolDial, ...] = (
    # In this order: OpenMP's count is what torch's first look in a thread fixes for MKL too.
    PoolDial(
        module="torch",
        name="torch",
        label="torch intra-op",
        scope="thread",
        started=_always,
        get=adopt.torch_get,
        set=adopt.torch_set,
        own=adopt.torch_own,
        variables=_TORCH,
    ),
    # MKL in torch follows OpenMP, unless MKL_NUM_THREADS or torch.set_num_threads gave it more.
    PoolDial(
        module="torch",
        name="torch",
        label="torch MKL",
        scope="thread",
        started=_always,
        get=adopt.torch_mkl_get,
        set=adopt.torch_mkl_set,
        own=lambda _module: 0,
        variables=_TORCH,
    ),
    PoolDial(
        module="numexpr",
        name="numexpr",
        label="numexpr",
        scope="process",
        started=_always,
        get=_asks("get_num_threads"),
        set=_numexpr_set,
        own=adopt.numexpr_own,
        variables=("NUMEXPR_NUM_THREADS", _OMP, "NUMEXPR_MAX_THREADS"),
    ),
    PoolDial(
        module="numba",
        name="numba",
        label="numba",
        scope="thread",
        started=_numba_started,
        get=_numba_get,
        set=_numba_set,
        own=_numba_own,
        variables=("NUMBA_NUM_THREADS",),
    ),
    # 0 and 1 are both "in the calling thread" and read as 1; -1 is the default and reads as that
    # (5.0, modules/core/src/parallel.cpp).
    PoolDial(
        module="cv2",
        name="cv2",
        label="OpenCV",
        scope="process",
        started=_always,
        get=_asks("getNumThreads"),
        set=lambda module, value: attribute(module, "setNumThreads")(value),
        own=adopt.cv2_own,
        variables=("OPENCV_FOR_THREADS_NUM",),
    ),
    PoolDial(
        module="pyarrow",
        name="pyarrow",
        label="pyarrow CPU",
        scope="process",
        started=_always,
        get=_asks("cpu_count"),
        set=lambda module, value: attribute(module, "set_cpu_count")(value),
        own=adopt.arrow_own,
        variables=(_OMP, "OMP_THREAD_LIMIT"),
    ),
    PoolDial(
        module="pyarrow",
        name="pyarrow-io",
        label="pyarrow I/O",
        scope="process",
        started=_always,
        get=_asks("io_thread_count"),
        set=lambda module, value: attribute(module, "set_io_thread_count")(value),
        own=adopt.arrow_io_own,
        variables=("ARROW_IO_THREADS",),
        for_io=True,
    ),
    # Arrays made before a limit keep their threads, and those made under one keep its (4.14).
    PoolDial(
        module="blosc2",
        name="blosc2",
        label="blosc2",
        scope="process",
        started=_always,
        get=_blosc2_get,
        set=_blosc2_set,
        own=adopt.blosc2_own,
        variables=("BLOSC_NTHREADS",),
    ),
    # No pool: a ceiling on the count that LightGBM passes to OpenMP. It reads no variable.
    PoolDial(
        module="lightgbm",
        name="lightgbm",
        label="LightGBM",
        scope="process",
        started=ceilings.lightgbm_has,
        get=ceilings.lightgbm_get,
        set=ceilings.lightgbm_set,
        own=ceilings.lightgbm_get,
        variables=(),
    ),
)
"""Faiss and XGBoost have no row: their threads are an OpenMP runtime's, and setting its count
limited the threads that worked (faiss 1.15, XGBoost 3.2, with ``nthread`` and ``n_jobs`` too)."""
