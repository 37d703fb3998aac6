"""Bytes of a Windows DLL -> the version that its resources give it.

Source: learn.microsoft.com, "PE Format" (the .rsrc section), VS_VERSIONINFO and VS_FIXEDFILEINFO.
"""

from __future__ import annotations

import mmap
import struct

from ..errors import ParseError
from .pe_headers import PeHeaders, offset_of

_RESOURCES, _VERSION = 2, 16
_SIGNATURE = 0xFEEF04BD
_DEEPEST = 3
_MOST_ENTRIES = 4096
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
    headers = PeHeaders(data)
    address, _ = headers.folder(_RESOURCES)
    if not address:
        return None
    sections = headers.sections()
    root = offset_of(sections, address)
    entry = _entry(data, root, _VERSION)
    for _ in range(_DEEPEST):
        if entry is None:
            return None
        if not entry & _NAMED:
            place, size = struct.unpack_from("<II", data, root + entry)
            return _fixed(data, offset_of(sections, place), size)
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
