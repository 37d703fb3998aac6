"""The processes that descend from this one on macOS."""

from __future__ import annotations

import time

from ...errors import ParseError
from ...formats.procargs import parse_procargs
from ..port.rows import Process
from .calls import Calls
from .layouts import (
    PROC_FLAG_EXEC,
    PROC_PIDTASKALLINFO,
    PROC_PIDTASKINFO,
    ProcTaskAllInfo,
    ProcTaskInfo,
)

_MOST_PROCESSES = 4096


def descendants(calls: Calls, pid: int, notes: list[str]) -> tuple[Process, ...]:
    """List the children and theirs, parents first; those that have ended are left out.

    Parameters
    ----------
    calls
        What libSystem is asked.
    pid
        Whose.
    notes
        Receives what is left out besides: what belongs to another user (sudo), since libproc tells
        of the user's own (xnu, bsd/kern/proc_info.c, proc_security_policy).

    Raises
    ------
    OSError
        When the children of `pid` are not told.
    """
    waiting = [(pid, child) for child in calls.children(pid)]
    found: list[Process] = []
    seen = {pid}
    while waiting and len(found) < _MOST_PROCESSES:
        parent, child = waiting.pop(0)
        if child in seen:
            continue
        seen.add(child)
        try:
            told = calls.process(child, PROC_PIDTASKALLINFO, ProcTaskAllInfo)
            found.append(_process(parent, told))
            waiting += [(child, each) for each in calls.children(child)]
        except PermissionError:
            notes.append(f"process {child} belongs to another user")
        except OSError:
            continue  # It ended meanwhile.
    if waiting:
        notes.append(f"only the first {_MOST_PROCESSES} processes are looked at")
    return tuple(found)


def _process(parent: int, told: ProcTaskAllInfo) -> Process:
    name = bytes(told.pbsd.pbi_name or told.pbsd.pbi_comm)
    return Process(
        pid=int(told.pbsd.pbi_pid),
        parent=parent,
        command=name.decode("utf-8", "replace"),
        num_threads=int(told.ptinfo.pti_threadnum),
        started=int(told.pbsd.pbi_start_tvsec * 1_000_000 + told.pbsd.pbi_start_tvusec),
        # Set by exec and not handed on by fork (kern_exec.c, exec_mach_imgact; kern_fork.c).
        forked=not told.pbsd.pbi_flags & PROC_FLAG_EXEC,
    )


def command(calls: Calls, pid: int) -> str:
    """Give a process's command line.

    Raises
    ------
    OSError
        When it has ended, or may not be read.
    """
    try:
        return " ".join(parse_procargs(calls.arguments(pid)).arguments).strip()
    except ParseError:
        return ""


def size_bytes(calls: Calls, pid: int) -> int:
    """Give the size of a process's memory, which grows with what is loaded.

    Raises
    ------
    OSError
        As `Calls.process`.
    """
    return int(calls.process(pid, PROC_PIDTASKINFO, ProcTaskInfo).pti_virtual_size)


def resident_bytes(calls: Calls, pid: int) -> int:
    """Give the resident memory of a process; raises as `size_bytes`."""
    return int(calls.process(pid, PROC_PIDTASKINFO, ProcTaskInfo).pti_resident_size)


def _cpu_s(calls: Calls, told: ProcTaskInfo) -> float | None:
    """Give the CPU time of a process, those of its threads that have ended included.

    libproc gives it in ticks of the machine's clock, of which a process that Rosetta translates is
    not told by mach_timebase_info (giampaolo/psutil, psutil/arch/osx/proc.c).
    """
    try:
        ticks_per_s = calls.number("hw.tbfrequency")
    except OSError:
        return None
    return (told.pti_total_user + told.pti_total_system) / ticks_per_s if ticks_per_s > 0 else None


def cpu_s(calls: Calls, pid: int) -> float:
    """Give the CPU time of a process; raises as `size_bytes`, and where it is not told."""
    used_s = _cpu_s(calls, calls.process(pid, PROC_PIDTASKINFO, ProcTaskInfo))
    if used_s is None:
        raise OSError("macOS does not tell the unit of CPU times to what Rosetta translates")
    return used_s


def age_s(process: Process) -> float:
    """Give how long ago a process began; the kernel keeps the time of day of its start."""
    return max(0.0, time.time() - process.started / 1e6)


class MacRelatives:
    """Lists descendants again and again; see `native.Relatives`.

    Parameters
    ----------
    calls
        What libSystem is asked.
    pid
        Whose.
    """

    unasked = 0

    def __init__(self, calls: Calls, pid: int) -> None:
        self._calls = calls
        self._pid = pid
        self._parents: dict[int, int] = {}

    def forget(self) -> None:
        """See `native.Relatives.forget`."""
        self._parents = {}

    def pids(self) -> set[int]:
        """See `native.Relatives.pids`."""
        self._parents = {each.pid: each.parent for each in descendants(self._calls, self._pid, [])}
        return set(self._parents)

    def one(self, pid: int) -> tuple[Process, float | None] | None:
        """See `native.Relatives.one`."""
        try:
            told = self._calls.process(pid, PROC_PIDTASKALLINFO, ProcTaskAllInfo)
        except OSError:
            return None
        parent = self._parents.get(pid, int(told.pbsd.pbi_ppid))
        return _process(parent, told), _cpu_s(self._calls, told.ptinfo)
