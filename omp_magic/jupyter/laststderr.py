"""The end of what C code writes to stderr, kept in a record: a runtime's last word.

ipykernel makes its stderr a pipe, which a thread of the same process reads. A runtime that writes
its reason and calls abort or exit takes that thread with it, mostly before it has passed the line
on: half of all lines were gone, in the memory of a thread that waited for the GIL. So the thread is
replaced by one with one difference: the kernel of the system puts what it reads straight into the
record, readv(2) into a mapping of the file. What has left the pipe is in the file then, whatever
happens next. It is passed on as before, and the number of threads stays what it was.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..machine.python import recordfile as layout
from ..machine.python.recordfile import RecordFile
from ..machine.python.recordreading import Received

if TYPE_CHECKING:
    from collections.abc import Callable

_JOIN_S = 2.0
_STDERR = 2
_WAKE = b"\0"
"""What wakes a thread that reads the pipe, as OutStream.close has it; nobody is shown it."""
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
        self._wakes = 0
        self._ending = self._handed_back = False
        self.bytes = 0
        """How many have come."""

    @property
    def began(self) -> bool:
        """Whether it reads."""
        return self._stream is not None

    def begin(self) -> None:
        """Take the place of ipykernel's thread.

        Raises
        ------
        OSError
            When C's stderr is no pipe of ipykernel's, or the file cannot be mapped.
        """
        stream = _stream()
        if self._received is None:
            self._file.fill(layout.MAP_BYTES)
            # Closed at the end alone: it holds a descriptor, whose close gives the lock back.
            self._received = Received(self._file.fd, layout.MAP_BYTES)
        received, text = self._received, _taken_over(stream)
        self._stream = stream
        before, woken, after = text.rpartition("\0")
        self._wakes = int(not woken)
        _begin_thread(stream, lambda: self._run(stream, received, before + after))

    def end(self) -> None:
        """Give ipykernel's thread its place back; where that cannot be, this one goes on."""
        stream, self._stream = self._stream, None
        if stream is not None and not self._handed_back:
            self._ending = True
            self._wakes += 1
            _wake(stream)
            stream.watch_fd_thread.join(_JOIN_S)
            if stream.watch_fd_thread.is_alive():
                self._ending = False
                raise OSError("the thread that reads stderr does not end")
            _begin_thread(stream, stream._watch_pipe_fd)  # noqa: SLF001 - see _stream
        if self._received is not None:
            self._received.close()

    def _run(self, stream: Any, received: Received, text: str) -> None:
        """Pass on what ipykernel's thread had in its hands, and all that comes."""
        try:
            if text:
                _pass_on(stream, text, text.encode("utf-8", "replace"))
            while True:
                data = self._read(received, stream._fid)  # noqa: SLF001 - see _stream
                if not data:
                    return
                closing, woken = not stream._should_watch, False  # noqa: SLF001 - as above
                if (self._wakes or closing) and _WAKE in data:
                    woken, self._wakes = True, max(0, self._wakes - 1)
                    before, _, after = data.rpartition(_WAKE)
                    data = before + after
                if data:
                    _pass_on(stream, data.decode(errors="replace"), data)
                if closing or (woken and self._ending and not self._wakes):
                    return
        except Exception:  # noqa: BLE001 - who reads nothing would have the kernel wait for ever
            self._handed_back = True
            stream._watch_pipe_fd()  # noqa: SLF001 - as above

    def _read(self, received: Received, fd: int) -> bytes:
        """Read from the pipe into the record; where that cannot be written, as ipykernel does."""
        try:
            places = self._places()
            length = received.receive(fd, places)
        except Exception:  # noqa: BLE001 - nothing was taken from the pipe
            return os.read(fd, layout.READ_BYTES)
        self.bytes += length
        try:
            self._file.size_bytes()  # a cell may have closed it while this waited
            data = b"".join(self._file.get(at, size) for at, size in places)[:length]
            if len(data) == length:
                return data
        except OSError:
            pass  # what came is in memory still
        return received.copied(places)[:length]

    def _places(self) -> list[tuple[int, int]]:
        """Give where the next bytes go, made empty; the oldest are overwritten."""
        self._file.size_bytes()
        at = self.bytes % layout.RING_BYTES
        size = min(layout.READ_BYTES, layout.RING_BYTES - at)
        places = [(layout.RING_AT + at, size)]
        if size < layout.READ_BYTES:
            places.append((layout.RING_AT, layout.READ_BYTES - size))
        for place, place_bytes in places:
            self._file.put(place, bytes(place_bytes))
        self._file.put(layout.LINES_AT, layout.LINES.pack(self.bytes))
        return places


