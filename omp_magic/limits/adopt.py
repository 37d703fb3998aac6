"""What a Python package's pool would have had without a limit, and how torch's counts are set.

A package that is imported in a limited cell may read the limit's variables. What its pool would
have had is worked out here by the package's own rule, from ``os.environ`` and C's environment,
which must hold the process's own values again. Every rule was measured with the wheel named.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, ModuleType

from ..knowledge.catalog import family_of
from ..machine.here import native_here
from ..machine.port.native import Native
from ..machine.python.calls import call_get, call_set
from ..machine.python.own import affinity_cpus
from ..probes.packages.answers import attribute, count, loaded, positive
from ..probes.packages.tables import STOI

_FIRST = r"\s*\+?(\d{1,9})\s*(?:,.*)?"
"""OMP_NUM_THREADS: one number a level of nesting, the first counts."""


@lru_cache(maxsize=1)
def native() -> Native | None:
    """Give the running process; None where it cannot be called."""
    try:
        return native_here()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class TorchCalls:
    """Addresses of what sets torch's threads, each None where it cannot be reached.

    Parameters
    ----------
    openmp
        ``omp_set_num_threads`` of the runtime that torch is bound to.
    local
        ``MKL_Set_Num_Threads_Local`` of the MKL that torch calls: its override for the calling
        thread, 0 for none. The wheels have MKL inside libtorch_cpu.so and export it.
    most, everywhere
        ``MKL_Get_Max_Threads``, and what sets MKL's count for threads without an override.
    """

    openmp: int | None = None
    local: int | None = None
    most: int | None = None
    everywhere: int | None = None


@lru_cache(maxsize=4)
def torch_calls(module: ModuleType) -> TorchCalls:
    """Find what sets torch's threads without ``torch.set_num_threads``.

    That function does more than set a count (aten/src/ATen/ParallelOpenMP.cpp; measured with
    2.13): its first call starts a second pool of n - 1 threads, for good and never resized, it
    turns MKL_DYNAMIC off in the process, and it leaves MKL's override behind in the thread. None
    of that can be taken back.
    """
    here, binary = native(), getattr(loaded("torch._C"), "__file__", None)
    if here is None or binary is None:
        return TorchCalls()
    local = here.dependency_symbol(binary, "MKL_Set_Num_Threads_Local")
    most = here.dependency_symbol(binary, "MKL_Get_Max_Threads")
    everywhere = here.dependency_symbol(binary, "MKL_Set_Num_Threads")
    if everywhere is None:
        # The function behind it, which is all that the wheel exports of it.
        everywhere = here.dependency_symbol(binary, "mkl_serv_set_num_threads")
    if local is None or most is None:
        local = most = everywhere = None
    return TorchCalls(_openmp_of_torch(module, here, binary), local, most, everywhere)


def _openmp_of_torch(module: ModuleType, native: Native, binary: str) -> int | None:
    """Give the setter that torch's own getter follows.

    A runtime in the global scope may serve torch in place of its own. Trying is what tells, and
    libgomp comes first: LLVM's would start at its first call, and a second one ends the process.
    Where libgomp is not it, the other one has been started by torch's getter.
    """
    name = "omp_set_num_threads"
    found = native.dependency_symbol(binary, name), _everyones(native, name)
    setters = list(dict.fromkeys(setter for setter in found if setter is not None))
    if "backend: OpenMP" not in attribute(loaded("torch.__config__"), "parallel_info")():
        return None
    if len(setters) > 1:
        setters.sort(key=lambda setter: not _is_libgomp(native, setter))
        if not _is_libgomp(native, setters[0]):
            return None
    had = count(attribute(module, "get_num_threads")())
    for setter in setters:
        former = _openmp_count(native, binary, setter)
        if former is None:
            continue
        call_set(setter, had + 1)
        follows = attribute(module, "get_num_threads")() == had + 1
        call_set(setter, former)
        if follows:
            return setter
    return None


def _everyones(native: Native, name: str) -> int | None:
    """Give a symbol of the global scope, which may answer for a library's own."""
    return native.global_symbol(name) if native.has_global_scope else None


def _is_libgomp(native: Native, address: int) -> bool:
    family = family_of(os.path.basename(native.path_of(address) or ""))
    return family is not None and family.key == "libgomp"


def _openmp_count(native: Native, binary: str, setter: int) -> int | None:
    """Ask the runtime that the setter belongs to."""
    name = "omp_get_max_threads"
    for getter in (native.dependency_symbol(binary, name), _everyones(native, name)):
        if getter is not None and native.base_of(getter) == native.base_of(setter):
            return call_get(getter)
    return None


def torch_get(module: ModuleType) -> int:
    """Give torch's count in this thread: the first call here fixes it (lazy_init_num_threads)."""
    return count(attribute(module, "get_num_threads")())


