"""What one shared object asks of the loader, from its file or from memory.

Only the few pieces that the loader looks at are read, each with read(2): a file of 430 MB costs
what a small one costs, and one that is cut meanwhile gives an error, not a SIGBUS.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from ..errors import OmpMagicError, ParseError

Read = Callable[[int, int], bytes]
"""Gives so many bytes (second) from an offset or address on (first), or fewer at the end."""
Identity = tuple[int, int]
"""Device and inode of stat(2); glibc compares these (sysdeps/posix/dl-fileid.h)."""
_Stamp = tuple[int, int, int, int]

WORD_BYTES = struct.calcsize("P")
_WIDE = WORD_BYTES == 8
_HEADER = struct.Struct("=16sHHIQQQIHHH" if _WIDE else "=16sHHIIIIIHHH")
# Of a program header: its kind, and where it lies in the file and in memory, and its size.
_PROGRAM = struct.Struct("=I4xQQ8xQ16x" if _WIDE else "=III4xI12x")
_SHARED = 3
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME = 1, 5, 10, 14
_DT_RPATH, _DT_RUNPATH, _DT_FLAGS_1 = 15, 29, 0x6FFFFFFB
_DF_1_NOOPEN, _DF_1_NODEFLIB, _DF_1_PIE = 0x40, 0x800, 0x8000000
_FIRST_BYTES = 4096
_TEXT_BYTES = 256
_TOGETHER_BYTES = 16384
_LONGEST_NAME_BYTES = 65536
_MOST_ENTRIES, _MOST_FILES = 65536, 20_000


class WrongMachineError(OmpMagicError):
    """A file at `path` is for another processor or word size; a search goes on past it."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: for another machine")


class Dynamic(NamedTuple):
    """The parts of a dynamic section that steer the loader.

    Parameters
    ----------
    soname, needed, rpath, runpath
        As in `elf.ElfFile`.
    default_folders
        Whether its dependencies are also looked for in the system's folders
        (no DF_1_NODEFLIB).
    loadable
        Whether dlopen(3) accepts it: an executable (DF_1_PIE) or DF_1_NOOPEN is refused.
    """

    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    default_folders: bool = True
    loadable: bool = True


class SharedObject(NamedTuple):
    """A file that the loader could map.

    Parameters
    ----------
    path
        As the loader would call it, symbolic links included.
    kernel_path
        As /proc/self/maps would show it: links resolved.
    identity
        Device and inode.
    dynamic
        What it asks for.
    """

    path: str
    kernel_path: str
    identity: Identity
    dynamic: Dynamic


