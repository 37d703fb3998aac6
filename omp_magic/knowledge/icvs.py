"""What a runtime's getter says once it has read a variable that sets no count.

Tried with libgomp of scikit-learn 1.9's wheel and of GCC 12, and Intel OpenMP 2026.2.
"""

from __future__ import annotations

import re

from .envvars import llvm_boolean, switch
from .numexpr import MAX, most_threads

_BINDS = {"false": "0", "true": "1", "master": "2", "primary": "2", "close": "3", "spread": "4"}
PLACES = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY")
"""Any of them gives libgomp places."""
_MOST_LEVELS = 255
"""Of GCC 12's libgomp; the wheel's has no such bound."""
UNTOLD = {
    "OMP_WAIT_POLICY": "no function of the runtime tells how its threads wait",
    "GOMP_SPINCOUNT": "no function of the runtime tells how its threads wait",
    "KMP_BLOCKTIME": "the runtime is not asked how its threads wait",
    "KMP_LIBRARY": "no function of the runtime tells how its threads wait",
    "KMP_AFFINITY": "asking the runtime would bind its threads",
    "OMP_PROC_BIND": "asking the runtime would bind its threads",
    "OMP_PLACES": "asking the runtime would bind its threads",
    "GOMP_CPU_AFFINITY": "asking the runtime would bind its threads",
    "OMP_SCHEDULE": "the runtime is not asked for its schedule",
    "OPENBLAS_CORETYPE": "OpenBLAS chose its kernels when it was loaded, and is not asked which",
    "MKL_DYNAMIC": "MKL is not asked for it",
}
"""Why it is not known what became of a variable that was set after the start."""


def has_taken(family: str, name: str, text: str | None, taken: str) -> bool | None:
    """Tell whether what a library has is what the value of a variable gives.

    Parameters
    ----------
    family
        Key of `catalog.FAMILIES`, or the package.
    name, text
        The variable, and its value; None when it is not set.
    taken
        What the library has: from its getter, or as it keeps it.

    Returns
    -------
    bool or None
        None when the library cannot read the value.
    """
    word = (text or "").strip().lower()
    if name in (MAX, "NUMBA_THREADING_LAYER"):
        return taken.lower() == (str(most_threads(text)) if name == MAX else word)
    if name in PLACES[1:]:
        return taken != "0"
    given = _given(family, name, text or "", word)
    return None if given is None else taken in given


def _given(family: str, name: str, text: str, word: str) -> tuple[str, ...] | None:
    """Give what the getter would say, in older runtimes and newer ones; None for a bad value."""
    if name == "OMP_DYNAMIC":
        value = llvm_boolean(text)
        if family == "libgomp":
            value = {"on": True, "off": False}.get(switch(word) or "")
        return None if value is None else (str(int(value)),)
    if name == "OMP_PROC_BIND":
        bind = _BINDS.get(word.partition(",")[0].strip())
        return None if bind is None else (bind,)
    if not re.fullmatch(r"\+?\d{1,10}", word, re.ASCII):
        return None
    number = int(word)
    least = min(number, _MOST_LEVELS) if name == "OMP_MAX_ACTIVE_LEVELS" else number
    return str(number), str(least)
