"""The headers of a Windows file, as it lies on disk or in memory: where its tables are.

Source: learn.microsoft.com, "PE Format": COFF File Header, Optional Header, Section Table.
"""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

_SECTION = struct.Struct("<8xIIII12xI")
_PE32_PLUS = 0x20B
_MOST_SECTIONS = 96
_MOST_FOLDERS = 16


class Section(NamedTuple):
    """A part of the file: where it lies in memory, from the image's base on, and on disk."""

    memory_bytes: int
    address: int
    file_bytes: int
    offset: int
    flags: int


class PeHeaders:
    """Reads them; no offset in the file is trusted.

    Parameters
    ----------
    data
        The file, or as much of it as holds its headers.

    Raises
    ------
    IndexError
        When it is no PE file.
    struct.error
        When `data` ends inside the headers.
    """

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        (at,) = struct.unpack_from("<I", data, 60) if data[:2] == b"MZ" else (0,)
        if data[at : at + 4] != b"PE\0\0":
            raise IndexError(at)
        self.cpu, self._num_sections = struct.unpack_from("<HH", data, at + 4)
        (optional,) = struct.unpack_from("<H", data, at + 20)
        start = at + 24
        (magic,) = struct.unpack_from("<H", data, start)
        self.wide = magic == _PE32_PLUS
        """Whether addresses have 64 bits."""
        form, where = ("<Q", 24) if self.wide else ("<I", 28)
        (self.base,) = struct.unpack_from(form, data, start + where)
        tables = start + (112 if self.wide else 96)
        (count,) = struct.unpack_from("<I", data, tables - 4)
        count = min(count, _MOST_FOLDERS, max(0, start + optional - tables) // 8)
        self._folders = [
            struct.unpack_from("<II", data, tables + index * 8) for index in range(count)
        ]
        self._at_sections = start + optional

    def folder(self, index: int) -> tuple[int, int]:
        """Give (address, size) of a table by its number; two zeros where there is none."""
        if index >= len(self._folders):
            return 0, 0
        address, size = self._folders[index]
        return address, size

    def sections(self) -> tuple[Section, ...]:
        """Give the section table.

        Raises
        ------
        struct.error
            When it does not lie in the data.
        """
        return tuple(
            Section(*_SECTION.unpack_from(self._data, self._at_sections + index * _SECTION.size))
            for index in range(min(self._num_sections, _MOST_SECTIONS))
        )


def offset_of(sections: tuple[Section, ...], address: int) -> int:
    """Give where an address in memory is in the file.

    Raises
    ------
    IndexError
        When it is in none of the sections, or in memory alone.
    """
    for each in sections:
        if each.address <= address < each.address + max(each.memory_bytes, each.file_bytes):
            if address - each.address >= each.file_bytes:
                break
            return address - each.address + each.offset
    raise IndexError(address)