class SharedObjects:
    """Reads files, each once for as long as it is unchanged."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[_Stamp, SharedObject]] = {}

    def read(self, path: str) -> SharedObject:
        """Give the file at `path`; one stat(2), 2 us, when it is known and unchanged.

        Raises
        ------
        OSError, ValueError
            When it cannot be read.
        WrongMachineError
            When it is for another machine.
        ParseError
            When the loader would refuse it.
        """
        known = self.known(path, os.stat(path)) if path in self._read else None
        if known is not None:
            return known
        stamp, found = _read(path)
        if len(self._read) >= _MOST_FILES:
            self._read.clear()
        self._read[path] = stamp, found
        return found

    def known(self, path: str, found: os.stat_result) -> SharedObject | None:
        """Give a file that was read before, if it is what stat(2) says now, or None."""
        stamp, known = self._read.get(path, (None, None))
        return known if stamp == _stamp(found) else None


def read_object(path: str) -> SharedObject:
    """Read a shared object's file: 25 us when the kernel has it in memory.

    The checks are those of glibc's open_verify and _dl_map_object_from_fd (elf/dl-load.c).

    Raises
    ------
    OSError, ValueError, WrongMachineError, ParseError
        As `SharedObjects.read` does.
    """
    return _read(path)[1]


def _read(path: str) -> tuple[_Stamp, SharedObject]:
    # A pipe would wait for its other end without O_NONBLOCK.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ParseError("shared object", path, "a file")
        first = os.pread(handle, _FIRST_BYTES, 0)

        def read(offset: int, size: int) -> bytes:
            if offset + size <= len(first):
                return first[offset : offset + size]
            return os.pread(handle, size, offset)

        programs = _programs(first, read, path)
        dynamic = _from_file(programs, read, path)
        # The kernel's own name of it, exactly what its map will show.
        kernel_path = os.readlink(f"/proc/self/fd/{handle}")
    except (struct.error, IndexError, OverflowError):
        raise ParseError("shared object", path, "offsets that lie inside the file") from None
    finally:
        os.close(handle)
    identity = found.st_dev, found.st_ino
    return _stamp(found), SharedObject(path, kernel_path, identity, dynamic)


@lru_cache(maxsize=1)
def host() -> tuple[int, int, int]:
    """Give word size, byte order and machine of this process, as an ELF header writes them.

    Raises
    ------
    OSError, ParseError
        When the own executable cannot be read.
    """
    with open("/proc/self/exe", "rb") as opened:
        head = opened.read(_HEADER.size)
    if len(head) < _HEADER.size or head[:4] != b"\x7fELF":
        raise ParseError("/proc/self/exe", head[:8].hex(" "), "an ELF header")
    return head[4], head[5], int(_HEADER.unpack(head)[2])


def from_memory(read: Read, base: int, section: int) -> Dynamic:
    """Read a loaded object's dynamic section, l_ld of its struct link_map.

    Raises
    ------
    OSError, ParseError
        When it is not there any more.
    """

    def place(table: int) -> int:
        # glibc rewrites the section's offsets to addresses, save where the section is
        # read-only, as that of the vDSO (dl_relocate_ld in elf/get-dynamic-info.h).
        return table if table >= base else table + base

    try:
        return _dynamic(read(section, _FIRST_BYTES), place, read)
    except (struct.error, IndexError, OverflowError):
        raise ParseError("dynamic section", hex(section), "strings in mapped memory") from None


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _programs(first: bytes, read: Read, path: str) -> bytes:
    """Give the program headers of a file that this machine can load."""
    if first[:4] != b"\x7fELF" or len(first) < _HEADER.size:
        raise ParseError("shared object", first[:8].hex(" "), "an ELF header")
    ident, kind, machine, version, _, programs, _, _, _, size, count = _HEADER.unpack_from(first)
    word, order, own = host()
    if ident[4] != word:
        raise WrongMachineError(path)
    # Only System V's and GNU's own objects: VALID_ELF_OSABI of sysdeps/gnu/ldsodefs.h.
    if (ident[5], ident[6], version) != (order, 1, 1) or ident[7] not in (0, 3):
        raise ParseError("shared object", ident.hex(" "), "this machine's byte order, for Linux")
    if machine != own:
        raise WrongMachineError(path)
    if kind != _SHARED or size != _PROGRAM.size:
        raise ParseError("shared object", f"ELF type {kind}", "a shared object")
    return read(programs, count * size)


def _from_file(programs: bytes, read: Read, path: str) -> Dynamic:
    loads: list[tuple[int, int, int]] = []
    dynamic = b""
    for what, offset, address, length in _PROGRAM.iter_unpack(programs):
        if what == _PT_LOAD:
            loads.append((address, length, offset))
        elif what == _PT_DYNAMIC:
            dynamic = read(offset, min(length, _MOST_ENTRIES * 2 * WORD_BYTES))
    if not loads or not dynamic:
        # "object file has no loadable segments" and "object file has no dynamic section"
        raise ParseError("shared object", path, "segments and a dynamic section")

    def place(table: int) -> int:
        # DT_STRTAB is an address in memory; the load segments say where that is in the file.
        for address, length, offset in loads:
            if address <= table < address + length:
                return table - address + offset
        raise IndexError(table)

    return _dynamic(dynamic, place, read)


def _dynamic(section: bytes, place: Callable[[int], int], read: Read) -> Dynamic:
    number = len(section) // WORD_BYTES & ~1
    words = struct.unpack_from(f"={number}{'Q' if _WIDE else 'I'}", section)
    tags = words[::2]
    end = tags.index(0) if 0 in tags else len(tags)
    tags, values = tags[:end], words[1::2]
    # The last of several counts, as in elf_get_dynamic_info (elf/get-dynamic-info.h).
    last = dict(zip(tags, values, strict=False))
    needed = [value for tag, value in zip(tags, values, strict=False) if tag == _DT_NEEDED]
    places = needed + [last[tag] for tag in (_DT_SONAME, _DT_RPATH, _DT_RUNPATH) if tag in last]
    texts = (
        _texts(read, place(last.get(_DT_STRTAB, 0)), last.get(_DT_STRSZ, 0), places)
        if places
        else {}
    )
    runpath = texts[last[_DT_RUNPATH]] if _DT_RUNPATH in last else None
    flags = last.get(_DT_FLAGS_1, 0)
    return Dynamic(
        soname=texts[last[_DT_SONAME]] if _DT_SONAME in last else None,
        needed=tuple(texts[value] for value in needed),
        # DT_RPATH does not count beside DT_RUNPATH (elf/get-dynamic-info.h).
        rpath=texts[last[_DT_RPATH]] if _DT_RPATH in last and runpath is None else None,
        runpath=runpath,
        default_folders=not flags & _DF_1_NODEFLIB,
        loadable=not flags & (_DF_1_PIE | _DF_1_NOOPEN),
    )


def _texts(read: Read, table: int, size: int, places: list[int]) -> dict[int, str]:
    """Give the texts at some places of a string table of `size` bytes."""
    first = min(places)
    # Linkers put them side by side; patchelf adds some far behind.
    span = max(places) - first + _TEXT_BYTES
    together = read(table + first, span) if span <= _TOGETHER_BYTES else b""
    texts = {}
    for position in places:
        if position >= size:
            raise IndexError(position)
        start = position - first
        end = together.find(b"\0", start)
        if end < 0:
            start, length = 0, _TEXT_BYTES
            piece = read(table + position, length)
            while (end := piece.find(b"\0")) < 0 and length < _LONGEST_NAME_BYTES:
                length *= 4
                piece = read(table + position, length)
            if end < 0:
                raise IndexError(position)
            texts[position] = os.fsdecode(piece[:end])
        else:
            texts[position] = os.fsdecode(together[start:end])
    return texts
