"""Extension modules for Windows, made without a compiler: one calls an OpenMP runtime by name.

The layout is that of learn.microsoft.com, "PE Format"; the structures are CPython's
(moduleobject.h, methodobject.h).
"""

from __future__ import annotations

import struct

_BASE, _MEMORY, _HEADERS, _FILE = 0x180000000, 0x1000, 0x400, 0x200
_API_VERSION = 1013
_NO_ARGUMENTS = 4
_DEFINITION_BYTES = 104
_NAME_AT, _SIZE_AT, _METHODS_AT = 40, 56, 64


def extension(name: str, runtime: str, python: str = "python311.dll") -> bytes:
    """Make the module `name`, whose function `threads` is omp_get_max_threads of `runtime`.

    Parameters
    ----------
    name
        The module's name, without packages.
    runtime
        The DLL as it stands in the import table: a file name.
    python
        The interpreter's DLL.
    """
    image = _Image()
    title = image.text(name)
    function = image.text("threads")
    addresses = image.imports({
        python: ("PyModule_Create2", "PyLong_FromLong"),
        runtime: ("omp_get_max_threads",),
    })  # fmt: skip
    asking = image.code(
        *(b"\x48\x83\xec\x28", _call(addresses["omp_get_max_threads"])),
        *(b"\x89\xc1", _call(addresses["PyLong_FromLong"])),
        b"\x48\x83\xc4\x28\xc3",
    )
    methods = image.add(struct.pack("<QQQQ", 0, 0, _NO_ARGUMENTS, 0) + bytes(32))
    image.point(methods, function)
    image.point(methods + 8, asking)
    definition = image.add(struct.pack("<Q", 1).ljust(_DEFINITION_BYTES, b"\0"))
    image.data[definition + _SIZE_AT - _MEMORY :][:8] = struct.pack("<q", -1)
    image.point(definition + _NAME_AT, title)
    image.point(definition + _METHODS_AT, methods)
    start = image.code(
        b"\x48\x83\xec\x28",
        (b"\x48\x8d\x0d", definition),  # lea rcx, [definition]
        b"\xba" + struct.pack("<I", _API_VERSION),
        _call(addresses["PyModule_Create2"]),
        b"\x48\x83\xc4\x28\xc3",
    )
    image.exports(f"{name}.pyd", f"PyInit_{name}", start)
    return image.file()


def _call(address: int) -> tuple[bytes, int]:
    return b"\xff\x15", address


class _Image:
    """A DLL with one section: what is added gets the next address."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._folders = [(0, 0)] * 16
        self._pointers: list[int] = []

    def add(self, piece: bytes) -> int:
        self.data += bytes(-len(self.data) % 16)
        address = _MEMORY + len(self.data)
        self.data += piece
        return address

    def text(self, text: str) -> int:
        return self.add(text.encode() + b"\0")

    def point(self, place: int, target: int) -> None:
        """Put an address there, which follows the image wherever it is mapped."""
        at = place - _MEMORY
        self.data[at : at + 8] = struct.pack("<Q", _BASE + target)
        self._pointers.append(place)

    def code(self, *pieces: bytes | tuple[bytes, int]) -> int:
        """Add instructions; one with an address refers to it from its own end."""
        begin = self.add(b"")
        made = b""
        for each in pieces:
            if isinstance(each, bytes):
                made += each
            else:
                operation, address = each
                end = begin + len(made) + len(operation) + 4
                made += operation + struct.pack("<i", address - end)
        self.data += made
        return begin

    def imports(self, wanted: dict[str, tuple[str, ...]]) -> dict[str, int]:
        """Add the import table; give where the address of each function will be."""
        rows, found = b"", {}
        for library, functions in wanted.items():
            hints = [self.add(b"\0\0" + each.encode() + b"\0") for each in functions]
            table = struct.pack(f"<{len(hints) + 1}Q", *hints, 0)
            lookup, addresses = self.add(table), self.add(table)
            rows += struct.pack("<5I", lookup, 0, 0, self.text(library), addresses)
            found.update({each: addresses + 8 * n for n, each in enumerate(functions)})
        self._folders[1] = self.add(rows + bytes(20)), len(rows) + 20
        return found

    def exports(self, library: str, name: str, address: int) -> None:
        title, function = self.text(library), self.text(name)
        functions, names = (
            self.add(struct.pack("<I", address)),
            self.add(struct.pack("<I", function)),
        )
        ordinals = self.add(struct.pack("<H", 0))
        fields = 0, 0, 0, 0, title, 1, 1, 1, functions, names, ordinals
        self._folders[0] = self.add(struct.pack("<IIHHIIIIIII", *fields)), 40

    def file(self) -> bytes:
        """Give the whole file, with the places that change when the image is moved."""
        blocks = b""
        for page in sorted({each & ~0xFFF for each in self._pointers}):
            rows = [10 << 12 | each & 0xFFF for each in self._pointers if each & ~0xFFF == page]
            rows += [0] * (len(rows) % 2)
            blocks += struct.pack(f"<II{len(rows)}H", page, 8 + 2 * len(rows), *rows)
        self._folders[5] = self.add(blocks), len(blocks)
        size = len(self.data)
        kept = size + -size % _FILE
        tables = struct.pack("<I", 16) + b"".join(
            struct.pack("<II", *each) for each in self._folders
        )
        optional = struct.pack("<HBB5I", 0x20B, 14, 0, kept, 0, 0, 0, _MEMORY)
        optional += struct.pack("<QII", _BASE, _MEMORY, _FILE)
        optional += struct.pack("<6HI", 6, 0, 0, 0, 6, 0, 0)
        optional += struct.pack("<IIIHH", _MEMORY + size + -size % _MEMORY, _HEADERS, 0, 3, 0x160)
        optional += struct.pack("<4QI", 0x100000, 0x1000, 0x100000, 0x1000, 0) + tables
        head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0"
        head += struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2022) + optional
        row = b".all".ljust(8, b"\0"), size, _MEMORY, kept, _HEADERS, 0xE0000060
        head += struct.pack("<8s4I12xI", *row)
        return head.ljust(_HEADERS, b"\0") + bytes(self.data).ljust(kept, b"\0")
