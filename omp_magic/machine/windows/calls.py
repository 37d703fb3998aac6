"""The functions of Windows that are asked, with their types: learn.microsoft.com has each.

They are called by `ctypes.PyDLL`, which keeps the GIL: a look makes hundreds of calls of a
microsecond, and giving the GIL away at each would wait 5 ms for it beside a loop of Python code.
None of those takes the loader's lock, which a thread that waits for the GIL might hold. The two
that do (`_LOCKING`; Wine's dlls/ntdll/loader.c) give the GIL away.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

Handle = ctypes.c_void_p
Dword = ctypes.c_uint32
Wide = ctypes.c_wchar_p
_At = ctypes.c_void_p
_int = ctypes.c_int32

_KERNEL32: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "GetCurrentProcess": (Handle, ()),
    "OpenProcess": (Handle, (Dword, _int, Dword)),
    "OpenThread": (Handle, (Dword, _int, Dword)),
    "CloseHandle": (_int, (Handle,)),
    "K32EnumProcessModulesEx": (_int, (Handle, _At, Dword, _At, Dword)),
    "K32GetModuleFileNameExW": (Dword, (Handle, Handle, _At, Dword)),
    "K32GetModuleInformation": (_int, (Handle, Handle, _At, Dword)),
    "K32GetProcessMemoryInfo": (_int, (Handle, _At, Dword)),
    "GetLongPathNameW": (Dword, (Wide, _At, Dword)),
    "GetSystemWindowsDirectoryW": (Dword, (_At, Dword)),
    "ReadProcessMemory": (_int, (Handle, _At, _At, ctypes.c_size_t, _At)),
    "VirtualAlloc": (_At, (_At, ctypes.c_size_t, Dword, Dword)),
    "VirtualProtect": (_int, (_At, ctypes.c_size_t, Dword, _At)),
    "GetEnvironmentVariableW": (Dword, (Wide, _At, Dword)),
    "SetEnvironmentVariableW": (_int, (Wide, Wide)),
    "GetEnvironmentStringsW": (_At, ()),
    "FreeEnvironmentStringsW": (_int, (_At,)),
    "CreateToolhelp32Snapshot": (Handle, (Dword, Dword)),
    "Thread32First": (_int, (Handle, _At)),
    "Thread32Next": (_int, (Handle, _At)),
    "Process32FirstW": (_int, (Handle, _At)),
    "Process32NextW": (_int, (Handle, _At)),
    "GetThreadTimes": (_int, (Handle, _At, _At, _At, _At)),
    "GlobalMemoryStatusEx": (_int, (_At,)),
    "GetSystemTimes": (_int, (_At, _At, _At)),
    "GetProcessTimes": (_int, (Handle, _At, _At, _At, _At)),
    "GetExitCodeThread": (_int, (Handle, _At)),
    "GetThreadDescription": (ctypes.c_int32, (Handle, _At)),
    "LocalFree": (Handle, (Handle,)),
    "GetProcessAffinityMask": (_int, (Handle, _At, _At)),
    "GetActiveProcessorCount": (Dword, (ctypes.c_uint16,)),
    "GetProcessGroupAffinity": (_int, (Handle, _At, _At)),
    "GetProcessDefaultCpuSets": (_int, (Handle, _At, Dword, _At)),
    "GetLogicalProcessorInformationEx": (_int, (Dword, _At, _At)),
    "IsProcessInJob": (_int, (Handle, Handle, _At)),
    "QueryInformationJobObject": (_int, (Handle, Dword, _At, Dword, _At)),
}
_NTDLL: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "NtQueryInformationThread": (ctypes.c_int32, (Handle, Dword, _At, Dword, _At)),
    "NtQueryInformationProcess": (ctypes.c_int32, (Handle, Dword, _At, Dword, _At)),
}
_LOCKING: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "LdrRegisterDllNotification": (ctypes.c_int32, (Dword, _At, _At, _At)),
    "LdrUnregisterDllNotification": (ctypes.c_int32, (_At,)),
}


class Calls:
    """The functions, each found when it is first asked for.

    Raises
    ------
    OSError
        When this Windows lacks a function (Wine 8 has no GetProcessDefaultCpuSets).
    """

    def __init__(self) -> None:
        self._libraries = (
            (ctypes.PyDLL("kernel32", use_last_error=True), _KERNEL32),
            (ctypes.PyDLL("ntdll", use_last_error=True), _NTDLL),
            (ctypes.CDLL("ntdll"), _LOCKING),
        )

    def __getattr__(self, name: str) -> Any:
        for library, table in self._libraries:
            if name in table:
                try:
                    function = getattr(library, name)
                except AttributeError:
                    raise OSError(f"this Windows has no {name}") from None
                function.restype, function.argtypes = table[name]
                setattr(self, name, function)
                return function
        raise AttributeError(name)


@lru_cache(maxsize=1)
def calls() -> Calls:
    """Give the functions, the same object each time."""
    return Calls()


def failed(function: str) -> OSError:
    """Give the error of the call that has just failed."""
    code = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]  # Windows has it
    return OSError(code, f"{function} failed with error {code}")
