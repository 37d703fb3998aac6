"""Small files in the formats of three systems, made as their documents say."""

from __future__ import annotations

import struct

STRINGS = b"\0libx.so\0liby.so\0/r\0$ORIGIN\0"
ARM64, X86_64 = 0x0100000C, 0x01000007
"""Processors of a Mach-O file."""
DELAYED_SINCE_VC7 = 1
"""Attribute of a delay-load table whose entries are offsets from the image's base."""


def shared_object(
    *,
    wide: bool = True,
    order: str = "<",
    moved: int = 0,
    entries: tuple[tuple[int, int], ...] = (),
) -> bytes:
    """Make an ELF file with a dynamic section, see elf(5): two program headers and its texts.

    Parameters
    ----------
    wide, order
        Its class and byte order.
    moved
        How much further than in the file its texts lie in memory.
    entries
        Tags and values besides the SONAME libx.so, of texts by their place in `STRINGS`.
    """
    header, row = (64, 56) if wide else (52, 32)
    texts = header + 2 * row
    dynamic = texts + len(STRINGS)
    whole = [(14, 1), *entries, (5, texts + moved), (0, 0)]
    section = b"".join(struct.pack(order + ("qQ" if wide else "iI"), *each) for each in whole)

    def segment(kind: int, begin: int, length: int) -> bytes:
        if wide:
            fields = kind, 4, begin, begin + moved, 0, length, length, 8
            return struct.pack(order + "IIQQQQQQ", *fields)
        fields = kind, begin, begin + moved, 0, length, length, 4, 4
        return struct.pack(order + "IIIIIIII", *fields)

    ident = bytes([*b"\x7fELF", 2 if wide else 1, 1 if order == "<" else 2, 1]).ljust(16, b"\0")
    form = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    head = ident + struct.pack(form, 3, 62, 1, 0, header, 0, 0, header, row, 2, 0, 0, 0)
    both = len(STRINGS) + len(section)
    return head + segment(1, texts, both) + segment(2, dynamic, len(section)) + STRINGS + section


def dylib(
    *commands: tuple[int, str],
    cpu: int = ARM64,
    variant: int = 0,
    more: bytes = b"",
    count: int = 0,
) -> bytes:
    """Make a Mach-O file with these commands and their texts, see <mach-o/loader.h>.

    Parameters
    ----------
    commands
        Each with its text.
    cpu, variant
        Of the processor, and its newer form.
    more, count
        Other commands as bytes, and how many they are.
    """
    body = b""
    for command, text in commands:
        size = 24 + (len(text) // 8 + 1) * 8
        head = struct.pack("<6I", command, size, 24, 0, 0, 0)
        body += (head + text.encode()).ljust(size, b"\0")
    body += more
    fields = 0xFEEDFACF, cpu, variant, 6, len(commands) + count, len(body), 0, 0
    return struct.pack("<8I", *fields) + body


def universal(part: bytes, *others: bytes) -> bytes:
    """Make a file for several processors with 64-bit offsets, see <mach-o/fat.h>.

    The part stands in it twice where there is no other.
    """
    parts = (part, *others) if others else (part, part)
    offset = 8 + len(parts) * 32
    head = struct.pack(">II", 0xCAFEBABF, len(parts))
    for each in parts:
        head += struct.pack(">IIQQII", ARM64, 0, offset, len(each), 0, 0)
        offset += len(each)
    return head + b"".join(parts)


def dll(*, wide: bool, attributes: int) -> bytes:
    """Make a DLL that needs one.dll, and two.dll at the first call, see the PE format.

    Parameters
    ----------
    wide
        Whether it is for 64 bits (PE32+).
    attributes
        Of its delay-load table.
    """
    memory, base = 0x1000, 0x10000000
    imports = memory
    delayed = imports + 2 * 20
    names = delayed + 2 * 32
    second = names + len(b"one.dll\0")
    section = struct.pack("<5I", 0, 0, 0, names, 0) + bytes(20)
    first_call = second if attributes & DELAYED_SINCE_VC7 else base + second
    section += struct.pack("<8I", attributes, first_call, 0, 0, 0, 0, 0, 0) + bytes(32)
    section += b"one.dll\0two.dll\0"
    folders = [(0, 0)] * 16
    folders[1], folders[13] = (imports, 40), (delayed, 64)
    tables = struct.pack("<I", 16) + b"".join(struct.pack("<II", *each) for each in folders)
    if wide:
        optional = struct.pack("<H22xQ", 0x20B, base).ljust(108, b"\0") + tables
    else:
        optional = struct.pack("<H26xI", 0x10B, base).ljust(92, b"\0") + tables
    machine = 0x8664 if wide else 0x14C
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, len(optional), 0x2000) + optional
    begin = len(head) + 40
    head += struct.pack("<8s4I16x", b".rdata", len(section), memory, len(section), begin)
    return head + section


def importing_dll(*needed: str, held: bytes = b"") -> bytes:
    """Make a DLL for 64 bits that needs these, and holds some texts, see the PE format."""
    memory = 0x1000
    texts = memory + 20 * (len(needed) + 1)
    strings, rows = b"", b""
    for each in needed:
        rows += struct.pack("<5I", 0, 0, 0, texts + len(strings), 0)
        strings += each.encode() + b"\0"
    folders = [(0, 0), (memory, len(rows) + 20)]
    return _image(rows + bytes(20) + strings + held, folders)


def exporting_dll(name: str, *exports: str) -> bytes:
    """Make a DLL for 64 bits that exports these, see the PE format.

    Parameters
    ----------
    name
        Its own.
    exports
        Where each is forwarded to: ``"libomp.omp_get_num_threads"``, ``"a.#12"``; "" for one that
        it has itself, "-" for an ordinal that nothing has.
    """
    memory = 0x1000
    texts = memory + 40 + 4 * len(exports)
    strings = name.encode() + b"\0"
    addresses = []
    for each in exports:
        addresses.append({"": 0x5000, "-": 0}.get(each, texts + len(strings)))
        strings += each.encode() + b"\0" if each not in ("", "-") else b""
    fields = 0, 0, 0, texts, 1, len(exports), 0, memory + 40, 0, 0
    section = struct.pack("<10I", *fields) + struct.pack(f"<{len(exports)}I", *addresses) + strings
    return _image(section, [(memory, len(section))])


def _image(section: bytes, folders: list[tuple[int, int]]) -> bytes:
    folders = folders + [(0, 0)] * (16 - len(folders))
    tables = struct.pack("<I", 16) + b"".join(struct.pack("<II", *each) for each in folders)
    optional = struct.pack("<H22xQ", 0x20B, 0x10000000).ljust(108, b"\0") + tables
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2000) + optional
    begin = len(head) + 40
    head += struct.pack("<8s4I16x", b".rdata", len(section), 0x1000, len(section), begin)
    return head + section
