"""The head of machine code of any system, as it lies in memory -> where its parts lie there."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ParseError
from .elf import Segment, parse_segments

if TYPE_CHECKING:
    from .macho import LoadedSegment

_EXECUTE, _WRITE = 0x20000000, 0x80000000


class Span(NamedTuple):
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
        return _of_segments(parse_segments(head))
    if head[:4] == b"\xcf\xfa\xed\xfe":
        from .macho import parse_loaded  # noqa: PLC0415 - 2 ms, where only ELF is read

        return _of_segments(parse_loaded(head).segments)
    return _of_pe(head)


def _of_segments(segments: Iterable[Segment | LoadedSegment]) -> tuple[Span, ...]:
    return tuple(
        Span(
            address=each.address,
            size_bytes=each.memory_bytes,
            offset=each.offset,
            file_bytes=each.file_bytes,
            writable=each.writable,
            executable=each.executable,
        )
        for each in segments
        if each.writable or each.executable
    )


def _of_pe(head: bytes) -> tuple[Span, ...]:
    from .pe_headers import PeHeaders  # noqa: PLC0415 - as above

    try:
        sections = PeHeaders(head).sections()
    except (struct.error, IndexError):
        raise ParseError(
            "image in memory", head[:8].hex(" "), "the head of an ELF, Mach-O or PE file"
        ) from None
    return tuple(
        Span(
            address=each.address,
            size_bytes=max(each.memory_bytes, each.file_bytes),
            offset=each.offset,
            file_bytes=each.file_bytes,
            writable=bool(each.flags & _WRITE),
            executable=bool(each.flags & _EXECUTE),
        )
        for each in sections
    )
