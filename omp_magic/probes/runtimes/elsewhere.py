"""Runtimes on systems without /proc (macOS, Windows): listed by threadpoolctl.

threadpoolctl is imported only there, because importing it sets KMP_DUPLICATE_LIB_OK for the
process and its children (threadpoolctl.py, top level); the variable is put back.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...knowledge.catalog import Family, family_of

_VARIABLE = "KMP_DUPLICATE_LIB_OK"


def loaded_runtimes() -> Iterator[tuple[str, Family, ctypes.CDLL]]:
    """Give path, family and library object of each loaded OpenMP and BLAS runtime.

    No thread count is asked.
    """
    with _variable_kept():
        import threadpoolctl  # noqa: PLC0415 - changes the environment, see above

        controllers = threadpoolctl.ThreadpoolController().lib_controllers
    for controller in controllers:
        path = str(controller.filepath)
        family = family_of(os.path.basename(path))
        if family is not None:
            yield path, family, controller.dynlib


def address_of(library: ctypes.CDLL, names: tuple[str, ...]) -> int | None:
    """Give the address of the first symbol of `names` that the library has, or None."""
    for name in names:
        function = getattr(library, name, None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value
    return None


@contextmanager
def _variable_kept() -> Iterator[None]:
    """Put the variable back, in ``os.environ`` and so in C, if it was changed inside."""
    before = os.environ.get(_VARIABLE)
    first = "threadpoolctl" not in sys.modules
    try:
        yield
    finally:
        if first and os.environ.get(_VARIABLE) != before:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
