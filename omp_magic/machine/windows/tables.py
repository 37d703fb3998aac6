"""What a loaded module exports and imports, read from its tables in memory.

GetProcAddress is not called: it takes the loader's lock, and for a function that is only forwarded
it loads the DLL that has it (conda-forge's libiomp5md.dll forwards all of its functions to
libomp.dll, threadpoolctl#203).
"""

from __future__ import annotations

import struct

from ...formats.pe_headers import PeHeaders
from ..port.rows import Memory

_MOST_NAMES = 200_000
_MOST_FUNCTIONS = 65536
"""Ordinals have 16 bits."""
_MOST_EXPORT_BYTES = 64 * 1024 * 1024
_MOST_NEEDED = 4096
_LONGEST_NAME_BYTES = 4096
_HEAD_BYTES = 4096
_EXPORTS, _IMPORTS = 0, 1


class Tables:
    """The export table of an image in memory, and the names of what it imports.

    Parameters
    ----------
    read
        Reads the process's memory.
    base
        Where the image lies.

    Raises
    ------
    OSError
        When there is no image, or its tables lead outside of what is mapped.
    """

    def __init__(self, read: Memory, base: int) -> None:
        self._read, self._base = read, base
        try:
            headers = PeHeaders(read(base, _HEAD_BYTES))
        except IndexError:
            raise OSError(f"no image lies at {base:#x}") from None
        except struct.error as error:
            raise OSError(f"the image at {base:#x} has no whole head") from error
        self._pointer_bytes = 8 if headers.wide else 4
        self._exports, self._imports = headers.folder(_EXPORTS), headers.folder(_IMPORTS)
        self._names: dict[bytes, int] | None = None

    def address(self, name: str) -> int | str | None:
        """Give the address of an exported function; its ``DLL.NAME`` where it is forwarded."""
        if self._names is None:
            self._names = self._read_names()
        place = self._names.get(name.encode("utf-8", "surrogatepass"))
        if place is None:
            return None
        begin, size = self._exports
        if begin <= place < begin + size:
            return self._text(place).decode("utf-8", "replace")
        return self._base + place

    def needed(self) -> tuple[tuple[str, int], ...]:
        """Give the DLLs of the import table, in its order, each with where its addresses stand."""
        at, size = self._imports
        if not at:
            return ()
        data = self._read(self._base + at, min(size, _MOST_NEEDED * 20))
        found = []
        for begin in range(0, len(data) - 19, 20):
            name, addresses = struct.unpack_from("<II", data, begin + 12)
            if not name:
                break
            text = self._text(name).decode("utf-8", "replace")
            found.append((text, self._base + addresses))
        return tuple(found)

    def bound_to(self, addresses: int) -> int:
        """Give the address that the loader put first in a list of `needed`."""
        return int.from_bytes(self._read(addresses, self._pointer_bytes), "little")

    def _read_names(self) -> dict[bytes, int]:
        begin, size = self._exports
        if not begin:
            return {}
        if size > _MOST_EXPORT_BYTES:
            raise OSError(f"the exports of the image at {self._base:#x}: {size} bytes")
        try:
            data = self._read(self._base + begin, max(size, 40))
            functions, number, *places = _directory(data)
            rows = self._array(places[0], functions, "I")
            texts = self._array(places[1], number, "I")
            ordinals = self._array(places[2], number, "H")
            found = {}
            for text, place in zip(texts, ordinals, strict=True):
                if begin <= text < begin + size:
                    start = text - begin
                    end = data.find(b"\0", start, start + _LONGEST_NAME_BYTES)
                    name = data[start : end if end >= 0 else start + _LONGEST_NAME_BYTES]
                else:
                    name = self._text(text)
                if place < len(rows):
                    found[name] = rows[place]
        except (struct.error, ValueError) as error:
            raise OSError(f"the exports of the image at {self._base:#x}: {error}") from error
        return found

    def _array(self, at: int, number: int, form: str) -> tuple[int, ...]:
        if not number:
            return ()
        size = struct.calcsize(f"<{number}{form}")
        return struct.unpack(f"<{number}{form}", self._read(self._base + at, size))

    def _text(self, at: int) -> bytes:
        """Read a text, page by page: the next one may not be mapped."""
        found = b""
        place = self._base + at
        while len(found) < _LONGEST_NAME_BYTES:
            part = self._read(place, 4096 - place % 4096)
            found += part
            if b"\0" in part or not part:
                break
            place += len(part)
        return found.split(b"\0", 1)[0]


def _directory(data: bytes) -> tuple[int, ...]:
    """Give how many functions and names there are, and where these and the ordinals stand.

    "PE Format", Export Directory Table.
    """
    functions, names, *places = struct.unpack_from("<IIIII", data, 20)
    if functions > _MOST_FUNCTIONS or names > _MOST_NAMES:
        raise ValueError(f"{functions} functions, {names} names")
    return functions, names, *places
