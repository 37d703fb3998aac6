"""Threads on Windows: Toolhelp's list, their times, and where each one began."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from ...formats.procfs import Segments
from ..port.rows import ThreadRow
from .calls import calls, failed

_THREADS = 4
_QUERY_THREAD = 0x0040
_START_ADDRESS = 9
_STILL_ACTIVE = 259
_INVALID = ctypes.c_void_p(-1).value
HUNDREDS_OF_NS = 100


class _ThreadEntry(ctypes.Structure):
    """THREADENTRY32 of tlhelp32.h."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("usage", ctypes.c_uint32),
        ("tid", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("base_priority", ctypes.c_int32),
        ("delta_priority", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
    )


@contextmanager
def snapshot(what: int) -> Iterator[object]:
    """Give one of Toolhelp's lists.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    call = calls()
    handle = call.CreateToolhelp32Snapshot(what, 0)
    if not handle or handle == _INVALID:
        raise failed("CreateToolhelp32Snapshot")
    try:
        yield handle
    finally:
        call.CloseHandle(handle)


def thread_ids(pid: int) -> tuple[int, ...]:
    """Give the ids of a process's threads, in the system's order: the first one began first.

    Raises
    ------
    OSError
        When they cannot be listed.
    """
    call = calls()
    found = []
    with snapshot(_THREADS) as handle:
        entry = _ThreadEntry(size=ctypes.sizeof(_ThreadEntry))
        more = call.Thread32First(handle, ctypes.byref(entry))
        while more:
            if entry.pid == pid:
                found.append(int(entry.tid))
            more = call.Thread32Next(handle, ctypes.byref(entry))
    return tuple(found)


@contextmanager
def _thread(tid: int) -> Iterator[object]:
    """Open a thread to be asked.

    Raises
    ------
    OSError
        When it has ended, or may not be asked.
    """
    call = calls()
    handle = call.OpenThread(_QUERY_THREAD, 0, tid)
    if not handle:
        raise failed("OpenThread")
    try:
        yield handle
    finally:
        call.CloseHandle(handle)


def times_of(function: str, handle: object) -> tuple[int, int]:
    """Give when something began, and its CPU time, both in 100 ns."""
    created, ended, kernel, user = (ctypes.c_uint64() for _ in range(4))
    if not getattr(calls(), function)(handle, *map(ctypes.byref, (created, ended, kernel, user))):
        raise failed(function)
    return created.value, kernel.value + user.value


def thread_clock(tid: int) -> tuple[int, int]:
    """Give when a thread began, a number, and its CPU time in ns.

    Windows adds to a thread's time at each tick of its clock, 15.6 ms as a rule, the whole tick to
    whoever runs then.

    Raises
    ------
    OSError
        When it has ended.
    """
    with _thread(tid) as handle:
        created, used = times_of("GetThreadTimes", handle)
    return created, used * HUNDREDS_OF_NS


def thread_name(tid: int) -> str:
    """Give the description that a thread was given, "" when none or not known (Windows 10 on).

    Raises
    ------
    OSError
        When it has ended.
    """
    call = calls()
    text = ctypes.c_void_p()
    with _thread(tid) as handle:
        if call.GetThreadDescription(handle, ctypes.byref(text)) < 0 or not text.value:
            return ""
    try:
        return ctypes.wstring_at(text.value)
    finally:
        call.LocalFree(text)


def is_alive(tid: int) -> bool:
    """Tell whether a thread still runs."""
    code = ctypes.c_uint32()
    with suppress(OSError), _thread(tid) as handle:
        calls().GetExitCodeThread(handle, ctypes.byref(code))
    return code.value == _STILL_ACTIVE


def thread_rows(pid: int) -> tuple[ThreadRow, ...]:
    """List a process's threads with their names and CPU times."""
    rows = []
    for tid in thread_ids(pid):
        try:
            cpu_s = thread_clock(tid)[1] / 1e9
            rows.append(ThreadRow(tid, name=_name(tid), cpu_s=cpu_s))
        except OSError:
            continue  # it has ended meanwhile
    return tuple(rows)


def _name(tid: int) -> str:
    try:
        return thread_name(tid)
    except OSError:
        return ""  # Windows before 10, or it has just ended


def clocks(pid: int, left_out: Collection[int]) -> dict[int, int]:
    """Give the CPU time in ns of each thread of a process."""
    found = {}
    for tid in thread_ids(pid):
        if tid not in left_out:
            with suppress(OSError):
                found[tid] = thread_clock(tid)[1]
    return found


class WindowsStarts:
    """Where the threads of a process began; see `native.Starts`.

    NtQueryInformationThread gives the function that a thread was made with. It lies in the library
    that made it (OpenBLAS, libiomp5md, vcomp140), or, for _beginthreadex, in the C runtime.
    """

    def __init__(self, pid: int, *, own: bool) -> None:
        self._pid = pid
        self._own = own
        self._ids: tuple[int, ...] = ()

    @property
    def main(self) -> int:
        """The first thread."""
        if self._own:
            return threading.main_thread().native_id or 0
        return self._ids[0] if self._ids else 0

    def settle(self) -> None:
        """See `native.Starts.settle`: no symbol is needed."""

    def listed(self) -> list[tuple[str, int]]:
        """Give each thread's id, and when it began."""
        self._ids = thread_ids(self._pid)
        found = []
        for tid in self._ids:
            with suppress(OSError):
                found.append((str(tid), thread_clock(tid)[0]))
        return found

    def find(self, wanted: set[int], segments: Segments) -> dict[int, tuple[int, int] | None]:
        """See `native.Starts.find`; the argument is not told."""
        del segments
        call = calls()
        found: dict[int, tuple[int, int] | None] = {}
        address = ctypes.c_void_p()
        for tid in wanted:
            try:
                with _thread(tid) as handle:
                    status = call.NtQueryInformationThread(
                        handle, _START_ADDRESS, ctypes.byref(address),
                        ctypes.sizeof(address), None,
                    )  # fmt: skip
            except OSError:
                found[tid] = None
                continue
            if status == 0 and address.value:
                found[tid] = address.value, 0
        return found
