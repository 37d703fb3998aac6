"""The end of what C code writes to stderr, kept in a record: a runtime's last word.

ipykernel makes its stderr a pipe, which a thread of the same process reads. A runtime that writes
its reason and calls abort or exit takes that thread with it, mostly before it has passed the line
on: half of all lines were gone, in the memory of a thread that waited for the GIL. So the thread is
ipykernel's own with one difference: the kernel of the system puts what it reads straight into the
record, readv(2) into a mapping of the file. What has left the pipe is in the file then, whatever
happens next. It is passed on as before, and the number of threads stays what it was.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from ..formats import recordlayout as layout
from ..machine.python.recordfile import Received, RecordFile

_JOIN_S = 2.0
_STDERR = 2
_NEEDED = (
    *("_fid", "_should_watch", "watch_fd_thread", "_watch_pipe_fd"),
    *("_original_stdstream_copy", "write"),
)


class LastStderr:
    """Reads the pipe of ipykernel's stderr into a record.

    Parameters
    ----------
    file
        The record.
    """

    def __init__(self, file: RecordFile) -> None:
        self._file = file
        self._stream: Any = None
        self._received: Received | None = None
        self._count = 0

    def begin(self) -> None:
        """Take the place of ipykernel's thread.

        Raises
        ------
        OSError
            When C's stderr is no pipe of ipykernel's, or the file cannot be mapped.
        """
        stream = _stream()
        self._received = Received(self._file.fd, layout.MAP_BYTES)
        self._stream = stream
        self._begin_thread(self._watch)

    def end(self) -> None:
        """Give ipykernel's thread its place back."""
        if self._stream is not None:
            self._begin_thread(self._stream._watch_pipe_fd)  # noqa: SLF001 - see _stream
            self._stream = None
        if self._received is not None:
            self._received.close()
            self._received = None

    def _begin_thread(self, target: Any) -> None:
        """End the thread as ipykernel's OutStream.close does, and begin another of its name."""
        stream = self._stream
        before = stream.watch_fd_thread
        stream._should_watch = False  # noqa: SLF001 - see _stream
        os.write(_STDERR, b"\0")
        before.join(_JOIN_S)
        stream._should_watch = True  # noqa: SLF001 - as above
        if before.is_alive():
            self._stream = None
            raise OSError("the thread that reads stderr does not end")
        after = threading.Thread(target=target, name=before.name, daemon=True)
        stream.watch_fd_thread = after
        after.start()

    def _watch(self) -> None:
        """Do what OutStream._watch_pipe_fd does."""
        stream = self._stream
        try:
            while True:
                data = self._read(stream._fid)  # noqa: SLF001 - as above
                last = not data or not stream._should_watch  # noqa: SLF001 - as above
                if last:
                    data = data.removesuffix(b"\0")
                if data:
                    stream.write(data.decode(errors="replace"))
                    os.write(stream._original_stdstream_copy, data)  # noqa: SLF001 - as above
                if last:
                    return
        except Exception:  # noqa: BLE001 - as ipykernel's, which tells of it when it is closed
            stream._exc = sys.exc_info()  # noqa: SLF001 - as above

    def _read(self, fd: int) -> bytes:
        """Read from the pipe into the record; where that cannot be written, as ipykernel does."""
        slot = layout.PIECES_AT + self._count % layout.PIECES * layout.PIECE_BYTES
        try:
            self._file.size_bytes()
            self._file.put(slot, bytes(layout.PIECE_BYTES))
            self._file.put(layout.LINES_AT, layout.LINES.pack(self._count))
            if self._received is None:
                return os.read(fd, layout.PIECE_BYTES)
            length = self._received.receive(fd, slot, layout.PIECE_BYTES)
        except OSError:
            return os.read(fd, layout.PIECE_BYTES)
        self._count += 1
        return self._file.get(slot, length)


def _stream() -> Any:
    """Give ipykernel's stream whose thread reads C's stderr.

    Its fields are private, and the same from ipykernel 6.0 to 7.4 (ipykernel/iostream.py).

    Raises
    ------
    OSError
        When there is none such.
    """
    stream: Any = sys.stderr
    fields = all(hasattr(stream, name) for name in _NEEDED)
    if not fields or not stream._should_watch or stream._fid is None:  # noqa: SLF001 - see above
        raise OSError("C's stderr goes past ipykernel here")
    # Both ends of a pipe are one file.
    if os.fstat(_STDERR).st_ino != os.fstat(stream._fid).st_ino:  # noqa: SLF001 - as above
        raise OSError("C's stderr is somebody else's")
    return stream
