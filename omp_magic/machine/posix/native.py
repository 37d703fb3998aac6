"""The running process seen through its C library: loader, symbols, the C environment.

Only functions that every libc has are called, through `ctypes.PyDLL`, so the GIL is held and
the locks are always taken in the order GIL, then loader, the order of CPython's own dlopen.
No Python function is ever called back inside the loader's lock: it could lose the GIL there to a
thread that waits for that lock in dlopen, and both would wait for ever (threadpoolctl#239).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection

from ..port.native import ExitMark
from ..port.rows import Symbols
from ..python.own import encoded


class _DlInfo(ctypes.Structure):
    """Dl_info, see dladdr(3)."""

    _fields_ = (
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    )


class PosixNative:
    """Calls that Linux and macOS have in common; see `port.Native`.

    Parameters
    ----------
    libc
        The library that has them; that of the process when None.

    Raises
    ------
    OSError
        When the C library does not have the functions.
    """

    has_global_scope = True
    _default: int | None = None
    """RTLD_DEFAULT of <dlfcn.h>, which is 0 in glibc and musl."""
    _only_loaded = 1 | getattr(os, "RTLD_NOLOAD", 0)
    """RTLD_LAZY, and what is not loaded is not found."""

    def __init__(self, libc: ctypes.PyDLL | None = None) -> None:
        libc = libc or ctypes.PyDLL(None)
        try:
            self._dlopen = libc.dlopen
            self._dlsym = libc.dlsym
            self._dlclose = libc.dlclose
            self._dladdr = libc.dladdr
            self._getenv = libc.getenv
            self._setenv = libc.setenv
            self._unsetenv = libc.unsetenv
        except (AttributeError, TypeError) as error:
            raise OSError(f"this C library lacks a function: {error}") from error
        self._dlopen.restype = ctypes.c_void_p
        self._dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
        self._dlsym.restype = ctypes.c_void_p
        self._dlsym.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        self._dlclose.argtypes = (ctypes.c_void_p,)
        self._dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(_DlInfo))
        self._getenv.restype = ctypes.c_char_p
        self._getenv.argtypes = (ctypes.c_char_p,)
        self._setenv.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
        self._unsetenv.argtypes = (ctypes.c_char_p,)

    def getenv(self, name: str) -> str | None:
        """Give a variable as C sees it, which is what libraries read."""
        value = self._getenv(encoded(name))
        return None if value is None else os.fsdecode(value)

    def setenv(self, name: str, value: str | None) -> None:
        """Set a variable for C alone, or unset it with None; ``os.environ`` is not touched."""
        if value is None:
            self._unsetenv(encoded(name))
        else:
            self._setenv(encoded(name), os.fsencode(value), 1)

    def set_others(self, name: str, value: str) -> None:
        """See `native.Native.set_others`: ``os.environ`` sets C's (putenv(3))."""

    def kept_env(self, name: str) -> tuple[str | None, ...]:
        """See `native.Native.kept_env`: there is one environment."""
        return (self.getenv(name),)

    def give_back_env(self, name: str, kept: tuple[str | None, ...], *, now: str | None) -> None:
        """See `native.Native.give_back_env`."""
        if kept[0] != now:
            self.setenv(name, kept[0])

    def is_loaded(self, name: str) -> bool:
        """Tell whether the loader has an object under this name; nothing is loaded. 2 us."""
        handle = self._dlopen(os.fsencode(name), self._only_loaded)
        return bool(handle) and self._dlclose(handle) == 0

    def symbols(
        self, path: str, starts: tuple[int, ...], wanted: tuple[tuple[str, ...], ...]
    ) -> Symbols | None:
        """See `port.Native.symbols`; a library that its owner unloads really goes."""
        # A bare dlopen of libc, not ctypes.CDLL, which never closes its handle.
        handle = self._dlopen(os.fsencode(path), self._only_loaded)
        if not handle:
            return None
        try:
            found = tuple(self._first(handle, names, starts) for names in wanted)
        finally:
            self._dlclose(handle)
        return found

    def _first(self, handle: int, names: tuple[str, ...], starts: tuple[int, ...]) -> int | None:
        for name in names:
            address = self._dlsym(handle, name.encode())
            if address and self.base_of(address) in starts:
                return int(address)
        return None

    def dependency_symbol(self, path: str, name: str) -> int | None:
        """Give the address of a symbol in a loaded library or in what it was linked with."""
        handle = self._dlopen(os.fsencode(path), self._only_loaded)
        if not handle:
            return None
        try:
            return self._dlsym(handle, name.encode()) or None
        finally:
            self._dlclose(handle)

    def bindings(self, names: Collection[str]) -> dict[tuple[int, str], int]:
        """See `native.Native.bindings`: ELF's imports name no library."""
        del names
        return {}

    def global_symbol(self, name: str) -> int | None:
        """Give the address that a symbol has in the global scope, or None."""
        return self._dlsym(self._default, name.encode()) or None

    def base_of(self, address: int) -> int | None:
        """Give the lowest address of the loaded object that holds `address`, or None."""
        info = _DlInfo()
        if not self._dladdr(address, ctypes.byref(info)):
            return None
        base = info.dli_fbase
        return None if base is None else int(base)

    def path_of(self, address: int) -> str | None:
        """Give the path that the object holding `address` was loaded by, or None.

        The kernel renames it with the file: pip moves a package aside to ``~klearn`` before
        it deletes it.
        """
        info = _DlInfo()
        if not self._dladdr(address, ctypes.byref(info)) or not info.dli_fname:
            return None
        return os.fsdecode(info.dli_fname)

    def blas_threading(self) -> str | None:
        """See `native.Native.blas_threading`: only macOS has a BLAS of its own."""
        return None

    def mark_exit(self, path: str) -> ExitMark:
        """See `port.Native.mark_exit`."""
        from .exitmark import PosixExitMark  # noqa: PLC0415 - only the recorder pays

        return PosixExitMark(path)

    def close(self) -> None:
        """See `port.Native.close`: nothing is kept in the process."""
