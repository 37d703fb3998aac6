"""A record as others read it, and the part of one that is read into from a pipe."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from .recordfile import FLAGS, locked


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


def is_held(fd: int) -> bool:
    """Tell whether another process holds the lock of a file that is open for writing here.

    The lock is taken for the moment: the caller closes the file, which gives it back. It is shared,
    so that two who ask at once do not take each other for its owner; Windows has no such.
    """
    return not locked(fd, shared=True)


def opened_own(path: str) -> int:
    """Open a file of this user's own, never by a link.

    Raises
    ------
    OSError
        When it is another user's, no plain file, or cannot be opened.
    """
    before = os.lstat(path)
    if not stat.S_ISREG(before.st_mode):
        raise OSError(f"no plain file: {path}")
    uid = getattr(os, "getuid", None)
    if uid is not None and before.st_uid != uid():
        raise OSError(f"belongs to another user: {path}")
    fd = os.open(path, FLAGS)
    now = os.fstat(fd)
    if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
        os.close(fd)
        raise OSError(f"replaced while it was opened: {path}")
    return fd
