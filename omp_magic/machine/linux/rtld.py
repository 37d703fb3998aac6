"""glibc's own lists in another process: what is loaded, in which order, and who serves all.

ld.so exports `_rtld_global`, whose first words are those of the first namespace: the list of
objects, their number, and the list that symbols are searched in for everybody ("Don't change the
order of the following elements", sysdeps/generic/ldsodefs.h: _ns_loaded, _ns_nloaded,
_ns_main_searchlist; struct r_scope_elem of include/link.h). Both lists begin with the program,
which proves that they were found. musl has no such lists.
"""

from __future__ import annotations

import os
import re
import struct

from ..port.others import Lists
from ..port.rows import Memory
from .symbols import FileSymbols

LOADER = re.compile(r"(ld|ld64|ld-.*)\.so")
_HEAD = struct.Struct("=QI4xQ")
_SCOPE = struct.Struct("=QI")
_LINK_MAP = struct.Struct("=4Q")
_MOST_OBJECTS = 100_000
_NAME_BYTES = 256
_LONGEST_NAME_BYTES = 4096


def lists_of(symbols: FileSymbols, memory: Memory) -> Lists:
    """Read them.

    Raises
    ------
    OSError
        When this is no glibc, or the memory cannot be read.
    """
    head = symbols.address("_rtld_global", LOADER)
    if head is None:
        raise OSError("its C library does not tell what it has loaded (it is not glibc)")
    try:
        first, number, searched = _HEAD.unpack(memory(head, _HEAD.size))
        places, count = _SCOPE.unpack(memory(searched, _SCOPE.size))
        if not 0 < count <= number <= _MOST_OBJECTS:
            raise OSError("its loader's lists are not where glibc has them")
        scope = struct.unpack(f"={count}Q", memory(places, count * 8))
        if scope[0] != first:
            raise OSError("its loader's lists are not where glibc has them")
        bases: dict[int, int] = {}
        objects = []
        at = first
        while at and at not in bases and len(bases) < _MOST_OBJECTS:
            base, name, _, after = _LINK_MAP.unpack(memory(at, _LINK_MAP.size))
            bases[at] = base
            objects.append((base, _text(memory, name)))
            at = after
    except struct.error:
        raise OSError("its loader's lists changed while they were read") from None
    return Lists(tuple(objects), tuple(bases[each] for each in scope if each in bases))


def _text(memory: Memory, at: int) -> str:
    size = _NAME_BYTES
    while at and size <= _LONGEST_NAME_BYTES:
        data = memory(at, size)
        end = data.find(b"\0")
        if end >= 0:
            return os.fsdecode(data[:end])
        size *= 4
    return ""
