"""Which modules a Windows process has loaded: the list is read as debuggers read it, by the PEB.

Nothing here takes the loader's lock.
"""

from __future__ import annotations

import ctypes
import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..port.rows import Memory
from .calls import Handle, calls, failed

_ALL_MODULES = 3
_LONGEST_PATH = 32768
_QUERY_AND_READ = 0x0410
_MOST_STEPS = 20_000
_PEB_LOADER, _LOADER_LIST = 0x18, 0x10
_ENTRY_BYTES, _ENTRY_BASE, _ENTRY_NAME = 0x68, 0x30, 0x48


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module: where it lies, and its file, with ``/`` between the parts of its path."""

    base: int
    size_bytes: int
    path: str

    @property
    def name(self) -> str:
        """What the loader tells modules apart by."""
        return self.path.rpartition("/")[2].lower()


class _Info(ctypes.Structure):
    """MODULEINFO of psapi.h."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("size", ctypes.c_uint32),
        ("entry", ctypes.c_void_p),
    )


@contextmanager
def opened(process: int | None, rights: int = _QUERY_AND_READ) -> Iterator[object]:
    """Open another process, or give the handle of this one.

    Raises
    ------
    OSError
        When it has ended, or may not be opened.
    """
    call = calls()
    if process is None:
        yield call.GetCurrentProcess()
        return
    handle = call.OpenProcess(rights, 0, process)
    if not handle:
        raise failed("OpenProcess")
    try:
        yield handle
    finally:
        call.CloseHandle(handle)


def loaded_modules(process: int | None = None) -> tuple[Module, ...]:
    """Give the modules of a process in the order of loading, the program first.

    One that is unloaded meanwhile is left out.

    Raises
    ------
    OSError
        When they cannot be listed.
    """
    with opened(process) as handle:
        if ctypes.sizeof(Handle) == 8:
            return _listed(handle)
        return tuple(_enumerated(handle))


def _listed(handle: object) -> tuple[Module, ...]:
    """Follow the loader's list as psapi does, which does it anew for each module it is asked about.

    With 200 modules that was 2.7 s in Wine, and this is 10 ms.
    """
    basic = ctypes.create_string_buffer(48)
    status = calls().NtQueryInformationProcess(handle, 0, basic, len(basic), None)
    if status:
        raise OSError(f"NtQueryInformationProcess gave {status & 0xFFFFFFFF:#x}")
    (peb,) = struct.unpack_from("<Q", basic.raw, 8)
    read = reader(handle)
    (loader,) = struct.unpack("<Q", read(peb + _PEB_LOADER, 8))
    return follow(read, loader + _LOADER_LIST)


def follow(read: Memory, head: int) -> tuple[Module, ...]:
    """Follow a list of modules, which is a ring, while others change it.

    winternl.h has PEB_LDR_DATA and LDR_DATA_TABLE_ENTRY; the offsets are those of every 64-bit
    Windows. The loader's lock is not held, so an entry may be taken out and freed under the
    reader, and its memory be anything by then. So each one must point back to the one that led to
    it; where it does not, the reader goes on from the last one that still stands where it stood.
    What is loaded comes last, so that these are few steps.

    Raises
    ------
    OSError
        When it cannot be read, or does not end.
    """
    path = [(head, 0)]
    found: list[Module | None] = [None]
    at, _ = _links(read, head)
    for _ in range(_MOST_STEPS):
        last = path[-1][0]
        with suppress(OSError, ValueError, struct.error):
            if at == head:
                if _links(read, head)[1] == last:
                    return tuple(each for each in found if each is not None)
            else:
                entry = read(at, _ENTRY_BYTES)
                following, back = struct.unpack_from("<QQ", entry)
                if back == last:
                    found.append(_module(read, entry))
                    path.append((at, last))
                    at = following
                    continue
        at = _stepped_back(read, path, found)
    raise OSError("the loader's list of modules does not end, or changes all the time")


def _stepped_back(read: Memory, path: list[tuple[int, int]], found: list[Module | None]) -> int:
    """Drop what no longer stands where it stood; give what follows the last one that does."""
    while len(path) > 1:
        path.pop()
        found.pop()
        at, before = path[-1]
        with suppress(OSError, struct.error):
            following, back = _links(read, at)
            if len(path) == 1 or back == before:
                return following
    return _links(read, path[0][0])[0]


