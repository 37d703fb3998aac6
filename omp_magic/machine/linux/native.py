"""What glibc and musl tell besides: the loader's change counter and its list."""

from __future__ import annotations

import ctypes
import gc
from functools import partial

from ..port.rows import Memory
from ..posix.native import PosixNative

_RTLD_LAZY = 1
_RTLD_DI_LINKMAP = 2
_MOST_OBJECTS = 100_000


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


class LinuxNative(PosixNative):
    """Calls into this process; see `port.Native`.

    Raises
    ------
    OSError
        When the C library does not have the functions.
    """

    def __init__(self) -> None:
        libc = ctypes.PyDLL(None)
        super().__init__(libc)
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

    def load_order(self, read_memory: Memory) -> tuple[int, ...]:
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


def _copier(libc: ctypes.PyDLL, target: _PhdrInfo) -> ctypes._FuncPointer:
    """Give a callback (info, size, data) that copies the info, made of C functions alone."""
    memmove = libc.memmove
    memmove.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    memmove.restype = ctypes.c_int  # the target's address, which ends the walk
    kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    # The data come as a fourth argument: C functions of this kind may be given more than theirs.
    return kind(partial(memmove, ctypes.addressof(target)))
