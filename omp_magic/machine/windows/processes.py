"""Processes on Windows: Toolhelp's list, command lines, CPU times."""

from __future__ import annotations

import ctypes
import time
from contextlib import suppress

from ..port.rows import Process
from .calls import calls
from .modules import opened
from .threads import HUNDREDS_OF_NS, snapshot, times_of

_PROCESSES = 2
QUERY_PROCESS = 0x1000
_COMMAND_LINE = 60
_FILETIME_EPOCH_S = 11_644_473_600
"""From 1601 to 1970."""


class _ProcessEntry(ctypes.Structure):
    """PROCESSENTRY32W of tlhelp32.h."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("usage", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("heap", ctypes.c_size_t),
        ("module", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("priority", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("exe", ctypes.c_wchar * 260),
    )


def every() -> tuple[Process, ...]:
    """List all processes, without what tells them from later ones.

    Raises
    ------
    OSError
        When they cannot be listed.
    """
    call = calls()
    found = []
    with snapshot(_PROCESSES) as handle:
        entry = _ProcessEntry(size=ctypes.sizeof(_ProcessEntry))
        more = call.Process32FirstW(handle, ctypes.byref(entry))
        while more:
            numbers = int(entry.pid), int(entry.parent)
            found.append(Process(*numbers, str(entry.exe), int(entry.threads), 0))
            more = call.Process32NextW(handle, ctypes.byref(entry))
    return tuple(found)


def descendants(pid: int) -> tuple[Process, ...]:
    """Give the children of a process and theirs, parents first.

    A process keeps the number of a parent that has ended, and that number may be another's by
    now: one that began before its parent is none of its children.

    Raises
    ------
    OSError
        When processes cannot be listed.
    """
    rows: dict[int, list[tuple[int, int, str]]] = {}
    for each in every():
        rows.setdefault(each.parent, []).append((each.pid, each.num_threads, each.command))
    found: dict[int, Process] = {}
    began = {pid: _began(pid)}
    waiting = [pid]
    while waiting:
        parent = waiting.pop(0)
        for child, threads, exe in rows.pop(parent, ()):
            started = _began(child)
            if child in found or child == pid or started < began[parent]:
                continue
            began[child] = started
            found[child] = Process(child, parent, exe, threads, started)
            waiting.append(child)
    return tuple(found.values())


def _began(pid: int) -> int:
    with suppress(OSError), opened(pid, QUERY_PROCESS) as handle:
        return times_of("GetProcessTimes", handle)[0]
    return 0


class _Text(ctypes.Structure):
    """UNICODE_STRING of winternl.h."""

    _fields_ = (
        ("length_bytes", ctypes.c_uint16),
        ("most_bytes", ctypes.c_uint16),
        ("buffer", ctypes.c_void_p),
    )


def command_line(pid: int) -> str:
    """Give a process's command line; "" when Windows does not tell it (before 8.1).

    Raises
    ------
    OSError
        When it has ended, or may not be asked.
    """
    size = ctypes.c_uint32()
    with opened(pid, QUERY_PROCESS) as handle:
        buffer = ctypes.create_string_buffer(65536 + ctypes.sizeof(_Text))
        status = calls().NtQueryInformationProcess(
            handle, _COMMAND_LINE, buffer, len(buffer), ctypes.byref(size)
        )
    if status:
        return ""
    text = _Text.from_buffer(buffer)
    return ctypes.wstring_at(text.buffer, text.length_bytes // 2) if text.buffer else ""


def cpu_s_of(pid: int | None = None) -> float:
    """Give the CPU time of a process in s.

    Raises
    ------
    OSError
        When it has ended, or may not be asked.
    """
    with opened(pid, QUERY_PROCESS) as handle:
        return times_of("GetProcessTimes", handle)[1] * HUNDREDS_OF_NS / 1e9


def age_s(process: Process) -> float:
    """Give how long ago a process began: a FILETIME counts from the year 1601.

    Raises
    ------
    OSError
        When Windows did not tell when it began.
    """
    if not process.started:
        raise OSError("Windows does not tell when it began")
    return max(0.0, time.time() + _FILETIME_EPOCH_S - process.started * HUNDREDS_OF_NS / 1e9)


class WindowsRelatives:
    """Lists descendants again and again; see `native.Relatives`."""

    unasked = 0

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._rows: dict[int, Process] = {}

    def forget(self) -> None:
        """See `native.Relatives.forget`."""
        self._rows = {}

    def pids(self) -> set[int]:
        """See `native.Relatives.pids`."""
        self._rows = {each.pid: each for each in descendants(self._pid)}
        return set(self._rows)

    def one(self, pid: int) -> tuple[Process, float | None] | None:
        """See `native.Relatives.one`; its threads are those of the last list."""
        row = self._rows.get(pid)
        if row is None:
            return None
        try:
            return row, cpu_s_of(pid)
        except OSError:
            return None
