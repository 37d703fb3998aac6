"""A small file that one process writes as long as it lives: its own, locked, never followed.

Nothing is written by the CPU into mapped memory: where the disk is full, or the file was cut short
by somebody, that would be a SIGBUS. All goes through calls, which fail instead.
"""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = (
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


class Received:
    """A part of a file that is read into from a pipe without a step between: readv(2).

    Parameters
    ----------
    fd
        The file.
    size_bytes
        How much of it, from its begin.

    Raises
    ------
    OSError
        When it cannot be mapped, or this system reads into no mapping.
    """

    def __init__(self, fd: int, size_bytes: int) -> None:
        if not hasattr(os, "readv"):
            raise OSError("this system reads into no mapping")
        import mmap  # noqa: PLC0415 - an extension module: loading must stay cheap

        self._map = mmap.mmap(fd, size_bytes)

    def receive(self, pipe: int, places: Sequence[tuple[int, int]]) -> int:
        """Wait for what comes from a pipe, and give how many bytes of it are in the file now.

        Parameters
        ----------
        pipe
            Its descriptor.
        places
            (where, how many bytes) in the file, filled one after the other.

        Raises
        ------
        OSError
            When there is no room in the file, or it was cut short: nothing was read then.
        """
        with memoryview(self._map) as view:
            parts = [view[at : at + size] for at, size in places]
            try:
                return os.readv(pipe, parts)
            finally:
                for part in parts:
                    part.release()

    def copied(self, places: Sequence[tuple[int, int]]) -> bytes:
        """Give what is there, for when the file's descriptor was closed by somebody."""
        return b"".join(self._map[at : at + size] for at, size in places)

    def close(self) -> None:
        """Let go of the file; called when nobody receives."""
        self._map.close()


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
        self.fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        known = os.fstat(self.fd)
        self._known = known.st_dev, known.st_ino
        self._tail_fd = -1
        OWN.add(path)
        _locked(self.fd)

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
        self._tail_fd = os.open(self.path, _FLAGS)
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


def _locked(fd: int, *, shared: bool = False) -> bool:
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


def is_held(fd: int) -> bool:
    """Tell whether another process holds the lock of a file that is open for writing here.

    The lock is taken for the moment: the caller closes the file, which gives it back. It is shared,
    so that two who ask at once do not take each other for its owner; Windows has no such.
    """
    return not _locked(fd, shared=True)


def opened_own(path: str) -> int:
    """Open a file of this user's own, never by a link.

    Raises
    ------
    OSError
        When it is another user's, no plain file, or cannot be opened.
    """
    import stat  # noqa: PLC0415 - only who reads pays

    before = os.lstat(path)
    if not stat.S_ISREG(before.st_mode):
        raise OSError(f"no plain file: {path}")
    uid = getattr(os, "getuid", None)
    if uid is not None and before.st_uid != uid():
        raise OSError(f"belongs to another user: {path}")
    fd = os.open(path, _FLAGS)
    now = os.fstat(fd)
    if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
        os.close(fd)
        raise OSError(f"replaced while it was opened: {path}")
    return fd
