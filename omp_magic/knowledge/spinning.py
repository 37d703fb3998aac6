"""How much CPU time a pool's thread may use up while it waits for its next work.

Threads look for work for a while before they sleep, so one that worked before a stretch of code
goes on using its CPU into it. What a thread was woken for takes at most as long again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LIBGOMP_MS, _OPENBLAS_MS, _LLVM_MS = 25.0, 100.0, 300.0
"""Three times what was measured with the usual settings, on a Xeon of 2.5 GHz: libgomp 8 ms
(300,000 looks, GOMP_SPINCOUNT), OpenBLAS 0.3.30 39 ms (2**26 cycles, OPENBLAS_THREAD_TIMEOUT).
LLVM's and Intel's wait 200 ms (KMP_BLOCKTIME)."""
_USUAL_SPINS, _USUAL_TIMEOUT = 300_000, 26
_MS = {"": 1.0, "ms": 1.0, "us": 0.001, "s": 1000.0}
_Getenv = Callable[[str], "str | None"]


def spinning_s(family: str, getenv: _Getenv) -> float | None:
    """Give the CPU time in s below which a thread may not have worked.

    Parameters
    ----------
    family
        Key of the runtime's family.
    getenv
        Gives a variable as the runtime reads it.

    Returns
    -------
    float or None
        None when such threads never sleep, so that their CPU time says nothing.
    """
    if family == "openblas":
        return _openblas_ms(getenv) / 1000
    if (getenv("OMP_WAIT_POLICY") or "").strip().lower() == "active":
        return None
    found = _libgomp_ms(getenv) if family == "libgomp" else _llvm_ms(getenv)
    return None if found is None else found / 1000


def _openblas_ms(getenv: _Getenv) -> float:
    found = re.fullmatch(r"\s*(\d{1,3})\s*", getenv("OPENBLAS_THREAD_TIMEOUT") or "")
    extra = min(int(found[1]), 30) - _USUAL_TIMEOUT if found is not None else 0
    return _OPENBLAS_MS * float(2 ** max(0, extra))


def _libgomp_ms(getenv: _Getenv) -> float | None:
    text = getenv("GOMP_SPINCOUNT")
    if text is None:
        return _LIBGOMP_MS
    found = re.fullmatch(r"\s*(\d{1,12})\s*([kmgt]?)\s*", text.lower())
    if found is None:
        return None  # "infinite", or nothing that this table knows
    spins = int(found[1]) * 1000.0 ** " kmgt".index(found[2] or " ")
    return _LIBGOMP_MS * max(1.0, spins / _USUAL_SPINS)


def _llvm_ms(getenv: _Getenv) -> float | None:
    if (getenv("KMP_LIBRARY") or "").strip().lower() in ("turnaround", "serial"):
        return None
    found = re.fullmatch(
        r"\s*(\d{1,9})\s*(ms|us|s|)\s*", (getenv("KMP_BLOCKTIME") or "200").lower()
    )
    return max(_LLVM_MS, 1.5 * int(found[1]) * _MS[found[2]]) if found is not None else None
