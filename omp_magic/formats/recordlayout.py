"""The layout of a kernel's record: where each part lies, and how it is packed.

One file of a fixed layout, so that a part is written by one call and survives the process. Parts
of JSON have a length and a checksum; the one that is written often has two places, in turn, so that
a death in the middle of writing leaves the older one. Only what every interpreter has is imported:
loading the extension needs this.
"""

from __future__ import annotations

import struct
import zlib

MAGIC = b"omp_magic record 1\n"
CELL_AT, CELL = 64, struct.Struct("<qddqq")
"""Number, began, ended (0: it runs), and at its begin the size of the file and the bytes that had
come from C's stderr: what follows is the cell's fault, and the cell's lines."""
TOLD_AT, ASKED_AT = 128, 129
"""A byte each: that the next kernel has told of it, that somebody has asked."""
SHUTDOWN_AT, SHUTDOWN = 136, struct.Struct("<dq")
"""When the kernel was asked to end, and whether to start again."""
FIGURES_AT, FIGURES = 160, struct.Struct("<ddddqq")
"""The time of a look and the CPU time by then; of the last look too, its RSS and threads."""
LINES_AT, LINES = 256, struct.Struct("<q")
"""How many bytes of what was written to C's stderr have come before those that just come."""
TEXT_AT, TEXT_BYTES = 512, 1500
IDENTITY_AT, IDENTITY_BYTES = 2048, 4096
MEMORY_AT, MEMORY_BYTES = 6144, 2048
RING_AT, RING_BYTES, READ_BYTES = 8192, 4096, 1000
"""The last of these bytes, in a ring; where the next ones go, as many as are read at once, it is
empty. ipykernel reads as many at once too (iostream.py, PIPE_BUFFER_SIZE)."""
MAP_BYTES = RING_AT + RING_BYTES
"""What is mapped, from the begin to behind the ring."""
SEEN_AT, SEEN_BYTES = (16384, 32768), 16384
FAULT_AT = 49152
"""Where faulthandler writes; nothing lies behind it."""
MOST_AFTER_BYTES = 1 << 18
"""Of what lies behind it after a cell; then it begins anew."""
MOST_BYTES = FAULT_AT + (1 << 20)
"""What is read of a file: faulthandler's 100 threads of 100 frames (Python/traceback.c)."""

PREFIX, SUFFIX, MARK_SUFFIX = "omp_magic-", ".record", ".exit"
_HEAD = struct.Struct("<IIQ")


def packed(data: bytes, number: int = 0) -> bytes:
    """Give a part with its checksum, its length and its number in front."""
    return _HEAD.pack(zlib.crc32(data), len(data), number) + data


def unpacked(data: bytes) -> tuple[int, bytes] | None:
    """Give (number, part) of what `packed` gave; None when it is not whole, or not there."""
    if len(data) < _HEAD.size:
        return None
    checksum, length, number = _HEAD.unpack_from(data)
    part = data[_HEAD.size : _HEAD.size + length]
    if not length or len(part) != length or zlib.crc32(part) != checksum:
        return None
    return number, part


def room(size_bytes: int) -> int:
    """Give how long a part may be."""
    return size_bytes - _HEAD.size


def key_of(text: str) -> str:
    """Give a short key of a kernel or a notebook, for the file's name; "0" for none.

    The kernel's own id must not be in the name: ``jupyter console --existing ID`` takes the newest
    file in that folder that has it (jupyter_client's connect.py, find_connection_file).
    """
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}" if text else "0"


def name_of(kernel: str, notebook: str, began_s: float, pid: int) -> str:
    """Give the name of a record's file."""
    keys = f"{key_of(kernel)}-{key_of(notebook)}"
    return f"{PREFIX}{keys}-{int(began_s * 1000):x}-{pid}{SUFFIX}"


def is_name(name: str) -> bool:
    """Tell whether this is the name of a record's file."""
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def is_of(name: str, kernel: str, notebook: str) -> bool:
    """Tell whether a file may be of a kernel, or of a notebook, by its name."""
    words = name[len(PREFIX) :].split("-")
    return len(words) == 4 and (
        (words[0] != "0" and words[0] == key_of(kernel))
        or (words[1] != "0" and words[1] == key_of(notebook))
    )
