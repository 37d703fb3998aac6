"""Bytes of an ELF file -> SONAME, NEEDED, RPATH, RUNPATH, segments, constants. See elf(5).

Reads the dynamic segment through the program headers only, as the loader does, so stripped
files work, and touches a few pages of a file of any size. No offset in the file is trusted.
"""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

from ..errors import ParseError

_PT_LOAD, _PT_DYNAMIC = 1, 2
_PF_X, _PF_W = 1, 2
_SHT_NOBITS = 8
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_MOST_HEADERS = 4096
_MOST_ENTRIES = 65536
_MOST_NEEDED = 4096
_LONGEST_NAME_BYTES = 4096
_LONGEST_PATHS_BYTES = 65536
"""Of DT_RPATH and DT_RUNPATH, which hold many folders."""


class Segment(NamedTuple):
    """One program header.

    Parameters
    ----------
    kind, flags
        ``p_type`` and ``p_flags``.
    offset, file_bytes
        Where it lies in the file.
    address, memory_bytes
        Where it lies in memory, from the object's base on; zeroed memory included.
    """

    kind: int
    flags: int
    offset: int
    file_bytes: int
    address: int
    memory_bytes: int

    @property
    def writable(self) -> bool:
        """Whether it is loaded and holds variables."""
        return self.kind == _PT_LOAD and bool(self.flags & _PF_W)

    @property
    def executable(self) -> bool:
        """Whether it is loaded and holds code."""
        return self.kind == _PT_LOAD and bool(self.flags & _PF_X)


class ElfFile(NamedTuple):
    """What the dynamic section of a shared object says.

    Parameters
    ----------
    soname
        DT_SONAME, or None.
    needed
        DT_NEEDED, in the file's order.
    rpath, runpath
        DT_RPATH and DT_RUNPATH as written, ``$ORIGIN`` included, or None.
    """

    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None


def parse_elf(data: bytes | mmap.mmap) -> ElfFile:
    """Read the dynamic section of an ELF file of either class and byte order.

    Parameters
    ----------
    data
        The file's bytes, or a memory map of it.

    Returns
    -------
    ElfFile
        Empty when the file has no dynamic segment.

    Raises
    ------
    ParseError
        When it is no ELF file, or when an offset in it leads outside.
    """
    try:
        wide, order = _form(data)
        segments = _segments(data, wide, order)
        dynamic = next((each for each in segments if each.kind == _PT_DYNAMIC), None)
        if dynamic is None:
            return ElfFile()
        entries = _entries(data, dynamic, order + ("qQ" if wide else "iI"))
        return _strings(data, entries, [each for each in segments if each.kind == _PT_LOAD])
    except (struct.error, IndexError, OverflowError):
        raise ParseError("ELF file", _head(data), "offsets that lie inside the file") from None


def parse_segments(data: bytes | mmap.mmap) -> tuple[Segment, ...]:
    """Give the program headers of an ELF file, or of the first page of one in memory.

    Raises
    ------
    ParseError
        When it is no ELF file, or when the headers lie outside `data`.
    """
    try:
        return _segments(data, *_form(data))
    except (struct.error, IndexError, OverflowError):
        raise ParseError("ELF file", _head(data), "program headers inside the data") from None


def parse_constants(data: bytes | mmap.mmap) -> tuple[tuple[int, int], ...]:
    """Give where a file's constants lie, as (offset, size in bytes): its .rodata sections.

    They lie inside the file, do not overlap, and stand in its order. Texts of a library statically
    linked into another are there: 18 MB of the 434 MB of libtorch_cpu.so.

    Returns
    -------
    tuple
        The whole file when it has no section headers (``sstrip``).

    Raises
    ------
    ParseError
        When it is no ELF file, or when an offset in it leads outside.
    """
    try:
        wide, order = _form(data)
        (at,) = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)
        size, count, names = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
        number = min(count, _MOST_HEADERS) if at else 0
        if not number:
            return ((0, len(data)),)
        # Headers of another size are refused, as bfd refuses them (elfcode.h, e_shentsize); one
        # call for all of a file: there are hundreds of files.
        form = struct.Struct(order + ("IIQQQQIIQQ" if wide else "10I"))
        if size != form.size or at + number * size > len(data):
            wanted = f"section headers of {form.size} bytes that lie inside the file"
            raise ParseError("ELF file", _head(data), wanted)
        headers = list(form.iter_unpack(data[at : at + number * size]))
        table = headers[names][4]
        return _apart(
            [
                (offset, offset + length)
                for name, kind, _, _, offset, length, *_ in headers
                if kind != _SHT_NOBITS and data[table + name : table + name + 7] == b".rodata"
            ],
            len(data),
        )
    except (struct.error, IndexError, OverflowError):
        raise ParseError("ELF file", _head(data), "offsets that lie inside the file") from None


