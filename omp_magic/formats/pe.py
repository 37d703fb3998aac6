"""Bytes of a Windows DLL -> its own name and those of the DLLs it needs. See the PE format.

Source: learn.microsoft.com, "PE Format": the import table, the delay-load import table and the
export table. No offset in the file is trusted.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass

from ..errors import ParseError
from .pe_headers import PeHeaders, offset_of

_MACHINES = {0x14C: "x86", 0x8664: "x86_64", 0xAA64: "arm64", 0xA641: "arm64ec"}
_EXPORTS, _IMPORTS, _DELAYED = 0, 1, 13
_MOST_LIBRARIES = 4096
_MOST_EXPORTS = 65536
"""Ordinals have 16 bits."""
_LONGEST_NAME_BYTES = 4096
_LONGEST_FORWARDER_BYTES = 512


@dataclass(frozen=True, slots=True)
class PortableExecutable:
    """What the tables of a DLL say.

    Parameters
    ----------
    cpu
        ``"x86_64"`` …, or its number.
    name
        The name in the export table; None when it exports nothing.
    needed
        DLLs of the import table, in the file's order.
    delayed
        DLLs that are loaded at the first call only.
    forwards
        DLLs that exports are forwarded to, each with its ending, in the order of the exports.
    forwarder
        Whether every export is forwarded: conda-forge's libiomp5md.dll has nothing but names of
        libomp.dll's functions (threadpoolctl#203).
    """

    cpu: str
    name: str | None = None
    needed: tuple[str, ...] = ()
    delayed: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    forwarder: bool = False


def parse_pe(data: bytes | mmap.mmap) -> PortableExecutable:
    """Read the tables of a PE file of either width.

    Raises
    ------
    ParseError
        When it is no PE file, or when an offset in it leads outside.
    """
    try:
        return _Tables(data).read()
    except (struct.error, IndexError, OverflowError):
        raise ParseError(
            "PE file", bytes(data[:8]).hex(" "), "headers and offsets that lie inside the file"
        ) from None


class _Tables:
    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._headers = PeHeaders(data)
        self._sections = self._headers.sections()

    def read(self) -> PortableExecutable:
        name = None
        if exports := self._table(_EXPORTS):
            name = self._text(self._number(self._offset(exports) + 12))
        needed = self._names(self._table(_IMPORTS), 20, 12, based=False)
        delayed = self._names(self._table(_DELAYED), 32, 4, based=True)
        forwards, forwarder = self._forwards(exports) if exports else ((), False)
        cpu = _MACHINES.get(self._headers.cpu, str(self._headers.cpu))
        return PortableExecutable(cpu, name, needed, delayed, forwards, forwarder)

    def _forwards(self, exports: int) -> tuple[tuple[str, ...], bool]:
        """Give the DLLs that exports are forwarded to, and whether all exports are.

        An address that lies in the export table itself is that of a text "DLL.NAME" or
        "DLL.#ORDINAL". The DLL stands before the last dot, and without an ending is a .dll (ntdll,
        as Wine's dlls/ntdll/loader.c, find_forwarded_export has it).
        """
        at, size = self._offset(exports), self._headers.folder(_EXPORTS)[1]
        count, functions = self._number(at + 20), self._number(at + 28)
        if not count or count > _MOST_EXPORTS:
            return (), False
        begin = self._offset(functions)
        addresses = struct.unpack_from(f"<{count}I", self._data, begin)
        found: dict[str, None] = {}
        own = False
        for address in addresses:
            if not exports <= address < exports + size:
                own = own or address != 0  # 0: an ordinal that nothing has
                continue
            text_at = at + address - exports
            text = bytes(self._data[text_at : text_at + _LONGEST_FORWARDER_BYTES])
            library, dot, _ = text.split(b"\0", 1)[0].rpartition(b".")
            if dot and library and len(found) < _MOST_LIBRARIES:
                name = library.decode("utf-8", "surrogateescape")
                found[name if "." in name else f"{name}.dll"] = None
        return tuple(found), bool(found) and not own

    def _table(self, index: int) -> int:
        return self._headers.folder(index)[0]

    def _names(self, table: int, size: int, place: int, *, based: bool) -> tuple[str, ...]:
        """Give the names of a table's entries, up to the one without a name.

        Delay tables of 32-bit compilers before Visual C++ 7 hold addresses, with the lowest bit of
        their attributes clear.
        """
        found: list[str] = []
        at = self._offset(table) if table else 0
        while at and len(found) < _MOST_LIBRARIES:
            address = self._number(at + place)
            if not address:
                break
            if based and not self._number(at) & 1:
                address -= self._headers.base
            found.append(self._text(address))
            at += size
        return tuple(found)

    def _number(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._data, at)[0])

    def _offset(self, address: int) -> int:
        return offset_of(self._sections, address)

    def _text(self, address: int) -> str:
        begin = self._offset(address)
        end = self._data.find(b"\0", begin, begin + _LONGEST_NAME_BYTES)
        if end < 0:
            raise IndexError(begin)
        return bytes(self._data[begin:end]).decode("utf-8", "surrogateescape")
