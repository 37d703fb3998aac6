"""A mark that C's exit leaves, and SIGKILL, abort and _exit do not: no code of ours runs for it.

``__cxa_atexit(f, argument, handle)`` has C's exit call f(argument, status): the Linux Standard Base
has it, glibc's stdlib/exit.c passes the status too. Here f is chmod(2) itself and the argument a
path, so that a file that was empty and 0600 has the exit status as its mode afterwards. Elsewhere
(macOS, musl) the second argument is not promised, and f is unlink(2). ``__cxa_finalize(handle)``
takes it back, after the path was made empty: what it then calls finds no file. The path lies in
memory that nobody frees, since exit comes when the interpreter is gone.
"""

from __future__ import annotations

import ctypes
import os

_NAMES = ("__cxa_atexit", "__cxa_finalize")
BY_MODE, BY_ABSENCE = "mode", "absence"
"""How the mark is read: `port.ExitMark.kind`."""


class PosixExitMark:
    """See `port.ExitMark`.

    Parameters
    ----------
    path
        The file; it is made here.

    Raises
    ------
    OSError
        When it cannot be made, or the C library does not have the functions.
    """

    def __init__(self, path: str) -> None:
        libc = ctypes.PyDLL(None)
        try:
            # By their texts: Python takes two underscores for a private name of this class.
            register, self._finalize = (getattr(libc, name) for name in _NAMES)
            has_status = hasattr(libc, "gnu_get_libc_version")
            function = libc.chmod if has_status else libc.unlink
            allocate = libc.malloc
        except AttributeError as error:
            raise OSError(f"this C library lacks a function: {error}") from error
        register.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._finalize.argtypes, self._finalize.restype = (ctypes.c_void_p,), None
        allocate.argtypes, allocate.restype = (ctypes.c_size_t,), ctypes.c_void_p
        self.kind = BY_MODE if has_status else BY_ABSENCE
        text = os.fsencode(path) + b"\0"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        os.close(os.open(path, flags, 0o600))
        self._path = path
        self._at = allocate(len(text))
        if not self._at:
            os.unlink(path)
            raise OSError("no memory for the mark of an exit")
        ctypes.memmove(self._at, text, len(text))
        # The place of the path is the handle too: nobody else's is the same.
        if register(ctypes.cast(function, ctypes.c_void_p), self._at, self._at):
            self._at = 0
            os.unlink(path)
            raise OSError("C's exit takes no more functions")

    def forget(self) -> None:
        """See `port.ExitMark.forget`."""
        if self._at:
            ctypes.memset(self._at, 0, 1)

    def take_back(self) -> None:
        """See `port.ExitMark.take_back`."""
        if self._at:
            self.forget()
            self._finalize(self._at)
            self._at = 0
            if os.path.lexists(self._path):
                os.unlink(self._path)
