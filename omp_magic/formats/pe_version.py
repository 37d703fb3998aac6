"""Bytes of a Windows DLL -> the version that its resources give it.

Source: learn.microsoft.com, "PE Format" (the .rsrc section), VS_VERSIONINFO and VS_FIXEDFILEINFO.
"""

from __future__ import annotations

import mmap
import struct

from ..errors import ParseError

_RESOURCES, _VERSION = 2, 16
_SIGNATURE = 0xFEEF04BD
_DEEPEST = 3
_MOST_ENTRIES = 4096
_MOST_SECTIONS = 96
_NAMED = 0x80000000


def parse_version(data: bytes | mmap.mmap) -> str | None:
    """Give the file's version, ``"5.0.2021.205"``; None when it has no such resource.

    The fixed part's four numbers are taken: texts beside them differ by language and may say
    anything. Numbers at the end that are 0 are left out, down to two.

    Raises
    ------
    ParseError
        When it is no PE file, or when an offset in it leads outside.
    """
    try:
        return _version(data)
    except (struct.error, IndexError, OverflowError):
        raise ParseError(
            "PE file", bytes(data[:8]).hex(" "), "headers and offsets that lie inside the file"
        ) from None


def _version(data: bytes | mmap.mmap) -> str | None:
    (at,) = struct.unpack_from("<I", data, 60) if data[:2] == b"MZ" else (0,)
    if data[at : at + 4] != b"PE\0\0":
        raise IndexError(at)
    (count,) = struct.unpack_from("<H", data, at + 6)
    (optional,) = struct.unpack_from("<H", data, at + 20)
    start = at + 24
    (magic,) = struct.unpack_from("<H", data, start)
    tables = start + (112 if magic == 0x20B else 96)
    (number,) = struct.unpack_from("<I", data, tables - 4)
    if number <= _RESOURCES:
        return None
    (address,) = struct.unpack_from("<I", data, tables + _RESOURCES * 8)
    if not address:
        return None
    sections = [
        struct.unpack_from("<IIII", data, start + optional + index * 40 + 8)
        for index in range(min(count, _MOST_SECTIONS))
    ]
    root = _offset(sections, address)
    entry = _entry(data, root, _VERSION)
    for _ in range(_DEEPEST):
        if entry is None:
            return None
        if not entry & _NAMED:
            place, size = struct.unpack_from("<II", data, root + entry)
            return _fixed(data, _offset(sections, place), size)
        entry = _entry(data, root + (entry & ~_NAMED), None)
    return None


def _entry(data: bytes | mmap.mmap, folder: int, wanted: int | None) -> int | None:
    """Give what an entry of a folder leads to: the one with this number, or the first."""
    named, numbered = struct.unpack_from("<HH", data, folder + 12)
    for index in range(min(named + numbered, _MOST_ENTRIES)):
        name, where = struct.unpack_from("<II", data, folder + 16 + index * 8)
        if wanted is None or name == wanted:
            return int(where)
    return None


def _fixed(data: bytes | mmap.mmap, at: int, size: int) -> str | None:
    begin = data.find(struct.pack("<I", _SIGNATURE), at, at + min(size, 256))
    if begin < 0:
        return None
    high, low = struct.unpack_from("<II", data, begin + 8)
    numbers = [high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF]
    while len(numbers) > 2 and numbers[-1] == 0:
        numbers.pop()
    return ".".join(map(str, numbers)) if any(numbers) else None


def _offset(sections: list[tuple[int, ...]], address: int) -> int:
    """Give where an address in memory is in the file."""
    for memory, begins, length, offset in sections:
        if begins <= address < begins + max(memory, length) and address - begins < length:
            return address - begins + offset
    raise IndexError(address)