class _TakenOverError(Exception):
    """Ends ipykernel's thread, which keeps it for OutStream.close."""


def _taken_over(stream: Any) -> str:
    """End ipykernel's thread, and give what it was about to pass on.

    `OutStream.close` ends it by `_should_watch`, and then what it has just read is lost. It passes
    on what it reads by `write`, and ends at an error of that: so it is ended there, by one.

    Raises
    ------
    OSError
        When it does not end; then it goes on.
    """
    thread, write = stream.watch_fd_thread, stream.write
    before = vars(stream).get("write")
    taken: list[str] = []
    lock = threading.Lock()
    late = False

    def take(text: str) -> Any:
        if threading.current_thread() is not thread:
            return write(text)
        with lock:
            if not late:
                taken.append(text)
                raise _TakenOverError
        return write(text.removesuffix("\0"))

    stream.write = take
    _wake(stream)
    thread.join(_JOIN_S)
    with lock:
        late = not taken
    if late:
        raise OSError("the thread that reads stderr does not end")
    thread.join()
    if before is None:
        del stream.write
    else:
        stream.write = before
    stream._exc = None  # noqa: SLF001 - see _stream
    return taken[0]


def _wake(stream: Any) -> None:
    """Have the thread that waits at the pipe read something.

    Raises
    ------
    OSError
        When a cell has put another file in the place of C's stderr, and the pipe cannot be opened.
    """
    if _is_pipe_of(stream):
        os.write(_STDERR, _WAKE)
        return
    # proc(5): a pipe is opened anew by its entry there.
    fd = os.open(f"/proc/self/fd/{stream._fid}", os.O_WRONLY | os.O_NONBLOCK)  # noqa: SLF001 - see _stream
    try:
        os.write(fd, _WAKE)
    finally:
        os.close(fd)


def _pass_on(stream: Any, text: str, data: bytes) -> None:
    """Pass on as OutStream._watch_pipe_fd does."""
    stream.write(text)
    os.write(stream._original_stdstream_copy, data)  # noqa: SLF001 - see _stream


class _Reader(threading.Thread):
    """A thread as ipykernel's own, which began before the first cell and is of none.

    ipykernel 6.29 and 7.0 wrap `Thread.run` so that what a thread writes goes to the cell that has
    begun it (ipkernel.py, _initialize_thread_hooks), and Python without a GIL hands a context on,
    in which 7.1 keeps the cell: all that C writes would go to the cell that loaded the extension.
    """

    def __init__(self, target: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._reads = target

    def run(self) -> None:
        contextvars.Context().run(self._reads)


def _begin_thread(stream: Any, target: Callable[[], None]) -> None:
    stream.watch_fd_thread = _Reader(target, stream.watch_fd_thread.name)
    stream.watch_fd_thread.start()


def _is_pipe_of(stream: Any) -> bool:
    """Tell whether C's stderr is the pipe of a stream: both ends of a pipe are one file."""
    try:
        here, there = os.fstat(_STDERR), os.fstat(stream._fid)  # noqa: SLF001 - see _stream
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


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
    if not stream.watch_fd_thread.is_alive():
        raise OSError("ipykernel's thread that reads C's stderr has ended")
    if not _is_pipe_of(stream):
        raise OSError("C's stderr is somebody else's")
    return stream
