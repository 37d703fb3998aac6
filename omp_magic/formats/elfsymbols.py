"""Bytes of an ELF file -> where its exported symbols lie, by the loader's own table of hashes.

The table is DT_GNU_HASH (glibc, elf/dl-lookup.c, do_lookup_x; "ELF: better symbol lookup via
DT_GNU_HASH", 2006), which all of Linux' linkers write; a file that has none has no answer here. No
offset in the file is trusted.
"""

from __future__ import annotations

import mmap
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from ..errors import ParseError
from .elf import parse_segments

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_SYMTAB, _DT_GNU_HASH = 5, 6, 0x6FFFFEF5
_SYMBOL = struct.Struct("=IBBHQQ")
"""Elf64_Sym: st_name, st_info, st_other, st_shndx, st_value, st_size."""
_FUNCTION, _INDIRECT = 2, 10
_MOST_ENTRIES, _MOST_CHAIN, _MOST_SYMBOLS = 4096, 100_000, 20_000
_LONGEST_NAME_BYTES = 4096

Data = bytes | mmap.mmap


class ElfSymbols:
    """The exported symbols of a 64-bit file of this machine's byte order.

    Parameters
    ----------
    data
        The file's bytes, or a memory map of it.

    Raises
    ------
    ParseError
        When it is no such file, or has no table of hashes.
    """

    def __init__(self, data: Data) -> None:
        if data[:5] != b"\x7fELF\x02":
            raise ParseError("ELF file", bytes(data[:8]).hex(" "), "a 64-bit file")
        self._data = data
        segments = parse_segments(data)
        self._loads = [each for each in segments if each.kind == _PT_LOAD]
        dynamic = next((each for each in segments if each.kind == _PT_DYNAMIC), None)
        entries: dict[int, int] = {}
        try:
            if dynamic is not None:
                for index in range(min(dynamic.file_bytes // 16, _MOST_ENTRIES)):
                    tag, value = struct.unpack_from("=qQ", data, dynamic.offset + index * 16)
                    if not tag:
                        break
                    entries.setdefault(tag, value)
            self._names = self._place(entries[_DT_STRTAB])
            self._symbols = self._place(entries[_DT_SYMTAB])
            at = self._place(entries[_DT_GNU_HASH])
            number, first, words, _ = struct.unpack_from("=4I", data, at)
            self._number, self._first = int(number), int(first)
            self._buckets = at + 16 + int(words) * 8
            self._chain = self._buckets + self._number * 4
        except (KeyError, struct.error):
            raise ParseError("ELF file", "", "a table of hashes of its symbols") from None

    def _place(self, address: int) -> int:
        for load in self._loads:
            if load.address <= address < load.address + load.file_bytes:
                return address - load.address + load.offset
        raise ParseError("ELF file", hex(address), "addresses that lie in the file")

    def address(self, name: str) -> int | None:
        """Give where a symbol lies from the object's base on; None when it is not defined here."""
        wanted = name.encode()
        full = 5381
        for byte in wanted:
            full = (full * 33 + byte) & 0xFFFFFFFF
        try:
            if not self._number:
                return None
            (index,) = struct.unpack_from("=I", self._data, self._buckets + full % self._number * 4)
            for at in range(index, index + _MOST_CHAIN if index >= self._first else index):
                (found,) = struct.unpack_from("=I", self._data, self._link(at))
                if (found | 1) == (full | 1):
                    text, _, _, section, value, _ = self._symbol(at)
                    if section and self._name(text) == wanted:
                        return int(value)
                if found & 1:
                    break
        except struct.error:
            return None
        return None

    def functions(self) -> Functions:
        """Give the functions that it exports, for names of addresses; none of too large a table."""
        found: list[tuple[int, int, str]] = []
        try:
            for at in self._indices():
                text, info, _, section, value, size = self._symbol(at)
                if section and info & 15 in (_FUNCTION, _INDIRECT) and size:
                    found.append((value, size, self._name(text).decode("utf-8", "replace")))
        except struct.error:
            return Functions(())
        return Functions(found)

    def _indices(self) -> Iterator[int]:
        buckets = struct.unpack_from(f"={self._number}I", self._data, self._buckets)
        last = max(buckets, default=0)
        if last < self._first:
            return
        while not int(struct.unpack_from("=I", self._data, self._link(last))[0]) & 1:
            last += 1
        if last - self._first < _MOST_SYMBOLS:
            yield from range(self._first, last + 1)

    def _link(self, index: int) -> int:
        return self._chain + (index - self._first) * 4

    def _symbol(self, index: int) -> tuple[int, int, int, int, int, int]:
        at = self._symbols + index * _SYMBOL.size
        found: tuple[int, int, int, int, int, int] = _SYMBOL.unpack_from(self._data, at)
        return found

    def _name(self, text: int) -> bytes:
        begin = self._names + text
        end = self._data.find(b"\0", begin, begin + _LONGEST_NAME_BYTES)
        return bytes(self._data[begin:end]) if end >= 0 else b""


class Functions:
    """Which function lies at an address, from the object's base on.

    Examples
    --------
    >>> Functions([(0x10, 0x20, "start"), (0x40, 8, "end")]).at(0x2F)
    'start'
    >>> Functions([(0x10, 0x20, "start")]).at(0x30)
    ''
    """

    def __init__(self, rows: Iterable[tuple[int, int, str]]) -> None:
        self._rows = sorted(rows)
        self._begins = [row[0] for row in self._rows]

    def at(self, address: int) -> str:
        """Give the function's name; "" where none that is exported lies there."""
        index = bisect_right(self._begins, address) - 1
        if index < 0:
            return ""
        begin, size, name = self._rows[index]
        return name if address < begin + size else ""
