"""What Windows says of the process, for the programs of these tests: `import inside` there.

Neither omp_magic nor psutil is asked. x86-64 has one calling convention, so that CDLL does for
Windows' own functions, and this file can be read on other systems too.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from ctypes import byref, c_char_p, c_int32, c_uint32, c_void_p, c_wchar_p
from typing import Any

INTEL = r"C:\Python311\Library\bin\libiomp5md.dll"
"""Intel's OpenMP where the wheel of intel-openmp puts it."""
SECOND = r"C:\second\libiomp5md.dll"
_RUNTIME = re.compile(r"openblas|\Wlibi?omp|vcomp|\Wmkl_", re.IGNORECASE)
_C_RUNTIME = re.compile(r"\W(ucrtbase|msvcrt|msvcr\d+)\.dll$", re.IGNORECASE)
_KERNEL = "kernel32"
_MOST_MODULES = 4096
_LONGEST = 32768


def modules() -> list[str]:
    """Give the full paths of the modules that are mapped, in the loader's order."""
    handles = (c_void_p * _MOST_MODULES)()
    size_bytes = c_uint32()
    enumerate_them = _function(_KERNEL, "K32EnumProcessModulesEx", c_int32)
    assert enumerate_them(c_void_p(-1), handles, c_uint32(8 * _MOST_MODULES), byref(size_bytes), 3)
    name_of = _function(_KERNEL, "GetModuleFileNameW", c_uint32)
    found = []
    for handle in handles[: size_bytes.value // 8]:
        text = ctypes.create_unicode_buffer(_LONGEST)
        name_of(c_void_p(handle), text, c_uint32(_LONGEST))
        found.append(text.value)
    return found


def runtimes() -> list[str]:
    """Give those that are OpenMP or BLAS runtimes, in lower case and in order."""
    return sorted(path.lower() for path in modules() if _RUNTIME.search(path))


def c_runtimes() -> list[str]:
    """Give those that are C libraries: each has variables of its own."""
    return [path for path in modules() if _C_RUNTIME.search(path)]


def environment() -> dict[str, str]:
    """Give the variables of the process, which no C library has copied."""
    block = _function(_KERNEL, "GetEnvironmentStringsW", c_void_p)()
    found, at = {}, block
    while text := ctypes.wstring_at(at):
        name, _, value = text[1:].partition("=")
        found[text[0] + name] = value
        at += len(text.encode("utf-16-le", "surrogatepass")) + 2
    _function(_KERNEL, "FreeEnvironmentStringsW", c_int32)(c_void_p(block))
    return found


def variable(name: str) -> dict[str, str | None]:
    """Give a variable as the system has it, as each C library has it, and as Python has it."""
    import os

    found = {"system": environment().get(name), "python": os.environ.get(name)}
    for path in c_runtimes():
        value = _function(path, "getenv", c_char_p)(name.encode())
        found[path.rpartition("\\")[2].lower()] = None if value is None else value.decode()
    return found


def notifications() -> int:
    """Count the functions that are told of loads: LdrRegisterDllNotification.

    The cookie of one is its node in a ring (LIST_ENTRY) with all others and the head.
    """
    register = _function("ntdll", "LdrRegisterDllNotification", c_int32)
    cookie = c_void_p()
    nobody = ctypes.cast(ctypes.CDLL(_KERNEL).GetCurrentThreadId, c_void_p)
    assert register(c_uint32(0), nobody, None, byref(cookie)) == 0
    nodes, at = 0, cookie.value
    while nodes == 0 or at != cookie.value:
        assert at is not None
        at = ctypes.cast(at, ctypes.POINTER(c_void_p))[0]
        nodes += 1
    assert _function("ntdll", "LdrUnregisterDllNotification", c_int32)(cookie) == 0
    return nodes - 2


def load(path: str) -> int:
    """Map a library by LoadLibraryW itself, which nothing of Python's sees."""
    handle = _function(_KERNEL, "LoadLibraryW", c_void_p)(c_wchar_p(path))
    assert handle, path
    return int(handle)


class _Place(ctypes.Structure):
    """ident_t: where a region stands (LLVM's kmp.h)."""

    _fields_ = (
        ("reserved_1", c_int32),
        ("flags", c_int32),
        ("reserved_2", c_int32),
        ("reserved_3", c_int32),
        ("source", c_char_p),
    )


_KEPT: list[object] = []


def parallel(library: ctypes.CDLL, threads: int) -> int:
    """Run a real parallel region with so many threads; give how many there were."""
    seen: set[int] = set()

    def note(number: Any, _bound: Any) -> None:
        seen.add(number[0])

    region = ctypes.CFUNCTYPE(None, ctypes.POINTER(c_int32), ctypes.POINTER(c_int32))(note)
    place = _Place(0, 2, 0, 0, b";unknown;unknown;0;0;;")
    library.omp_set_num_threads(threads)
    # The runtime's threads keep both.
    _KEPT.extend((place, region))
    fork: Any = library["__kmpc_fork_call"]
    fork.restype = None
    fork(byref(place), c_int32(0), ctypes.cast(region, c_void_p))
    return len(seen)


def _function(library: str, name: str, result: Any) -> Callable[..., Any]:
    # A function of its own for each call: ctypes keeps those that are attributes.
    function = ctypes.CDLL(library)[name]
    function.restype = result
    return function
