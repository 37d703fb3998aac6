"""Windows' loader, counted: LdrRegisterDllNotification with a callback that is no Python function.

It is called in whatever thread loads a DLL, under the loader's lock and before DllMain
(learn.microsoft.com, LdrDllNotification). A Python function there would wait for the GIL, which a
thread may hold that waits for that lock: both would wait for ever (threadpoolctl#239 is the same
on Linux). So the callback is three instructions of machine code that add 1 to a counter; libffi
makes its callbacks in the same way. It can be given back, and it cannot refuse a load.
"""

from __future__ import annotations

import ctypes

from ..python.names import cpu_name
from .calls import calls, failed

_COMMIT_AND_RESERVE = 0x3000
_READ_WRITE, _EXECUTE_READ = 0x04, 0x20
_PAGE_BYTES = 4096
_COUNT = bytes.fromhex(
    "89 c8"  # mov eax, ecx                     reason: 1 loaded, 2 unloaded
    "f0 49 ff 44 c0 f8"  # lock inc qword [r8 + rax*8 - 8]  r8: context, the two counters
    "c3"  # ret
)
"""For x86-64, by Microsoft's calling convention; other processors have no counter."""


class LoaderEvents:
    """Counts what the loader loads and unloads, from when it is made until `close`.

    Raises
    ------
    OSError
        When this processor's code is not known, or Windows refuses one of the steps.
    """

    def __init__(self) -> None:
        if cpu_name() != "x86_64":
            raise OSError("loads are counted on x86-64 only")
        code = _code()
        self._cookie = ctypes.c_void_p()
        self._counters = (ctypes.c_int64 * 2).from_address(code + _PAGE_BYTES)
        self._before = self._counters[0], self._counters[1]
        status = calls().LdrRegisterDllNotification(
            0, code, code + _PAGE_BYTES, ctypes.byref(self._cookie)
        )
        if status:
            raise OSError(f"LdrRegisterDllNotification gave {status & 0xFFFFFFFF:#x}")

    def read(self) -> tuple[int, int]:
        """Give how many modules were loaded and unloaded since; 0.4 us."""
        return self._counters[0] - self._before[0], self._counters[1] - self._before[1]

    def close(self) -> None:
        """Give it back: the loader calls nothing of ours any more. Called once."""
        calls().LdrUnregisterDllNotification(self._cookie)


def _code() -> int:
    """Give the address of the code, which has its counters on the page behind it.

    Made once and never freed. A process that ends unloads modules when the interpreter and its
    memory are gone, and the loader still counts them: with the counters among Python's objects,
    three of four processes with scikit-learn ended in an access violation.
    """
    if not _MADE:
        call = calls()
        code = call.VirtualAlloc(None, 2 * _PAGE_BYTES, _COMMIT_AND_RESERVE, _READ_WRITE)
        if not code:
            raise failed("VirtualAlloc")
        ctypes.memmove(code, _COUNT, len(_COUNT))
        before = ctypes.c_uint32()
        if not call.VirtualProtect(code, _PAGE_BYTES, _EXECUTE_READ, ctypes.byref(before)):
            raise failed("VirtualProtect")
        _MADE.append(code)
    return _MADE[0]


_MADE: list[int] = []
