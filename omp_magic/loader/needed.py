"""What an extension module needs beside the C library, read in a third of the time.

`SharedObjects` reads all that the loader looks at; most extension modules need nothing but the C
library, and to see that takes one open(2), a stat and two or three reads.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import NamedTuple

_WIDE = struct.calcsize("P") == 8
_IDENT = b"\x7fELF" + (b"\2" if _WIDE else b"\1") + (b"\1" if sys.byteorder == "little" else b"\2")
_HEADER = struct.Struct("=28xI8xHH" if not _WIDE else "=32xQ14xHH")
"""Where the program headers begin, the size of one, and how many there are; see elf(5)."""
# Of a program header: its kind, and where it lies in the file and in memory, and its size.
_PROGRAM = struct.Struct("=I4xQQ8xQ16x" if _WIDE else "=III4xI12x")
_ENTRY = struct.Struct("=QQ" if _WIDE else "=II")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME = 0, 1, 5, 14
_FIRST_BYTES, _MOST_BYTES, _LONGEST_NAME_BYTES = 8192, 65536, 256

C_LIBRARY = frozenset(
    {
        *(b"libc.so.6", b"libm.so.6", b"libpthread.so.0", b"libdl.so.2", b"librt.so.1"),
        *(b"libutil.so.1", b"ld-linux-x86-64.so.2", b"ld-linux-aarch64.so.1"),
    }
)
"""Libraries of glibc, which need one another and nothing else (2.17 to 2.41)."""


class UnreadError(ValueError):
    """A file that this short way does not read; the long way tells what is wrong with it."""


class Glance(NamedTuple):
    """What a short look at a shared object tells.

    Parameters
    ----------
    path
        The file.
    identity
        Its device and inode.
    soname
        DT_SONAME, or None.
    needed
        DT_NEEDED without the C library's own.
    """

    path: str
    identity: tuple[int, int]
    soname: str | None
    needed: tuple[str, ...]


def glance(path: str) -> Glance:
    """Look at a shared object's file: 10 us when the kernel has it in memory.

    Raises
    ------
    OSError, UnreadError
        When it cannot be read in the short way.
    """
    # A pipe would wait for its other end without O_NONBLOCK.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        found = os.fstat(handle)
        soname, needed = _read(handle)
    except (struct.error, OverflowError) as error:
        raise UnreadError(str(error)) from error
    finally:
        os.close(handle)
    return Glance(path, (found.st_dev, found.st_ino), soname, needed)


def _read(handle: int) -> tuple[str | None, tuple[str, ...]]:
    first = os.pread(handle, _FIRST_BYTES, 0)
    if not first.startswith(_IDENT):
        raise UnreadError("no ELF file of this machine")
    start, size, count = _HEADER.unpack_from(first)
    end = start + size * count
    if size != _PROGRAM.size or end > len(first):
        raise UnreadError("its program headers lie elsewhere")
    section, loads = b"", []
    for kind, offset, address, length in _PROGRAM.iter_unpack(first[start:end]):
        if kind == _PT_LOAD:
            loads.append((address, length, offset))
        elif kind == _PT_DYNAMIC:
            section = os.pread(handle, min(length, _MOST_BYTES), offset)
    places, soname, table = _asked(section)
    if not places and soname is None:
        return None, ()
    for address, length, offset in loads:
        if address <= table < address + length:
            wanted = places if soname is None else [*places, soname]
            texts = _texts(first, handle, table - address + offset, wanted)
            own = None if soname is None else os.fsdecode(texts.pop())
            return own, tuple([os.fsdecode(name) for name in texts if name not in C_LIBRARY])
    raise UnreadError("its strings lie outside")


def _asked(section: bytes) -> tuple[list[int], int | None, int]:
    """Give where the names and the SONAME lie in a dynamic section's table, and the table."""
    places, soname, table = [], None, 0
    for tag, value in _ENTRY.iter_unpack(section):
        if tag == _DT_NEEDED:
            places.append(value)
        elif tag == _DT_STRTAB:
            table = value
        elif tag == _DT_SONAME:
            soname = value
        elif tag == _DT_NULL:
            break
    return places, soname, table


def _texts(head: bytes, handle: int, table: int, places: list[int]) -> list[bytes]:
    """Give the texts at some places of a table, which linkers put side by side."""
    first = min(places)
    start, span = table + first, max(places) - first + _LONGEST_NAME_BYTES
    if span > _MOST_BYTES:
        raise UnreadError("its strings lie apart")
    inside = start + span <= len(head)
    together = head[start : start + span] if inside else os.pread(handle, span, start)
    names = []
    for place in places:
        end = together.find(b"\0", place - first)
        if end < 0:
            raise UnreadError("a name without an end")
        names.append(together[place - first : end])
    return names
