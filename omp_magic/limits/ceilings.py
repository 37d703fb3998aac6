"""Numbers of threads that callers pass to a library, and the ceilings that hold them too.

An OpenMP count is what a region takes that names none itself. A library that passes its caller's
number to each region goes past it, unless it has a ceiling of its own:

* LightGBM from 4.2 on: ``LGBM_SetMaxThreads``, for the process; -1 is none. It holds ``n_jobs``,
  ``num_threads`` and its aliases, in training, prediction and the making of a Dataset (4.7,
  measured by the threads that worked). The model keeps the number that its user gave.
* XGBoost from 2.1 on never takes more than OpenMP's count (measured with 2.1 and 3.2; 1.7 does).
* joblib, and scikit-learn with it: ``n_jobs=-1`` is the CPU count that loky reads anew at each
  call, at most LOKY_MAX_CPU_COUNT (loky/backend/context.py, _cpu_count_user).
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType

from ..machine.python.calls import call_set
from ..probes.packages.answers import attribute, loaded
from .adopt import native


def lightgbm_library(module: ModuleType) -> str:
    """Give the path of LightGBM's library.

    Raises
    ------
    LookupError
        When it has loaded none.
    """
    library = attribute(loaded(f"{module.__name__}.basic"), "_LIB")
    return str(library._name)  # noqa: SLF001 - ctypes has no other name for it


def _lightgbm(module: ModuleType, name: str) -> int:
    here = native()
    found = here.dependency_symbol(lightgbm_library(module), name) if here is not None else None
    if found is None:
        raise LookupError(
            f"this LightGBM has no {name}, 4.2 and later have; pass n_jobs or num_threads"
        )
    return found


def lightgbm_has(module: ModuleType) -> bool:
    """Say that this LightGBM has a ceiling.

    Raises
    ------
    LookupError
        When it has none.
    """
    return bool(_lightgbm(module, "LGBM_SetMaxThreads"))


def lightgbm_get(module: ModuleType) -> int:
    """Give LightGBM's ceiling; -1 for none."""
    most = ctypes.c_int(-1)
    getter = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    getter(_lightgbm(module, "LGBM_GetMaxThreads"))(ctypes.addressof(most))
    return most.value


def lightgbm_set(module: ModuleType, value: int) -> None:
    """Set LightGBM's ceiling; -1 takes it away."""
    call_set(_lightgbm(module, "LGBM_SetMaxThreads"), value)


def forget_cpu_counts() -> None:
    """Have scikit-learn count the CPUs anew.

    It keeps joblib's first answer for good (sklearn/utils/_openmp_helpers.pyx, _CPU_COUNTS), which
    under a limit is the limit's.
    """
    counts = getattr(sys.modules.get("sklearn.utils._openmp_helpers"), "_CPU_COUNTS", None)
    if isinstance(counts, dict):
        counts.clear()