def _links(read: Memory, at: int) -> tuple[int, int]:
    """Give what follows an entry, and what stands before it (LIST_ENTRY)."""
    following, before = struct.unpack("<QQ", read(at, 16))
    return following, before


def _module(read: Memory, entry: bytes) -> Module | None:
    """Give the module of an entry; None for one that has no place, or no name."""
    base, _, size = struct.unpack_from("<QQI", entry, _ENTRY_BASE)
    length, _, _, text = struct.unpack_from("<HHIQ", entry, _ENTRY_NAME)
    if not base or not length:
        return None
    path = read(text, length).decode("utf-16-le", "surrogatepass")
    if path[:1] != "\\" and path[1:2] != ":":
        raise ValueError(f"{path!r} is no full path")
    return Module(base, size, _plain(path))


def _enumerated(handle: object) -> Iterator[Module]:
    """Ask psapi, where this process has 32 bits."""
    call = calls()
    info = _Info()
    buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
    for base in _bases(handle):
        size = call.K32GetModuleFileNameExW(handle, base, buffer, _LONGEST_PATH)
        if size and call.K32GetModuleInformation(
            handle, base, ctypes.byref(info), ctypes.sizeof(info)
        ):
            yield Module(base, info.size, _plain(buffer.value))


def _bases(handle: object) -> list[int]:
    number = 512
    while True:
        array = (Handle * number)()
        needed = ctypes.c_uint32()
        size = ctypes.sizeof(array)
        if not calls().K32EnumProcessModulesEx(
            handle, array, size, ctypes.byref(needed), _ALL_MODULES
        ):
            raise failed("EnumProcessModulesEx")
        if needed.value <= size:
            return [base for base in array[: needed.value // ctypes.sizeof(Handle)] if base]
        number = needed.value // ctypes.sizeof(Handle) + 64


def module_bases() -> tuple[int, ...]:
    """Give where the modules of this process lie."""
    return tuple(_bases(calls().GetCurrentProcess()))


def _plain(path: str) -> str:
    r"""Give a path without the prefix for long ones (``\\?\``), whole and with ``/``."""
    if "~" in path:
        buffer = ctypes.create_unicode_buffer(_LONGEST_PATH)
        if calls().GetLongPathNameW(path, buffer, _LONGEST_PATH):
            path = buffer.value
    if path.startswith("\\\\?\\UNC\\"):
        path = "\\\\" + path[8:]
    return path.removeprefix("\\\\?\\").replace("\\", "/")


def reader(handle: object) -> Memory:
    """Give a reader of a process's memory; what is not mapped there is an OSError."""
    read = calls().ReadProcessMemory

    def read_memory(address: int, size_bytes: int) -> bytes:
        data = ctypes.create_string_buffer(size_bytes)
        done = ctypes.c_size_t()
        if not read(handle, address, data, size_bytes, ctypes.byref(done)):
            raise failed("ReadProcessMemory")
        return data.raw[: done.value]

    return read_memory


class Modules:
    """The modules of this process by address and by name, as of one moment."""

    def __init__(self, modules: tuple[Module, ...]) -> None:
        self.all = modules
        self._sorted = sorted(modules, key=lambda each: each.base)
        self._bases = [each.base for each in self._sorted]
        self.by_name: dict[str, Module] = {}
        self.by_path: dict[str, Module] = {}
        for each in modules:
            # A bare name means the first module that has it.
            self.by_name.setdefault(each.name, each)
            self.by_path.setdefault(each.path.lower(), each)

    def at(self, address: int) -> Module | None:
        """Give the module that holds an address."""
        index = bisect_right(self._bases, address) - 1
        found = self._sorted[index] if index >= 0 else None
        return found if found is not None and address < found.base + found.size_bytes else None

    def called(self, name: str) -> Module | None:
        """Give the module of a path, or the first of a base name."""
        name = name.replace("\\", "/").lower()
        if "/" in name:
            return self.by_path.get(name)
        return self.by_name.get(name if "." in name else f"{name}.dll")
