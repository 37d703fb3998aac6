"""A value -> something that is equal as long as the value holds the same, as far as can be seen.

A look copies nothing large and runs no code of the value's class. What cannot be looked into is
taken for unchanged: the answer is "it changed" or "no change was seen".
"""

from __future__ import annotations

import gc
import itertools
import types
import zlib
from collections import deque
from typing import Any

_MOST_ITEMS = 1000
_DEPTH = 3
_WHOLE_BYTES, _PART_BYTES, _PARTS = 64 << 20, 1 << 16, 64
_PLAIN = (int, float, complex, bool, str, bytes, type(None))
_SEQUENCES = (list, tuple, deque)


def fingerprint(value: Any, depth: int = _DEPTH) -> object:
    """Look at a value.

    Containers are looked into to a depth of 3 and for 1000 items, arrays (by the buffer protocol)
    whole up to 64 MB and in parts above, iterators by how far they are, files by their position.

    Examples
    --------
    >>> rows = [1, 2]
    >>> before = fingerprint(rows)
    >>> rows.append(3)
    >>> fingerprint(rows) == before
    False
    """
    try:
        return _look(value, depth)
    except Exception:  # noqa: BLE001 - the value's own fault; it is taken for unchanged
        return None


def _look(value: Any, depth: int) -> object:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in (bytearray, memoryview) or hasattr(kind, "__array_interface__"):
        return _of_buffer(value)
    if kind in _SEQUENCES:
        items = itertools.islice(value, _MOST_ITEMS)
        return len(value), *(_item(each, depth) for each in items)
    if kind is dict:
        pairs = itertools.islice(value.items(), _MOST_ITEMS)
        return len(value), *((id(name), _item(each, depth)) for name, each in pairs)
    if kind in (set, frozenset):
        return len(value)
    return _of_iterator(value, depth) if hasattr(kind, "__next__") else _of_object(value, depth)


def _item(value: Any, depth: int) -> object:
    if type(value) in _PLAIN:
        return value
    return id(value), _look(value, depth - 1) if depth > 0 else None


def _of_iterator(value: Any, depth: int) -> object:
    kind = type(value)
    if kind is types.GeneratorType:
        frame = value.gi_frame
        return None if frame is None else frame.f_lasti, frame is None
    if kind.__module__ == "_io":
        return value.tell()
    if hasattr(kind, "__length_hint__"):
        return value.__length_hint__()
    # zip, map, enumerate and their like hold the iterators that they draw from.
    inside = gc.get_referents(value)[:_MOST_ITEMS] if depth > 0 else []
    return tuple(_look(each, depth - 1) for each in inside)


def _of_object(value: Any, depth: int) -> object:
    kind = type(value)
    if kind.__module__.partition(".")[0] == "pandas" and hasattr(value, "_mgr"):
        # There is no public way to its arrays without a copy; _mgr is there from pandas 1.0 on.
        return value.shape, *(_of_buffer(block.values) for block in value._mgr.blocks)  # noqa: SLF001 - as above
    if kind.__module__.partition(".")[0] == "torch" and hasattr(value, "_version"):
        return value.shape, value._version  # noqa: SLF001 - autograd's counter of in-place changes
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is dict and depth > 0 and kind.__module__ == "__main__":
        return _look(attributes, depth - 1)
    return None


def _of_buffer(value: Any) -> object:
    view = memoryview(value)
    if not view.nbytes or not view.contiguous:
        return view.shape
    if not view.c_contiguous:
        small = view.nbytes <= _WHOLE_BYTES
        return view.shape, zlib.crc32(view.tobytes("A")) if small else None
    flat = view.cast("B")
    if view.nbytes <= _WHOLE_BYTES:
        return view.shape, zlib.crc32(flat)
    crc = 0
    for at in range(0, view.nbytes, view.nbytes // _PARTS):
        crc = zlib.crc32(flat[at : at + _PART_BYTES], crc)
    return view.shape, crc
