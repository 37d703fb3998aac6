"""A kernel's record: where each part lies in it, and the file, which one process writes.

One file of a fixed layout, so that a part is written by one call and survives the process. Parts
of JSON have a length and a checksum; the one that is written often has two places, in turn, so that
a death in the middle of writing leaves the older one. The file is its process's own, locked, and
never followed. Nothing is written by the CPU into mapped memory: where the disk is full, or the
file was cut short by somebody, that would be a SIGBUS. All goes through calls, which fail instead.

Loading the extension needs this, in one module: only what every interpreter has is imported.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress

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


FLAGS = (
    os.O_RDWR
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NOINHERIT", 0)
    | getattr(os, "O_BINARY", 0)
)
_LOCKED_AT = 1 << 30
"""A byte beyond the end: Windows' locks keep others from reading what is locked."""


OWN: set[str] = set()
"""The files that this process has open: it must not open and close one of them once more, since a
process that closes any descriptor of a file gives its locks on it back (fcntl(2))."""


class RecordFile:
    """A new file, for its owner alone.

    Parameters
    ----------
    path
        Where; nothing may be there.

    Raises
    ------
    OSError
        When it cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        known = os.fstat(self.fd)
        self._known = known.st_dev, known.st_ino
        self._tail_fd = -1
        OWN.add(path)
        locked(self.fd)

    def size_bytes(self) -> int:
        """Give its size, when the descriptor is still this file's; 1 us.

        Raises
        ------
        OSError
            When it is not: a cell may have closed it, and another file have its number by now.
        """
        now = os.fstat(self.fd)
        if (now.st_dev, now.st_ino) != self._known:
            raise OSError("the descriptor of the record was closed")
        return now.st_size

    def end_bytes(self, begin: int, most_bytes: int) -> int:
        """Give where `appended` writes go next, and begin anew where the file is too long.

        On Windows faulthandler writes of each access violation, also of one that is caught.
        Raises as `size_bytes`.
        """
        size = self.size_bytes()
        if size <= most_bytes:
            return max(begin, size)
        os.ftruncate(self.fd, begin)
        os.lseek(self.fd if self._tail_fd < 0 else self._tail_fd, begin, os.SEEK_SET)
        return begin

    def put(self, at: int, data: bytes) -> None:
        """Write bytes at a place, and leave where `appended` writes go as it is; 1 us.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        if hasattr(os, "pwrite"):
            os.pwrite(self.fd, data, at)
            return
        os.lseek(self.fd, at, os.SEEK_SET)  # Windows
        os.write(self.fd, data)

    def fill(self, size_bytes: int) -> None:
        """Make it so long, where it is shorter: what is mapped must be there."""
        if self.size_bytes() < size_bytes:
            os.ftruncate(self.fd, size_bytes)

    def get(self, at: int, size_bytes: int) -> bytes:
        """Read bytes at a place; raises as `put`."""
        if hasattr(os, "pread"):
            return os.pread(self.fd, size_bytes, at)
        os.lseek(self.fd, at, os.SEEK_SET)
        return os.read(self.fd, size_bytes)

    def appended(self, begin: int) -> int:
        """Give a descriptor whose writes go to the end of the file, from `begin` on.

        Raises
        ------
        OSError
            When there is none.
        """
        if hasattr(os, "pwrite"):
            os.lseek(self.fd, begin, os.SEEK_SET)
            return self.fd
        self._tail_fd = os.open(self.path, FLAGS)
        os.lseek(self._tail_fd, begin, os.SEEK_SET)
        return self._tail_fd

    def remove(self, *, ending: bool) -> None:
        """Remove it.

        Parameters
        ----------
        ending
            Whether the process ends with it. Then its descriptor stays, so that no thread that
            still runs can write into another file of its number.
        """
        with suppress(OSError):
            if ending:
                os.unlink(self.path)
                return
        OWN.discard(self.path)
        with suppress(OSError):
            self.size_bytes()
            os.close(self.fd)
            if self._tail_fd >= 0:
                os.close(self._tail_fd)
        with suppress(OSError):
            os.unlink(self.path)  # Windows removes nothing that is open


def locked(fd: int, *, shared: bool = False) -> bool:
    """Lock a file for this process; its end gives the lock back, however it comes.

    fcntl(2): such a lock is the process's, and no forked child has it. Where the file system has
    none (some NFS), the process's number and its beginning tell whether it lives.
    """
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:
        return _locked_on_windows(fd)
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.lockf(fd, how | fcntl.LOCK_NB, 1, _LOCKED_AT)
    except OSError:
        return False
    return True


def _locked_on_windows(fd: int) -> bool:
    import msvcrt  # noqa: PLC0415 - Windows alone has it

    lock = getattr(msvcrt, "locking", None)
    if lock is None:
        return False
    os.lseek(fd, _LOCKED_AT, os.SEEK_SET)
    try:
        lock(fd, getattr(msvcrt, "LK_NBLCK", 2), 1)
    except OSError:
        return False
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return True
