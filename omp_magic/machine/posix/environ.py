"""The C environment as a whole: whether it changed, and what is in it.

`native.Native.getenv` asks for one name; here all are compared at once, which costs less than one
question: setenv(3) puts another pointer into the array when it changes a variable.
"""

from __future__ import annotations

import ctypes

_MOST = 20_000
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)


class CEnvironment:
    """The array ``environ`` of environ(7).

    A program that changes the text behind a pointer without setenv is not noticed.

    Raises
    ------
    OSError
        Where the C library does not show it (Windows).
    """

    def __init__(self) -> None:
        try:
            # PyDLL: no other Python thread changes the environment meanwhile.
            self._at = ctypes.c_void_p.in_dll(ctypes.PyDLL(None), "environ")
        except (AttributeError, TypeError, ValueError) as error:
            raise OSError(f"this C library has no environ: {error}") from error
        self._pointers = b""
        self._count = 0

    def changed(self) -> bool:
        """Tell whether a variable was set or unset since `read`; 1 us."""
        array = self._at.value
        if not array:
            return self._count > 0
        size = (self._count + 1) * _POINTER_BYTES
        return ctypes.string_at(array, size) != self._pointers

    def read(self) -> dict[bytes, bytes]:
        """Give all variables; of two with one name the first, which getenv(3) finds."""
        found: dict[bytes, bytes] = {}
        array = self._at.value
        count = 0
        if array:
            entries = ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p))
            while count < _MOST:
                entry = entries[count]
                if entry is None:
                    break
                name, _, value = entry.partition(b"=")
                found.setdefault(name, value)
                count += 1
            self._pointers = ctypes.string_at(array, (count + 1) * _POINTER_BYTES)
        self._count = count
        return found
