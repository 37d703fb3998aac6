"""Small files of machine code with given facts: Mach-O as dyld reads it, PE as Windows does.

They hold what is looked at in such files, in the places that the formats' documents say, and no
code: names, needs, search paths, forwarded exports, texts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

MACH_CPUS = {"x86_64": (0x01000007, 3), "arm64": (0x0100000C, 0), "arm64e": (0x0100000C, 2)}
_PE_CPUS = {"x86_64": 0x8664, "x86": 0x14C, "arm64": 0xAA64}
_LOAD, _LOAD_WEAK, _ID, _RPATH = 0x0C, 0x80000018, 0x0D, 0x8000001C
_BASE = 0x180000000
_MEMORY, _HEADERS = 0x1000, 0x400
"""Where a DLL's only section lies, behind the image's base and in the file."""


def mach_o(
    cpu: str,
    *,
    name: str | None = None,
    needed: Sequence[str] = (),
    weak: Sequence[str] = (),
    rpaths: Sequence[str] = (),
    sdk: tuple[int, int] | None = None,
    texts: Sequence[bytes] = (),
    size_bytes: int = 0,
) -> bytes:
    """Make a Mach-O file for one processor; see <mach-o/loader.h>.

    Parameters
    ----------
    cpu
        One of `MACH_CPUS`.
    name
        Install name; None for a bundle, which has none.
    needed
        LC_LOAD_DYLIB, or LC_LOAD_WEAK_DYLIB for those that are in `weak` too.
    rpaths
        LC_RPATH.
    sdk
        For LC_BUILD_VERSION.
    texts
        What stands among its constants, each with a zero before and behind it.
    size_bytes
        Filled up with zeros to so many bytes.
    """
    commands = [_dylib(_ID, name)] if name is not None else []
    commands += [_dylib(_LOAD_WEAK if each in weak else _LOAD, each) for each in needed]
    commands += [_command(_RPATH, struct.pack("<I", 12), each) for each in rpaths]
    if sdk is not None:
        version = sdk[0] << 16 | sdk[1] << 8
        commands.append(struct.pack("<6I", 0x32, 24, 1, version, version, 0))
    number, variant = MACH_CPUS[cpu]
    constants = b"\0" + b"".join(each + b"\0" for each in texts)
    begin = 32 + 72 + sum(map(len, commands))
    size = max(begin + len(constants), size_bytes)
    fields = b"__TEXT".ljust(16, b"\0"), 0, size, 0, size, 5, 5, 0, 0
    segment = struct.pack("<II16sQQQQIIII", 0x19, 72, *fields)
    kind = 8 if name is None else 6
    lengths = len(commands) + 1, begin - 32
    head = struct.pack("<8I", 0xFEEDFACF, number, variant, kind, *lengths, 0x85, 0)
    return (head + segment + b"".join(commands) + constants).ljust(size, b"\0")


def _dylib(command: int, name: str) -> bytes:
    return _command(command, struct.pack("<4I", 24, 2, 0x10000, 0x10000), name)


def _command(command: int, fields: bytes, text: str) -> bytes:
    size = 8 + len(fields) + (len(text.encode()) // 8 + 1) * 8
    size += -size % 8
    return (struct.pack("<II", command, size) + fields + text.encode()).ljust(size, b"\0")


def universal(*parts: bytes) -> bytes:
    """Make a file for several processors; see <mach-o/fat.h>."""
    at = 4096
    rows, body = b"", b""
    for part in parts:
        cpu, variant = struct.unpack_from("<II", part, 4)
        body = body.ljust(at - 4096, b"\0") + part
        rows += struct.pack(">5I", cpu, variant, at, len(part), 12)
        at += len(part) + -len(part) % 4096
    return (struct.pack(">II", 0xCAFEBABE, len(parts)) + rows).ljust(4096, b"\0") + body


def pe(
    cpu: str,
    *,
    name: str | None = None,
    needed: Sequence[str] = (),
    delayed: Sequence[str] = (),
    forwards: Sequence[str] = (),
    forwarder: bool = False,
    texts: Sequence[bytes] = (),
    size_bytes: int = 0,
) -> bytes:
    """Make a DLL for 64 bits; see learn.microsoft.com, "PE Format".

    Parameters
    ----------
    cpu
        ``"x86_64"`` or ``"arm64"``.
    name
        The name in the export table; None when it exports nothing.
    needed, delayed
        DLLs of the import table, and of the delay-load import table.
    forwards
        DLLs that an export of it is forwarded to.
    forwarder
        Whether it exports nothing else.
    texts
        What stands among its constants, each with a zero before and behind it.
    size_bytes
        Filled up with zeros to so many bytes.
    """
    section = _Section()
    folders = [(0, 0)] * 16
    if name is not None:
        folders[0] = section.exports(name, forwards, own=not forwarder)
    if needed:
        folders[1] = section.table([*needed], 20, 12, b"")
    if delayed:
        folders[13] = section.table([*delayed], 32, 4, struct.pack("<I", 1))
    section.add(b"\0" + b"".join(each + b"\0" for each in texts))
    size = max(len(section.data), size_bytes - _HEADERS)
    tables = struct.pack("<I", 16) + b"".join(struct.pack("<II", *each) for each in folders)
    optional = struct.pack("<H22xQII", 0x20B, _BASE, _MEMORY, 0x200).ljust(56, b"\0")
    image = _MEMORY + size + -size % _MEMORY
    optional += struct.pack("<II", image, _HEADERS).ljust(52, b"\0") + tables
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", _PE_CPUS[cpu], 1, 0, 0, 0, len(optional), 0x2022) + optional
    row = b".rdata".ljust(8, b"\0"), size, _MEMORY, size, _HEADERS, 0x40000040
    head += struct.pack("<8s4I12xI", *row)
    return (head.ljust(_HEADERS, b"\0") + bytes(section.data)).ljust(_HEADERS + size, b"\0")


class _Section:
    """The one section of a DLL: what is added gets the next address."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, piece: bytes) -> int:
        self.data += bytes(-len(self.data) % 4)
        address = _MEMORY + len(self.data)
        self.data += piece
        return address

    def table(self, names: list[str], size: int, place: int, head: bytes) -> tuple[int, int]:
        """Add the names of DLLs and the rows that lead to them; the last row is all zeros."""
        rows = b""
        for each in names:
            address = self.add(each.encode() + b"\0")
            functions = self.add(struct.pack("<QQ", 1 << 63 | 1, 0))  # the first, by its number
            row = (head or struct.pack("<I", functions)).ljust(place, b"\0")
            row += struct.pack("<II", address, functions)
            rows += row.ljust(size, b"\0")
        rows += bytes(size)
        return self.add(rows), len(rows)

    def exports(self, name: str, forwards: Sequence[str], *, own: bool) -> tuple[int, int]:
        """Add an export table, with the texts of forwarded exports inside it as it has to be."""
        texts = [each.removesuffix(".dll") + ".f" for each in forwards]
        count = len(texts) + own
        begin = _MEMORY + len(self.data) + -len(self.data) % 4
        functions = begin + 40
        at = functions + 4 * count
        addresses, body = b"", b""
        for text in texts:
            addresses += struct.pack("<I", at + len(body))
            body += text.encode() + b"\0"
        if own:
            addresses += struct.pack("<I", 0x500)
        title = at + len(body)
        body += name.encode() + b"\0"
        fields = 0, 0, 0, 0, title, 1, count, 0, functions, 0, 0
        head = struct.pack("<IIHHIIIIIII", *fields)
        return self.add(head + addresses + body), len(head + addresses + body)
