"""The head of machine code of any system, as it lies in memory -> where its parts lie there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import ParseError
from .elf import parse_segments
from .macho import parse_loaded

_SECTION = struct.Struct("<8sIIIIIIHHI")
_MOST_SECTIONS = 96
_EXECUTE, _WRITE = 0x20000000, 0x80000000


@dataclass(frozen=True, slots=True)
class Span:
    """One part of an image.

    Parameters
    ----------
    address, size_bytes
        Where it lies in memory, from the image's base on; zeroed memory included.
    offset, file_bytes
        Where it lies in the file.
    writable, executable
        Whether it holds variables, or code.
    """

    address: int
    size_bytes: int
    offset: int
    file_bytes: int
    writable: bool
    executable: bool


HEAD_BYTES = (4096, 32768)
"""What is read of an image: its first page, and more where its table does not end there."""


def parse_spans(head: bytes) -> tuple[Span, ...]:
    """Give the parts of an image from its first page; ELF, Mach-O or PE by what it says it is.

    Raises
    ------
    ParseError
        When it is none of them, or when its table lies outside `head`.
    """
    if head[:4] == b"\x7fELF":
        return tuple(
            Span(
                each.address,
                each.memory_bytes,
                each.offset,
                each.file_bytes,
                each.writable,
                each.executable,
            )
            for each in parse_segments(head)
            if each.writable or each.executable
        )
    if head[:4] == b"\xcf\xfa\xed\xfe":
        return tuple(
            Span(
                each.address,
                each.memory_bytes,
                each.offset,
                each.file_bytes,
                each.writable,
                each.executable,
            )
            for each in parse_loaded(head).segments
            if each.writable or each.executable
        )
    return _of_pe(head)


def _of_pe(head: bytes) -> tuple[Span, ...]:
    """Read the section table; learn.microsoft.com, "PE Format", Section Table."""
    try:
        (at,) = struct.unpack_from("<I", head, 60) if head[:2] == b"MZ" else (0,)
        rows: list[tuple[bytes, int, int, int, int, int, int, int, int, int]] = []
        (sections,) = struct.unpack_from("<H", head, at + 6)
        (optional,) = struct.unpack_from("<H", head, at + 20)
        rows = [
            _SECTION.unpack_from(head, at + 24 + optional + index * _SECTION.size)
            for index in range(min(sections, _MOST_SECTIONS))
        ]
    except struct.error:
        at = len(head)
    if head[at : at + 4] != b"PE\0\0":
        raise ParseError(
            "image in memory", head[:8].hex(" "), "the head of an ELF, Mach-O or PE file"
        )
    return tuple(
        Span(
            address=row[2],
            size_bytes=max(row[1], row[3]),
            offset=row[4],
            file_bytes=row[3],
            writable=bool(row[9] & _WRITE),
            executable=bool(row[9] & _EXECUTE),
        )
        for row in rows
    )
