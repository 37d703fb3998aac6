"""The parts of this process that an import may change, each read in a microsecond or so."""

from __future__ import annotations

import sys
import threading

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    Key = tuple[str, str]
    Value = str | tuple[int, int]

_SUBNORMAL, _SMALLEST = 5e-324, 2.2250738585072014e-308
_ONE, _HALF = 1.0, 0.5
_START_METHOD = ("start method", "")
_FLOATING_POINT = ("floating point", "")
_DEFAULT = "the default"
_FLUSHED = "subnormal numbers are zero"


def modes() -> dict[Key, str]:
    """Give the start method, and on the main thread what it does with subnormal numbers."""
    found = {_START_METHOD: _start_method()}
    if threading.get_ident() == threading.main_thread().ident:
        # DAZ takes a subnormal operand for zero, FTZ a subnormal result (Intel SDM, MXCSR). Code
        # built with -ffast-math sets both for the thread that loads it (gcc's crtfastmath.c).
        flushed = _SUBNORMAL * _ONE == 0.0 or _SMALLEST * _HALF == 0.0
        found[_FLOATING_POINT] = _FLUSHED if flushed else "subnormal numbers are kept"
    return found


def _start_method() -> str:
    """Give how multiprocessing starts processes where that is not its default."""
    module = sys.modules.get("multiprocessing")
    if module is None:
        return _DEFAULT
    try:
        chosen = module.get_start_method(allow_none=True)
        if chosen is None or chosen == module.get_all_start_methods()[0]:
            return _DEFAULT
        return str(chosen)
    except (AttributeError, IndexError):
        return _DEFAULT  # its import is in progress


def as_text(value: Value) -> str:
    """Give a value for people."""
    if isinstance(value, str):
        return value
    soft, hard = ("unlimited" if each == -1 else each for each in value)
    return f"soft {soft}, hard {hard}"
