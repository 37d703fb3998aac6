"""macOS' C functions, called by ctypes: what they give is copied, nothing of it is kept open.

All are in libSystem, which every process has. They are called through `ctypes.PyDLL`, with the GIL
held (see `native`), and none of them calls back: ``_dyld_register_func_for_add_image`` is never
used, since it cannot be taken back (dyld, include/mach-o/dyld.h). No task port but that of this
process is asked for, and no thread's port: libproc tells as much (xnu, bsd/kern/proc_info.c), so
that there are no rights to give back.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, TypeVar

from .layouts import CTL_KERN, KERN_PROCARGS2, PROC_PPID_ONLY, PROC_UID_ONLY

_Layout = TypeVar("_Layout", bound=ctypes.Structure)

_KERN_REASONS = {
    1: "KERN_INVALID_ADDRESS: nothing is mapped there",
    2: "KERN_PROTECTION_FAILURE: it may not be read",
    4: "KERN_INVALID_ARGUMENT: this system does not know the question",
}
"""osfmk/mach/kern_return.h."""
_PAGE_BYTES = 4096  # of Intel; a part of Apple silicon's 16384
_LONGEST_TEXT_BYTES = 4096
_MOST_BYTES = 64 * 1024 * 1024
_TRIES = 4


class Calls:
    """What libSystem is asked.

    Parameters
    ----------
    library
        The library that has the functions, opened with ``use_errno``; libSystem when None.

    Raises
    ------
    OSError
        When it lacks one of them.
    """

    def __init__(self, library: ctypes.PyDLL | None = None) -> None:
        found = self.library = ctypes.PyDLL(None, use_errno=True) if library is None else library
        try:
            self._task = c_uint32.in_dll(found, "mach_task_self_")
            self._read = function(
                found,
                "mach_vm_read_overwrite",
                (c_uint32, c_uint64, c_uint64, c_void_p, POINTER(c_uint64)),
            )
            self._task_info = function(
                found, "task_info", (c_uint32, c_uint32, c_void_p, POINTER(c_uint32))
            )
            self._pidinfo = function(
                found, "proc_pidinfo", (c_int, c_int, c_uint64, c_void_p, c_int)
            )
            self._listpids = function(found, "proc_listpids", (c_uint32, c_uint32, c_void_p, c_int))
            sizes = (c_void_p, POINTER(c_size_t), c_void_p, c_size_t)
            self._sysctl = function(found, "sysctl", (POINTER(c_int), c_uint32, *sizes))
            self._sysctlbyname = function(found, "sysctlbyname", (c_char_p, *sizes))
        except (AttributeError, TypeError, ValueError) as error:
            raise OSError(f"this C library lacks a function of macOS: {error}") from error

    def read(self, address: int, size_bytes: int) -> bytes:
        """Give bytes of this process's memory, as pread(2) does: fewer where they end.

        The kernel copies them; what is not mapped is KERN_INVALID_ADDRESS, where a plain pointer
        would end the process (osfmk/mach/mach_vm.defs, mach_vm_read_overwrite).

        Raises
        ------
        OSError
            When nothing can be read at `address`.
        """
        if not 0 <= address < 1 << 64 or not 0 < size_bytes <= _MOST_BYTES:
            raise OSError(f"memory cannot be read at {address:#x}, {size_bytes} bytes")
        buffer = ctypes.create_string_buffer(size_bytes)
        answer = self._copy(buffer, 0, address, size_bytes)
        if not answer:
            return buffer.raw
        # All or nothing is copied, so what may be read of it is found page by page.
        done = 0
        while done < size_bytes:
            step = min(_PAGE_BYTES - (address + done) % _PAGE_BYTES, size_bytes - done)
            if self._copy(buffer, done, address + done, step):
                break
            done += step
        if not done:
            reason = _KERN_REASONS.get(answer, f"kern_return {answer}")
            raise OSError(f"memory at {address:#x}: {reason}")
        return buffer.raw[:done]

    def _copy(self, buffer: Any, at: int, address: int, size_bytes: int) -> int:
        copied = c_uint64()
        target = ctypes.addressof(buffer) + at
        answer = self._read(self._task.value, address, size_bytes, target, byref(copied))
        return int(answer) or (0 if copied.value == size_bytes else -1)

    def text(self, address: int) -> str:
        """Give the C string at an address.

        Raises
        ------
        OSError
            When it cannot be read, or does not end.
        """
        found = b""
        while len(found) < _LONGEST_TEXT_BYTES:
            at = address + len(found)
            found += self.read(at, min(256, _PAGE_BYTES - at % _PAGE_BYTES))
            text, end, _ = found.partition(b"\0")
            if end:
                return os.fsdecode(text)
        raise OSError(f"the text at {address:#x} does not end")

    def layout(self, kind: type[_Layout], address: int) -> _Layout:
        """Read a structure from this process's memory; raises OSError as `read`."""
        data = self.read(address, ctypes.sizeof(kind))
        if len(data) < ctypes.sizeof(kind):
            raise OSError(f"memory ends inside the {kind.__name__} at {address:#x}")
        return kind.from_buffer_copy(data)

    def task(self, flavor: int, kind: type[_Layout]) -> _Layout:
        """Ask task_info of this process.

        Raises
        ------
        OSError
            When it does not answer, or with less than the whole.
        """
        found = kind()
        words = ctypes.sizeof(kind) // 4
        count = c_uint32(words)
        answer = self._task_info(self._task.value, flavor, byref(found), byref(count))
        if answer or count.value < words:
            reason = _KERN_REASONS.get(answer, f"kern_return {answer}, {count.value} words")
            raise OSError(f"task_info {flavor}: {reason}")
        return found

    def process(self, pid: int, flavor: int, kind: type[_Layout], argument: int = 0) -> _Layout:
        """Ask proc_pidinfo of a process of the same user.

        Raises
        ------
        OSError
            With the system's number: ESRCH where it has ended, EPERM for another user's.
        """
        found = kind()
        size = ctypes.sizeof(kind)
        ctypes.set_errno(0)
        if int(self._pidinfo(pid, flavor, argument, byref(found), size)) < size:
            raise system_error("proc_pidinfo")
        return found

    def threads(self, pid: int, flavor: int, expected: int) -> tuple[int, ...]:
        """Give the ids of a process's threads, or the addresses that the kernel knows them by.

        Raises
        ------
        OSError
            As `process`; when they grow faster than they can be listed.
        """

        def ask(found: Any, size_bytes: int) -> int:
            size = int(self._pidinfo(pid, flavor, 0, byref(found), size_bytes))
            if size <= 0:
                raise system_error("proc_pidinfo")
            return size

        return _listed(c_uint64, max(0, expected) + 32, ask)

    def children(self, pid: int) -> tuple[int, ...]:
        """Give the numbers of a process's children, those that have ended included.

        Raises
        ------
        OSError
            When the system does not tell, or they grow faster than they can be listed.
        """
        return self._pids(PROC_PPID_ONLY, pid)

    def of_user(self, user: int) -> tuple[int, ...]:
        """Give the numbers of a user's processes; raises OSError as `children`."""
        return tuple(sorted(pid for pid in self._pids(PROC_UID_ONLY, user) if pid))

    def _pids(self, kind: int, whose: int) -> tuple[int, ...]:
        def ask(found: Any, size_bytes: int) -> int:
            size = int(self._listpids(kind, whose, byref(found), size_bytes))
            if size <= 0 and ctypes.get_errno():
                raise system_error("proc_listpids")
            return size

        return _listed(c_int, 64, ask)

    def number(self, name: str) -> int:
        """Give a sysctl that is a number, of 4 bytes or 8.

        Raises
        ------
        OSError
            ENOENT where this machine does not have it.
        """
        data = self._by_name(name, 8)
        if len(data) not in (4, 8):
            raise OSError(f"sysctl {name} has {len(data)} bytes")
        return int.from_bytes(data, "little", signed=True)

    def word(self, name: str) -> str:
        """Give a sysctl that is a text; raises OSError as `number`."""
        return os.fsdecode(self._by_name(name, 256).partition(b"\0")[0])

    def _by_name(self, name: str, room: int) -> bytes:
        buffer = ctypes.create_string_buffer(room)
        size = c_size_t(room)
        ctypes.set_errno(0)
        if self._sysctlbyname(name.encode(), buffer, byref(size), None, 0):
            raise system_error(f"sysctl {name}")
        return buffer.raw[: min(size.value, room)]

    def arguments(self, pid: int) -> bytes:
        """Give what the kernel keeps of a process's start (KERN_PROCARGS2).

        Its size is asked for first: a buffer that is too small gets the end, not the beginning
        (bsd/kern/kern_sysctl.c, sysctl_procargsx).

        Raises
        ------
        OSError
            When it may not be read, or has ended.
        """
        which = (c_int * 3)(CTL_KERN, KERN_PROCARGS2, pid)
        size = c_size_t()
        ctypes.set_errno(0)
        if self._sysctl(which, 3, None, byref(size), None, 0):
            raise system_error("sysctl KERN_PROCARGS2")
        if not 0 < size.value <= _MOST_BYTES:
            raise OSError(f"sysctl KERN_PROCARGS2 has {size.value} bytes")
        buffer = ctypes.create_string_buffer(size.value)
        if self._sysctl(which, 3, buffer, byref(size), None, 0):
            raise system_error("sysctl KERN_PROCARGS2")
        return buffer.raw[: size.value]


def function(
    library: ctypes.PyDLL, name: str, arguments: tuple[Any, ...], result: Any = c_int
) -> Any:
    """Give a function of a library with its types; raises AttributeError where it has none."""
    found = library[name]  # not by attribute: those are shared with whoever else asks
    found.argtypes = arguments
    found.restype = result
    return found


def _listed(kind: Any, room: int, ask: Callable[[Any, int], int]) -> tuple[int, ...]:
    """Give a list that the kernel writes as far as there is room, not saying whether it is all."""
    for _ in range(_TRIES):
        found = (kind * room)()
        ctypes.set_errno(0)
        size = ask(found, ctypes.sizeof(found))
        if size < ctypes.sizeof(found):
            return tuple(found[: max(0, size) // ctypes.sizeof(kind)])
        room *= 8
    raise OSError(f"more than {room // 8} entries, and more each time")


def system_error(what: str) -> OSError:
    """Give the error of a call that has set errno."""
    number = ctypes.get_errno()
    if not number:
        return OSError(f"{what} gave no answer")
    return OSError(number, f"{what}: {os.strerror(number)}")