def _apart(places: list[tuple[int, int]], size_bytes: int) -> tuple[tuple[int, int], ...]:
    """Give places as (offset, size), each byte once: 4,096 sections may each be the file."""
    given: list[tuple[int, int]] = []
    done = 0
    for begin, end in sorted(places):
        begin, end = max(begin, done), min(end, size_bytes)  # noqa: PLW2901 - cut to what is left
        if begin < end:
            given.append((begin, end - begin))
            done = end
    return tuple(given)


def _form(data: bytes | mmap.mmap) -> tuple[bool, str]:
    """Give whether it is a 64-bit file, and its byte order for `struct`."""
    if data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise ParseError("ELF file", _head(data), "the magic bytes 7f 45 4c 46 and a known class")
    return data[4] == 2, "<" if data[5] == 1 else ">"


def _segments(data: bytes | mmap.mmap, wide: bool, order: str) -> tuple[Segment, ...]:
    (offset,) = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    segments = []
    for index in range(min(count, _MOST_HEADERS)):
        at = offset + index * size
        if wide:
            kind, flags, start, address, _, length, memory = struct.unpack_from(
                order + "IIQQQQQ", data, at
            )
        else:
            kind, start, address, _, length, memory, flags = struct.unpack_from(
                order + "IIIIIII", data, at
            )
        segments.append(Segment(kind, flags, start, length, address, memory))
    return tuple(segments)


def _entries(data: bytes | mmap.mmap, dynamic: Segment, form: str) -> list[tuple[int, int]]:
    step = struct.calcsize(form)
    entries: list[tuple[int, int]] = []
    for index in range(min(dynamic.file_bytes // step, _MOST_ENTRIES)):
        tag, value = struct.unpack_from(form, data, dynamic.offset + index * step)
        if tag == 0:
            break
        entries.append((tag, value))
    return entries


def _strings(
    data: bytes | mmap.mmap, entries: list[tuple[int, int]], loads: list[Segment]
) -> ElfFile:
    table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if table is None:
        return ElfFile()
    # DT_STRTAB is an address in memory; the load segments say where that is in the file.
    for load in loads:
        if load.address <= table < load.address + load.file_bytes:
            table = table - load.address + load.offset
            break
    else:
        raise IndexError(table)

    def text(position: int, longest: int = _LONGEST_NAME_BYTES) -> str:
        begin = table + position
        if not 0 <= begin < len(data):
            raise IndexError(begin)
        end = data.find(b"\0", begin, begin + longest)
        if end < 0:
            raise IndexError(begin)
        return data[begin:end].decode("utf-8", "surrogateescape")

    def first(wanted: int, longest: int = _LONGEST_NAME_BYTES) -> str | None:
        return next((text(value, longest) for tag, value in entries if tag == wanted), None)

    needed = [value for tag, value in entries if tag == _DT_NEEDED]
    if len(needed) > _MOST_NEEDED:
        raise IndexError(len(needed))
    return ElfFile(
        soname=first(_DT_SONAME),
        needed=tuple(text(value) for value in needed),
        rpath=first(_DT_RPATH, _LONGEST_PATHS_BYTES),
        runpath=first(_DT_RUNPATH, _LONGEST_PATHS_BYTES),
    )


def _head(data: bytes | mmap.mmap) -> str:
    return bytes(data[:8]).hex(" ")
