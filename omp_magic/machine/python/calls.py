"""Calls of functions at addresses that are known to be loaded."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes


@lru_cache(maxsize=256)
def _reader(address: int) -> ctypes._FuncPointer:
    import ctypes  # noqa: PLC0415 - another process is looked at without it: 1 ms

    return ctypes.PYFUNCTYPE(ctypes.c_int)(address)


@lru_cache(maxsize=256)
def _writer(address: int) -> ctypes._FuncPointer:
    import ctypes  # noqa: PLC0415 - as above

    # CFUNCTYPE lets go of the GIL: a setter may wait for workers.
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)


def call_get(address: int) -> int:
    """Call ``int f(void)`` at an address that is known to be loaded."""
    return int(_reader(address)())


def call_set(address: int, value: int) -> int:
    """Call ``int f(int)`` at an address that is known to be loaded.

    Setters that return nothing give a meaningless number.
    """
    return int(_writer(address)(value))


def call_buffer(address: int, size_bytes: int = 256) -> str:
    """Call ``void f(char *buffer, int size)`` at an address that is known to be loaded."""
    import ctypes  # noqa: PLC0415 - as above

    buffer = ctypes.create_string_buffer(size_bytes)
    ctypes.PYFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int)(address)(buffer, size_bytes)
    return buffer.value.decode("utf-8", "replace")


def call_text(address: int) -> str:
    """Call ``char *f(void)`` at an address that is known to be loaded."""
    import ctypes  # noqa: PLC0415 - as above

    value: bytes | None = ctypes.PYFUNCTYPE(ctypes.c_char_p)(address)()
    return (value or b"").decode("utf-8", "replace")