def torch_set(module: ModuleType, value: int) -> None:
    """Set the count of the OpenMP runtime that serves torch, for this thread.

    Asking torch first matters: its first operation in a thread sets the thread's count anew
    (aten/src/ATen/Parallel.h, lazy_init_num_threads) unless that has been done.
    """
    torch_get(module)
    setter = torch_calls(module).openmp
    if setter is None:
        attribute(module, "set_num_threads")(value)
    else:
        call_set(setter, value)


def torch_mkl_get(module: ModuleType) -> int:
    """Give MKL's override in this thread, 0 for none and where torch has no MKL."""
    torch_get(module)
    local = torch_calls(module).local
    if local is None:
        return 0
    former = call_set(local, 0)
    if former:
        call_set(local, former)
    return former


def torch_mkl_set(module: ModuleType, value: int) -> None:
    """Set MKL's override in this thread; 0 takes it away, so that MKL follows OpenMP again."""
    torch_get(module)
    local = torch_calls(module).local
    if local is not None:
        call_set(local, value)


def torch_own(module: ModuleType) -> int:
    """Give what torch would have had, and put right what its import fixed for later threads.

    MKL reads its variables while torch is imported (2.13: MKL_NUM_THREADS taken out again right
    after the import still counted), else it follows OpenMP, whose default for new threads was
    fixed when libgomp was loaded. Both hold for threads to come, so MKL is told its count for
    the process; torch gives it to OpenMP in each new thread (init_num_threads). MKL itself
    lowers it to the cores where MKL_DYNAMIC is on.
    """
    wish = (
        positive(os.environ.get("MKL_NUM_THREADS"), _FIRST)
        or positive(os.environ.get("OMP_NUM_THREADS"), _FIRST)
        or affinity_cpus()
        or os.cpu_count()
        or 1
    )
    calls = torch_calls(module)
    if calls.local is None or calls.most is None or calls.everywhere is None:
        # Without MKL torch's own number is all that new threads ask.
        number = positive(os.environ.get("OMP_NUM_THREADS"), _FIRST) or affinity_cpus() or wish
        attribute(module, "set_num_threads")(number)
        return number
    former = call_set(calls.local, 0)
    try:
        call_set(calls.everywhere, wish)
        return max(1, call_get(calls.most))
    finally:
        call_set(calls.local, former)


def numexpr_own(module: ModuleType) -> int:
    """Give what numexpr would choose, by its own function run without effects.

    ``_init_num_threads`` (numexpr/utils.py) reads the variables, logs and sets. A number out of
    range is refused, and the one thread of the start stays (2.14: 99 with room for 8 gave 1).
    """
    utils = loaded("numexpr.utils")
    rule = attribute(utils, "_init_num_threads")
    silent = logging.Logger("numexpr", logging.CRITICAL + 1)  # noqa: LOG001 - getLogger keeps it
    harmless = {"set_num_threads": lambda _number: None, "log": silent}
    wish = FunctionType(rule.__code__, {**rule.__globals__, **harmless})()
    most = attribute(module, "MAX_THREADS")
    return int(wish) if 1 <= wish <= most else 1


def cv2_own(module: ModuleType) -> int:
    """Give OpenCV's default (modules/core/src/parallel.cpp, defaultNumberOfThreads).

    ``setNumThreads(-1)`` does not tell: it gives the default that the first use fixed (5.0: the
    variable changed afterwards counted no more).
    """
    wish = positive(os.environ.get("OPENCV_FOR_THREADS_NUM"))
    return wish or count(attribute(module, "getNumberOfCPUs")())


def arrow_own(module: ModuleType) -> int:
    """Give Arrow's default number of CPU threads (thread_pool.cc, DefaultCapacity).

    Without a variable it is std::thread::hardware_concurrency: the CPUs online with 17 and 21,
    those of the affinity mask with 26.
    """
    number = positive(os.environ.get("OMP_NUM_THREADS"), STOI)
    limit = positive(os.environ.get("OMP_THREAD_LIMIT"), STOI)
    if number is None:
        version = str(attribute(module, "__version__")).partition(".")[0]
        allowed = affinity_cpus() if not version.isdigit() or int(version) >= 26 else None
        number = allowed or os.cpu_count() or 4
    return min(number, limit or number)


def arrow_io_own(_module: ModuleType) -> int:
    """Give Arrow's default number of I/O threads: ARROW_IO_THREADS, else 8 (interfaces.cc)."""
    return positive(os.environ.get("ARROW_IO_THREADS")) or 8


def blosc2_own(module: ModuleType) -> int:
    """Give blosc2's default: the CPUs, at most 64, an eighth less above 16 (its __init__.py)."""
    cpus = min(count(attribute(module, "ncores")), 64)
    return cpus - cpus // 8 if cpus > 16 else cpus
