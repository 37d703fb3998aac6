"""The running process seen through its C library: loader, symbols, the C environment.

Only functions that every libc has are called, through `ctypes.PyDLL`, so the GIL is held and
the locks are always taken in the order GIL, then loader, the order of CPython's own dlopen.
No Python function is ever called back inside the loader's lock: it could lose the GIL there to a
thread that waits for that lock in dlopen, and both would wait for ever (threadpoolctl#239).
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from functools import lru_cache, partial

_RTLD_LAZY = 1
_RTLD_DI_LINKMAP = 2
_MOST_OBJECTS = 100_000


class _DlInfo(ctypes.Structure):
    """Dl_info, see dladdr(3)."""

    _fields_ = (
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    )


class _PhdrInfo(ctypes.Structure):
    """struct dl_phdr_info, see dl_iterate_phdr(3)."""

    _fields_ = (
        ("dlpi_addr", ctypes.c_void_p),
        ("dlpi_name", ctypes.c_char_p),
        ("dlpi_phdr", ctypes.c_void_p),
        ("dlpi_phnum", ctypes.c_uint16),
        ("dlpi_adds", ctypes.c_ulonglong),
        ("dlpi_subs", ctypes.c_ulonglong),
        ("dlpi_tls_modid", ctypes.c_size_t),
        ("dlpi_tls_data", ctypes.c_void_p),
        ("later", ctypes.c_byte * 256),
    )


class _LinkMap(ctypes.Structure):
    """struct link_map of <link.h>, one loaded object; the public part."""

    _fields_ = (
        ("l_addr", ctypes.c_size_t),
        ("l_name", ctypes.c_size_t),
        ("l_ld", ctypes.c_size_t),
        ("l_next", ctypes.c_size_t),
        ("l_prev", ctypes.c_size_t),
    )


class Native:
    """Calls into this process that change nothing in it.

    Raises
    ------
    OSError
        When the C library does not have the functions (Windows).
    """

    def __init__(self) -> None:
        try:
            libc = ctypes.PyDLL(None)
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
        self._dlinfo = getattr(libc, "dlinfo", None)
        if self._dlinfo is not None:
            self._dlinfo.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._info = _PhdrInfo()
        self._iterate = getattr(libc, "dl_iterate_phdr", None)
        self._copy = _copier(libc, self._info) if self._iterate is not None else None

    def loader_changes(self) -> tuple[int, int] | None:
        """Give how many objects the loader has added and removed so far.

        Equal pairs mean that nothing was loaded or unloaded in between, by whatever way. The
        callback of dl_iterate_phdr(3) is given them; it is memmove here, which ends the walk at the
        first object, since what it gives is not 0: no Python code runs under the loader's lock, and
        with the garbage collector off none of its finalizers does. 1.5 us.

        Returns
        -------
        (adds, subs) or None
            None where the loader does not count (macOS).
        """
        if self._iterate is None:
            return None
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._iterate(self._copy, None)
        finally:
            if collecting:
                gc.enable()
        return self._info.dlpi_adds, self._info.dlpi_subs

    def load_order(self, read_memory: Callable[[int, int], bytes]) -> tuple[int, ...]:
        """Give the addresses that loaded objects begin at, in the order of loading.

        Walks the loader's list (struct link_map, dlinfo(3)), which appends what it loads, as far
        as it can be read; () where there is none.

        Parameters
        ----------
        read_memory
            Reads (address, size in bytes) without crashing when the list changes meanwhile,
            as `Machine.read_memory` does.
        """
        handle = self._dlopen(None, _RTLD_LAZY) if self._dlinfo is not None else None
        if not handle or self._dlinfo is None:
            return ()
        first = ctypes.c_size_t()
        try:
            if self._dlinfo(handle, _RTLD_DI_LINKMAP, ctypes.byref(first)):
                return ()
        finally:
            self._dlclose(handle)
        found: list[int] = []
        at = first.value
        try:
            while at and len(found) < _MOST_OBJECTS:
                entry = _LinkMap.from_buffer_copy(read_memory(at, ctypes.sizeof(_LinkMap)))
                found.append(entry.l_addr)
                at = entry.l_next
        except (OSError, ValueError):
            pass
        return tuple(found)

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

    def is_loaded(self, name: str) -> bool:
        """Tell whether the loader has an object under this name; nothing is loaded. 2 us."""
        handle = self._dlopen(os.fsencode(name), _RTLD_LAZY | os.RTLD_NOLOAD)
        return bool(handle) and self._dlclose(handle) == 0

    def symbols(
        self, path: str, starts: tuple[int, ...], wanted: tuple[tuple[str, ...], ...]
    ) -> Symbols | None:
        """Look symbols up in a library that is loaded, without loading anything.

        The handle is closed again: a library that its owner unloads really goes.

        Parameters
        ----------
        path
            Path of the loaded file; a name without ``/`` finds it by its SONAME.
        starts
            Addresses at which the segments of the mapping that is meant begin; a symbol of
            another object, a second copy of the same SONAME for example, is not taken.
        wanted
            Alternative names for each symbol, the first that exists is taken.

        Returns
        -------
        Symbols or None
            The address of each, or None for each that the library lacks; None when the
            loader does not know the library under this name.
        """
        # A bare dlopen of libc, not ctypes.CDLL, which never closes its handle.
        handle = self._dlopen(os.fsencode(path), _RTLD_LAZY | os.RTLD_NOLOAD)
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
        handle = self._dlopen(os.fsencode(path), _RTLD_LAZY | os.RTLD_NOLOAD)
        if not handle:
            return None
        try:
            return self._dlsym(handle, name.encode()) or None
        finally:
            self._dlclose(handle)

    def global_symbol(self, name: str) -> int | None:
        """Give the address that a symbol has in the global scope, or None."""
        # RTLD_DEFAULT is 0 in glibc and musl, -2 on macOS.
        default = None if os.uname().sysname != "Darwin" else -2
        return self._dlsym(default, name.encode()) or None

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


Symbols = tuple["int | None", ...]


encoded = lru_cache(maxsize=256)(os.fsencode)
"""Gives a variable's name as C has it."""


def _copier(libc: ctypes.PyDLL, target: _PhdrInfo) -> ctypes._FuncPointer:
    """Give a callback (info, size, data) that copies the info, made of C functions alone."""
    memmove = libc.memmove
    memmove.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    memmove.restype = ctypes.c_int  # the target's address, which ends the walk
    kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    # The data come as a fourth argument: C functions of this kind may be given more than theirs.
    return kind(partial(memmove, ctypes.addressof(target)))


@lru_cache(maxsize=256)
def _reader(address: int) -> ctypes._FuncPointer:
    return ctypes.PYFUNCTYPE(ctypes.c_int)(address)


@lru_cache(maxsize=256)
def _writer(address: int) -> ctypes._FuncPointer:
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
    buffer = ctypes.create_string_buffer(size_bytes)
    ctypes.PYFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int)(address)(buffer, size_bytes)
    return buffer.value.decode("utf-8", "replace")


def call_text(address: int) -> str:
    """Call ``char *f(void)`` at an address that is known to be loaded."""
    value: bytes | None = ctypes.PYFUNCTYPE(ctypes.c_char_p)(address)()
    return (value or b"").decode("utf-8", "replace")
