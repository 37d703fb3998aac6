"""Reading files without giving the GIL away, for a thread that looks while Python code runs.

CPython gives the GIL away around each open, read, close, and around each name of a listing
(os_read_impl, ScandirIterator_iternext in Modules/posixmodule.c). When a loop of Python code takes
it meanwhile, the reader waits for `sys.getswitchinterval()`, 5 ms. Here the C library's functions
are called by `ctypes.PyDLL`, which keeps the GIL; a file below /proc takes some microseconds.
After 5 ms the interpreter still lets others run, between two calls.

Measured beside such a loop with 66 threads, Python 3.11 and 2 CPUs: a tick took 0.9 ms of CPU time
either way, and of wall time at most 10 ms so, 125 ms otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .machine import Machine

_SIZE = 65536
_MOST_BYTES = 64 * 1024 * 1024
_ENTRY = struct.Struct("=QqHB")
"""struct linux_dirent64 without its name: d_ino, d_off, d_reclen, d_type; see getdents(2)."""


class GilHeld(Machine):
    """The same machine, its files and listings read with the GIL held.

    Make it on the main thread: it looks symbols up. One thread at a time may use it, since it has
    one buffer. For the kernel's own files only: a file on a dead network disk would stop all
    of Python.

    Parameters
    ----------
    machine
        The machine to read.
    reads
        Whether the GIL is held while a file is read, and not only while it is opened and closed.
        What the kernel makes for milliseconds is not waited for with the GIL held.

    Raises
    ------
    OSError
        When the C library does not have the functions.
    """

    def __init__(self, machine: Machine, *, reads: bool = True) -> None:
        super().__init__(
            machine.root, machine.environ, machine.affinity, machine.pid, machine.clock
        )
        try:
            libc = ctypes.PyDLL(None, use_errno=True)
            self._open, self._reads, self._close = libc.open, libc.read, libc.close
            self._pread, self._list = libc.pread, libc.getdents64
            if not reads:
                self._reads = ctypes.CDLL(None, use_errno=True).read
        except (AttributeError, TypeError) as error:
            raise OSError(f"this C library lacks a function: {error}") from error
        self._open.argtypes = (ctypes.c_char_p, ctypes.c_int)
        self._close.argtypes = (ctypes.c_int,)
        three = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        self._reads.argtypes = self._list.argtypes = three
        self._pread.argtypes = (*three, ctypes.c_long)
        self._reads.restype = self._list.restype = self._pread.restype = ctypes.c_ssize_t
        self._buffer = (ctypes.c_ubyte * _SIZE)()
        self._view = memoryview(self._buffer).cast("B")

    def _opened(self, name: str, flags: int = os.O_RDONLY) -> int:
        path = self.path(name)
        while (handle := int(self._open(os.fsencode(path), flags | os.O_CLOEXEC))) < 0:
            _raise_unless_interrupted(path)
        return handle

    def _some(self, function: Callable[[int, object, int], int], handle: int, name: str) -> int:
        """Fill the buffer by read or getdents64; give the bytes that it got."""
        while (size := function(handle, self._buffer, _SIZE)) < 0:
            _raise_unless_interrupted(name)
        return size

    def _read(self, name: str) -> str:
        handle = self._opened(name)
        try:
            data = bytearray()
            while len(data) < _MOST_BYTES and (size := self._some(self._reads, handle, name)):
                data += self._view[:size]
        finally:
            self._close(handle)
        return data.decode("utf-8", "surrogateescape")

    def entries(self, name: str) -> list[tuple[str, int]]:
        """Give (name, inode) of everything in the folder `name`, in the kernel's order.

        Raises
        ------
        OSError
            When it cannot be read.
        """
        handle = self._opened(name, os.O_RDONLY | os.O_DIRECTORY)
        found: list[tuple[str, int]] = []
        try:
            while size := self._some(self._list, handle, name):
                data, at = bytes(self._view[:size]), 0
                while at < size:
                    inode, _, length, _ = _ENTRY.unpack_from(data, at)
                    end = data.index(b"\0", at + _ENTRY.size)
                    found.append((os.fsdecode(data[at + _ENTRY.size : end]), inode))
                    at += length
        finally:
            self._close(handle)
        return [entry for entry in found if entry[0] not in (".", "..")]

    @contextmanager
    def memory(self, process: int | None = None) -> Iterator[Callable[[int, int], bytes]]:
        """Give a reader of a process's memory, as `Machine.memory` does.

        Raises
        ------
        OSError
            When the memory cannot be opened.
        """
        name = f"/proc/{process or 'self'}/mem"
        handle = self._opened(name)

        def read(address: int, size_bytes: int) -> bytes:
            wanted = min(size_bytes, _SIZE)
            while (size := self._pread(handle, self._buffer, wanted, address)) < 0:
                _raise_unless_interrupted(name)
            return bytes(self._view[:size])

        try:
            yield read
        finally:
            self._close(handle)


def _raise_unless_interrupted(name: str) -> None:
    number = ctypes.get_errno()
    if number != errno.EINTR:
        raise OSError(number, os.strerror(number), name)
