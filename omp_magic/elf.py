"""Bytes of an ELF file -> SONAME, NEEDED, RPATH, RUNPATH. See elf(5).

Reads the dynamic segment through the program headers only, as the loader does, so stripped
files work, and touches a few pages of a file of any size. No offset in the file is trusted.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from .errors import ParseError

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_MOST_HEADERS = 4096
_MOST_ENTRIES = 65536
_LONGEST_NAME_BYTES = 65536


@dataclass(frozen=True, slots=True)
class ElfFile:
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
        return _parse(data)
    except (struct.error, IndexError, OverflowError):
        raise ParseError("ELF file", _head(data), "offsets that lie inside the file") from None


def _parse(data: bytes | mmap.mmap) -> ElfFile:
    if data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise ParseError("ELF file", _head(data), "the magic bytes 7f 45 4c 46 and a known class")
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    if wide:
        (offset,) = struct.unpack_from(order + "Q", data, 32)
        size, count = struct.unpack_from(order + "HH", data, 54)
    else:
        (offset,) = struct.unpack_from(order + "I", data, 28)
        size, count = struct.unpack_from(order + "HH", data, 42)
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    for index in range(min(count, _MOST_HEADERS)):
        at = offset + index * size
        if wide:
            kind, _, start, address, _, length = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, start, address, _, length = struct.unpack_from(order + "IIIII", data, at)
        if kind == _PT_LOAD:
            loads.append((address, start, length))
        elif kind == _PT_DYNAMIC:
            dynamic = start, length
    if dynamic is None:
        return ElfFile()
    return _strings(data, _entries(data, dynamic, order + ("qQ" if wide else "iI")), loads)


def _entries(data: bytes | mmap.mmap, dynamic: tuple[int, int], form: str) -> list[tuple[int, int]]:
    start, length = dynamic
    step = struct.calcsize(form)
    entries: list[tuple[int, int]] = []
    for index in range(min(length // step, _MOST_ENTRIES)):
        tag, value = struct.unpack_from(form, data, start + index * step)
        if tag == 0:
            break
        entries.append((tag, value))
    return entries


def _strings(
    data: bytes | mmap.mmap, entries: list[tuple[int, int]], loads: list[tuple[int, int, int]]
) -> ElfFile:
    table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    if table is None:
        return ElfFile()
    # DT_STRTAB is an address in memory; the load segments say where that is in the file.
    for address, start, length in loads:
        if address <= table < address + length:
            table = table - address + start
            break
    else:
        raise IndexError(table)

    def text(position: int) -> str:
        begin = table + position
        if not 0 <= begin < len(data):
            raise IndexError(begin)
        end = data.find(b"\0", begin, begin + _LONGEST_NAME_BYTES)
        if end < 0:
            raise IndexError(begin)
        return data[begin:end].decode("utf-8", "surrogateescape")

    def first(wanted: int) -> str | None:
        return next((text(value) for tag, value in entries if tag == wanted), None)

    return ElfFile(
        soname=first(_DT_SONAME),
        needed=tuple(text(value) for tag, value in entries if tag == _DT_NEEDED),
        rpath=first(_DT_RPATH),
        runpath=first(_DT_RUNPATH),
    )


def _head(data: bytes | mmap.mmap) -> str:
    return bytes(data[:8]).hex(" ")
