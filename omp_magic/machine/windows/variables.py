"""Windows' environments: the process's own, and a copy in each C runtime.

Win32's is the one that children inherit and that LLVM's and Intel's runtimes and OpenBLAS ask
(GetEnvironmentVariable: openmp/runtime/src/kmp_environment.cpp, OpenBLAS' common.h). A C runtime
copies it once and answers getenv from its copy; ``os.environ`` sets Win32's and that of the C
runtime that Python uses (_wputenv, Modules/posixmodule.c), so a DLL that was linked with another
one, msvcrt.dll for one, never sees it.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

from .calls import calls
from .modules import Modules

_RUNTIMES = ("ucrtbase.dll", "msvcrt.dll", "ucrtbased.dll", "msvcr120.dll", "msvcr110.dll",
             "msvcr100.dll", "msvcr90.dll")  # fmt: skip
"""Those that have ``_wputenv_s`` and ``_wgetenv``; static copies in DLLs cannot be reached."""


class Environments:
    """A variable in every environment that can be reached."""

    def __init__(self) -> None:
        self._runtimes: dict[tuple[int, str], ctypes.PyDLL] = {}

    def get(self, name: str) -> str | None:
        """Give Win32's."""
        call = calls()
        size = 256
        while True:
            ctypes.set_last_error(0)  # type: ignore[attr-defined,unused-ignore]  # Windows has it
            buffer = ctypes.create_unicode_buffer(size)
            needed = call.GetEnvironmentVariableW(name, buffer, size)
            if needed < size:
                # 0 is also the length of an empty value.
                empty = not needed and ctypes.get_last_error() == 0  # type: ignore[attr-defined,unused-ignore]  # as above
                return buffer.value if needed or empty else None
            size = needed + 1

    def set(self, name: str, value: str, modules: Modules) -> None:
        """Set a variable everywhere."""
        for each in self._loaded(modules).values():
            each._wputenv_s(name, value)  # noqa: SLF001 - Microsoft's name
        calls().SetEnvironmentVariableW(name, value)

    def kept(self, name: str, modules: Modules) -> tuple[str | None, ...]:
        """Give Win32's, and that of each C runtime; one that is not loaded would have Win32's."""
        own, loaded = self.get(name), self._loaded(modules)
        each = (_get(loaded[key], name) if key in loaded else own for key in _RUNTIMES)
        return (own, *each)

    def give_back(self, name: str, kept: tuple[str | None, ...], modules: Modules) -> None:
        """Set what `kept` gave, to those that are loaded now."""
        own, *values = kept
        loaded = self._loaded(modules)
        for key, value in zip(_RUNTIMES, values, strict=True):
            if key in loaded:
                # They know no empty value, and set Win32's variable too.
                loaded[key]._wputenv_s(name, value or "")  # noqa: SLF001 - as above
        calls().SetEnvironmentVariableW(name, own)

    def _loaded(self, modules: Modules) -> dict[str, ctypes.PyDLL]:
        found = {}
        for name in _RUNTIMES:
            module = modules.by_name.get(name)
            if module is None:
                continue
            # One may go again, and another come to its place.
            known = self._runtimes.get((module.base, name))
            if known is None:
                with suppress(OSError, AttributeError):
                    # By its handle, so that nothing is loaded.
                    known = ctypes.PyDLL(module.path, handle=module.base)
                    known._wputenv_s.argtypes = (ctypes.c_wchar_p, ctypes.c_wchar_p)  # noqa: SLF001 - as above
                    known._wgetenv.argtypes = (ctypes.c_wchar_p,)  # noqa: SLF001 - as above
                    known._wgetenv.restype = ctypes.c_wchar_p  # noqa: SLF001 - as above
                    self._runtimes[module.base, name] = known
            if known is not None:
                found[name] = known
        return found


def _get(runtime: ctypes.PyDLL, name: str) -> str | None:
    value: str | None = runtime._wgetenv(name)  # noqa: SLF001 - Microsoft's name
    return value


class EnvironmentBlock:
    """Win32's environment as a whole; see `native.Variables`. Names are in capitals."""

    def __init__(self) -> None:
        self._text = ""

    def changed(self) -> bool:
        """Tell whether a variable was set or unset since `read`; 20 us."""
        return _block() != self._text

    def read(self) -> dict[bytes, bytes]:
        """Give all variables; those of drives, ``=C:``, are none of the user's."""
        self._text = _block()
        found: dict[bytes, bytes] = {}
        for entry in self._text.split("\0"):
            name, equals, value = entry.partition("=")
            if name and equals:
                encoded = name.upper().encode("utf-8", "surrogatepass")
                found[encoded] = value.encode("utf-8", "surrogatepass")
        return found


def _block() -> str:
    """Give all entries, with a NUL between them."""
    call = calls()
    begin = at = call.GetEnvironmentStringsW()
    entries = []
    try:
        while begin and (entry := ctypes.wstring_at(at)):
            entries.append(entry)
            # A character beyond U+FFFF is one of Python's and two of Windows'.
            at += len(entry.encode("utf-16-le", "surrogatepass")) + 2
    finally:
        if begin:
            call.FreeEnvironmentStringsW(begin)
    return "\0".join(entries)
