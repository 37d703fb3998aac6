"""Bytes of /etc/ld.so.cache -> which file a bare name leads to. See ldconfig(8).

The format is glibc's ``struct cache_file_new`` (sysdeps/generic/dl-cache.h), the one that every
glibc since 2.2 reads, also where an older table stands before it. No offset in it is trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ParseError

_OLD_MAGIC = b"ld.so-1.7.0"
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("=20sIIB3xI12x")
_ENTRY = struct.Struct("=IIIIQ")
_OLD_ENTRY_BYTES = 12
_EXTENSION_MAGIC = 0xEAA42174
_TAG_HWCAPS = 1
_MOST_SECTIONS = 64
_MOST_HWCAPS = 1024
_LONGEST_NAME_BYTES = 65536
# Of an entry's hwcap, the upper half: the mark of a glibc-hwcaps folder, and the bits of its level.
_HWCAP_MARK, _HWCAP_LEVELS = 1 << 30, (1 << 10) - 1

FLAGS: Mapping[tuple[int, int], int] = {
    (3, 4): 0x0003,
    (21, 8): 0x0503,
    (22, 8): 0x0403,
    (40, 4): 0x0903,
    (62, 4): 0x0803,
    (62, 8): 0x0303,
    (183, 8): 0x0A03,
    (243, 8): 0x1003,
    (258, 8): 0x1203,
}
"""Flags of a machine's own entries, by its ELF number and the size of its addresses in bytes.

``_DL_CACHE_DEFAULT_ID`` of glibc's sysdeps/unix/sysv/linux/*/dl-cache.h. Of 32-bit ARM, RISC-V
and LoongArch, those with floating point in registers.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of ``ldconfig -p``.

    Parameters
    ----------
    name
        The SONAME.
    path
        The file.
    flags
        Its kind and machine, see `FLAGS`.
    hwcaps
        Folder below glibc-hwcaps it is from, such as ``"x86-64-v3"``, or None.
    legacy
        Bits of the processor that it wants, as glibc before 2.37 knew them; 0 for none.
    """

    name: str
    path: str
    flags: int
    hwcaps: str | None = None
    legacy: int = 0


@dataclass(frozen=True, slots=True)
class LdCache:
    """The entries of a cache, in the file's order, which is that of preference."""

    entries: tuple[Entry, ...] = ()
    _by_name: dict[str, list[Entry]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for entry in self.entries:
            self._by_name.setdefault(entry.name, []).append(entry)

    def lookup(self, name: str, flags: int, hwcaps: tuple[str, ...] = ()) -> str | None:
        """Give the file that the loader takes for a name, or None.

        The rule is glibc's (search_cache in elf/dl-cache.c): of the entries for this machine
        the one from the best glibc-hwcaps folder that the processor allows, else the first
        plain one. Those for legacy bits are passed over: ldconfig has not written any by
        itself since 2.37, and Debian's, Ubuntu's and Fedora's for x86-64 have none.

        Parameters
        ----------
        name
            A SONAME.
        flags
            The machine, see `FLAGS`.
        hwcaps
            The folders that the processor allows, the best first.
        """
        best: str | None = None
        place = len(hwcaps)
        for entry in self._by_name.get(name, ()):
            if entry.flags != flags or entry.legacy:
                continue
            if entry.hwcaps is None:
                return entry.path if best is None else best
            if entry.hwcaps in hwcaps[:place]:
                best, place = entry.path, hwcaps.index(entry.hwcaps)
        return best


def parse_ldcache(data: bytes) -> LdCache:
    """Read a cache file; an entry whose texts lie outside the file is left out, as glibc does.

    Raises
    ------
    ParseError
        When it is not in glibc's format, or is cut before the end of its table.
    """
    start = _start(data)
    if data[start : start + len(_MAGIC)] != _MAGIC or len(data) < start + _HEADER.size:
        raise ParseError("ld.so.cache", bytes(data[:20]).hex(" "), f"{_MAGIC.decode()} and a table")
    _, count, _, _, extension = _HEADER.unpack_from(data, start)
    table = start + _HEADER.size
    if count > (len(data) - table) // _ENTRY.size:
        found = f"{count} entries in {len(data)} bytes"
        raise ParseError("ld.so.cache", found, "a table inside the file")
    folders = _hwcaps(data, start, extension)
    entries = []
    for flags, key, value, _, hwcap in _ENTRY.iter_unpack(
        data[table : table + count * _ENTRY.size]
    ):
        name, path = _text(data, start + key), _text(data, start + value)
        if name is None or path is None:
            continue
        if (hwcap >> 32) & ~_HWCAP_LEVELS == _HWCAP_MARK:
            index = hwcap & 0xFFFFFFFF
            if index < len(folders):
                entries.append(Entry(name, path, flags, folders[index]))
        else:
            entries.append(Entry(name, path, flags, legacy=hwcap))
    return LdCache(tuple(entries))


def _start(data: bytes) -> int:
    """Give where the new table begins: behind the old one, if that stands before it."""
    if not data.startswith(_OLD_MAGIC) or len(data) < 16:
        return 0
    (count,) = struct.unpack_from("=I", data, 12)
    # ALIGN_CACHE: the new table is aligned like a 64-bit number.
    return int(16 + count * _OLD_ENTRY_BYTES + 7) & ~7


def _hwcaps(data: bytes, start: int, extension: int) -> list[str]:
    """Give the names of the glibc-hwcaps folders, which entries name by their number."""
    at = extension
    if not extension or at % 4 or len(data) < at + 8:
        return []
    magic, count = struct.unpack_from("=II", data, at)
    if magic != _EXTENSION_MAGIC:
        return []
    for index in range(min(count, _MOST_SECTIONS)):
        if len(data) < at + 8 + (index + 1) * 16:
            break
        tag, _, offset, size = struct.unpack_from("=IIII", data, at + 8 + index * 16)
        if tag != _TAG_HWCAPS:
            continue
        number = min(size // 4, _MOST_HWCAPS)
        if len(data) < offset + number * 4:
            break
        # Sections are counted from the file's begin, texts from the new table's.
        places = struct.unpack_from(f"={number}I", data, offset)
        return [_text(data, start + place) or "" for place in places]
    return []


def _text(data: bytes, at: int) -> str | None:
    if at >= len(data):
        return None
    end = data.find(b"\0", at, at + _LONGEST_NAME_BYTES)
    return None if end < 0 else data[at:end].decode("utf-8", "surrogateescape")
