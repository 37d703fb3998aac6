"""The C environment of macOS as a whole: whether it changed, and what is in it."""

from __future__ import annotations

import ctypes

from .calls import Calls, function

_MOST = 20_000


class MacEnvironment:
    """The array ``environ``, which _NSGetEnviron leads to: dylibs cannot name it (environ(7)).

    setenv(3) writes a value that is not longer over the one that it made before, in place (Libc,
    stdlib/FreeBSD/setenv.c, __setenv_locked: UNIX03). So the texts are compared, not the pointers
    as on Linux (`cenviron`).

    Raises
    ------
    OSError
        When the C library does not show it.
    """

    def __init__(self, calls: Calls) -> None:
        try:
            # PyDLL: no other Python thread changes the environment meanwhile.
            where = function(calls.library, "_NSGetEnviron", (), ctypes.c_void_p)()
        except AttributeError as error:
            raise OSError(f"this C library has no environ: {error}") from error
        if not where:
            raise OSError("_NSGetEnviron gave no address")
        self._at = ctypes.c_void_p.from_address(where)
        self._texts: list[bytes] = []

    def changed(self) -> bool:
        """Tell whether a variable was set or unset since `read`."""
        return self._read() != self._texts

    def read(self) -> dict[bytes, bytes]:
        """Give all variables; of two with one name the first, which getenv(3) finds."""
        self._texts = self._read()
        found: dict[bytes, bytes] = {}
        for text in self._texts:
            name, _, value = text.partition(b"=")
            found.setdefault(name, value)
        return found

    def _read(self) -> list[bytes]:
        array = self._at.value
        found: list[bytes] = []
        if array:
            entries = ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p))
            while len(found) < _MOST and (text := entries[len(found)]) is not None:
                found.append(text)
        return found
