"""The loader's own list of what is loaded, read without trusting it.

The list (struct link_map) is read through /proc/self/mem, so one that changes meanwhile gives an
error and no crash.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import ParseError
from .sharedobjects import WORD_BYTES, Dynamic, Identity, Read

_RTLD_LAZY = 1
_RTLD_DI_LINKMAP = 2
# struct link_map: the five public members of <link.h>, and the first private ones, l_real, l_ns
# and l_libname, which stand there in the same order since glibc 2.3.4 (include/link.h).
_LINK_MAP = struct.Struct("=8Q" if WORD_BYTES == 8 else "=8I")
# struct libname_list: name, next.
_NAME = struct.Struct("=2Q" if WORD_BYTES == 8 else "=2I")
_AROUND_BYTES = 2048
_MOST_OBJECTS = 100_000
_MOST_NAMES = 1000
_LONGEST_NAME_BYTES = 65536


@dataclass(slots=True, eq=False)
class Loaded:
    """One object of the loader's list.

    Parameters
    ----------
    address, base, section
        Where its struct link_map, the object and its dynamic section lie.
    name
        ``l_name``: the path it was loaded by; empty for the program itself.
    dynamic
        What it asks for, as it was loaded.
    identity
        Device and inode of its file; None where the loader knows none, or where the file is
        gone.
    names
        Names it was asked for by.
    last_name
        Address of the last of their list; 0 where that cannot be read.
    whole
        Whether `dynamic` is known, and not its SONAME alone.
    """

    address: int
    base: int
    section: int
    name: str
    dynamic: Dynamic
    identity: Identity | None = None
    names: list[str] = field(default_factory=list)
    last_name: int = 0
    whole: bool = True

    def same(self, other: Loaded) -> bool:
        """Tell whether the loader's list says the same of both."""
        return (self.base, self.section, self.name) == (other.base, other.section, other.name)


def entries(read: Read, at: int) -> Iterator[Loaded]:
    """Give the entries from one on, with the names that each was asked for by.

    Raises
    ------
    OSError, ParseError
        When the list cannot be read to its end.
    """
    seen = 0
    while at:
        seen += 1
        # glibc keeps the first name and its text behind the struct (_dl_new_object).
        data = read(at, _AROUND_BYTES)
        if seen > _MOST_OBJECTS or len(data) < _LINK_MAP.size:
            raise ParseError("loader's list", hex(at), "a list that ends")
        base, name, section, after, _, real, namespace, names = _LINK_MAP.unpack_from(data)
        loaded = Loaded(at, base, section, _text(read, name), Dynamic())
        if real == at and namespace == 0:
            loaded.last_name = names  # the layout is the one we know
            read_names(_Window(read, at, data), loaded, first=True)
        else:
            loaded.names.append(os.path.basename(loaded.name))
        yield loaded
        at = after


def read_names(read: Read, loaded: Loaded, *, first: bool = False) -> list[str]:
    """Follow an object's list of names from the last known one on; give the new ones."""
    fresh = []
    at = loaded.last_name
    for number in range(_MOST_NAMES):
        name, after = _NAME.unpack(read(at, _NAME.size))
        if number or first:
            fresh.append(_text(read, name))
        loaded.last_name = at
        if not after:
            break
        at = after
    loaded.names += fresh
    return fresh


def after(read: Read, entry: int) -> int:
    """Give the address of the entry that follows one; 0 behind the last."""
    return int(_LINK_MAP.unpack(read(entry, _LINK_MAP.size))[3])


def _text(read: Read, at: int) -> str:
    if not at:
        return ""
    size = 256
    while size <= _LONGEST_NAME_BYTES:
        data = read(at, size)
        end = data.find(b"\0")
        if end >= 0:
            return os.fsdecode(data[:end])
        size *= 4
    raise ParseError("loader's list", hex(at), "a name that ends")


def head() -> int:
    """Give the address of the list's first entry, which stays for ever; 0 where there is none."""
    try:
        libc = ctypes.PyDLL(None)
        dlopen, dlinfo, dlclose = libc.dlopen, libc.dlinfo, libc.dlclose
    except (AttributeError, OSError, TypeError):
        return 0
    dlopen.restype = ctypes.c_void_p
    dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
    dlinfo.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    dlclose.argtypes = (ctypes.c_void_p,)
    handle = dlopen(None, _RTLD_LAZY)
    if not handle:
        return 0
    first = ctypes.c_size_t()
    try:
        return 0 if dlinfo(handle, _RTLD_DI_LINKMAP, ctypes.byref(first)) else first.value
    finally:
        dlclose(handle)


class _Window:
    """Memory that was read already, and a way to more."""

    __slots__ = ("_at", "_data", "_read")

    def __init__(self, read: Read, at: int, data: bytes) -> None:
        self._read, self._at, self._data = read, at, data

    def __call__(self, address: int, size: int) -> bytes:
        start = address - self._at
        if start >= 0 and start + size <= len(self._data):
            return self._data[start : start + size]
        return self._read(address, size)
