"""The descendants of a process, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.procfs import Stat, parse_pids, parse_stat
from ..port.rows import ENDED_MEANWHILE, Process

if TYPE_CHECKING:
    from ..port.door import Door

MOST_PROCESSES = 4096


def descendants_of(machine: Door, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
    """Give children and their children, parents first.

    Parameters
    ----------
    machine
        The machine to read.
    notes
        Receives what is left out.
    ended
        Whether to give zombies too, and to note what ends meanwhile.

    Raises
    ------
    OSError
        When /proc cannot be read.
    """
    try:
        if _has_many_lists(machine):
            found = _by_parents(machine, notes, ended=ended)
        else:
            found = _by_lists(machine, notes, ended=ended)
    except FileNotFoundError:
        found = _by_parents(machine, notes, ended=ended)
    return tuple(row_of(pid, stat) for pid, stat in found.items())


def row_of(pid: int, stat: Stat) -> Process:
    """Give a process's line as the port has it."""
    return Process(
        pid=pid,
        parent=stat.parent,
        command=stat.comm,
        num_threads=stat.num_threads,
        started=stat.start_ticks,
        forked=stat.forked,
        ended=stat.ended,
        kernel=stat.kernel,
    )


def has_child() -> bool:
    """Tell whether this process has a child, living or not yet waited for.

    WNOWAIT leaves an ended child to whoever waits for it, see waitid(2).
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def alive_stat(machine: Door, pid: int) -> Stat | None:
    """Read a process's line; None when it has ended or may not be read."""
    try:
        stat = parse_stat(machine.read(f"/proc/{pid}/stat"))
    except (OSError, ParseError):
        return None
    return None if stat.ended else stat


def _has_many_lists(machine: Door) -> bool:
    """Tell which way is shorter, of another process: each thread has a list of children, 10 us.

    The running process is asked beforehand whether it has a child at all (`has_child`).
    """
    if machine.live or not machine.runs:
        return False
    threads = parse_stat(machine.read("/proc/self/stat")).num_threads
    return threads > sum(name.isdigit() for name in os.listdir(machine.path("/proc")))


def _by_lists(machine: Door, notes: list[str], *, ended: bool) -> dict[int, Stat]:
    """Follow /proc/PID/task/TID/children, which exists with CONFIG_PROC_CHILDREN."""
    found: dict[int, Stat] = {}
    waiting = list(children_of(machine, "self"))
    while waiting:
        pid = waiting.pop(0)
        if pid in found:
            continue
        try:
            stat = parse_stat(machine.read(f"/proc/{pid}/stat"))
        except (OSError, ParseError) as error:
            why = _unread(machine, pid, error)
            if ended or why != ENDED_MEANWHILE:
                notes.append(f"process {pid} {why}")
            continue
        if stat.ended and not ended:
            continue
        found[pid] = stat
        try:
            waiting += children_of(machine, str(pid))
        except OSError:
            continue  # It ended meanwhile.
    return found


def _unread(machine: Door, pid: int, error: Exception) -> str:
    """Give why the line of a process in a list of children cannot be read.

    Where /proc is mounted with hidepid=2 what belongs to another user is not there at all, and
    with hidepid=1 it may not be read (proc_pid_permission in the kernel's fs/proc/base.c).
    """
    if not isinstance(error, (FileNotFoundError, ProcessLookupError)):
        return f"may not be read: {getattr(error, 'strerror', None) or error}"
    if machine.live:
        try:
            os.kill(pid, 0)  # kill(2): no signal is sent, it is only asked whether one might be
        except PermissionError:
            return "belongs to another user, and /proc hides it (hidepid)"
        except OSError:
            pass
    return ENDED_MEANWHILE


def children_of(machine: Door, process: str) -> list[int]:
    """Give the children of a process, a folder of /proc.

    Raises
    ------
    FileNotFoundError
        When the kernel keeps no such lists.
    """
    found: list[int] = []
    main = str(machine.pid) if process == "self" else process
    for folder in machine.folders(f"/proc/{process}/task"):
        try:
            text = machine.read(f"/proc/{process}/task/{folder}/children")
        except FileNotFoundError:
            if folder == main:
                raise
            continue  # A thread that ended meanwhile.
        except ProcessLookupError:
            continue
        found += parse_pids(text)
    return found


def _by_parents(machine: Door, notes: list[str], *, ended: bool) -> dict[int, Stat]:
    """Ask every process for its parent."""
    pids = sorted(int(n) for n, _ in machine.entries("/proc") if n.isdigit())
    if len(pids) > MOST_PROCESSES:
        notes.append(f"of {len(pids)} processes only the {MOST_PROCESSES} last are looked at")
    children: dict[int, list[tuple[int, Stat]]] = {}
    for pid in pids[-MOST_PROCESSES:]:
        try:
            stat = parse_stat(machine.read(f"/proc/{pid}/stat"))
        except (OSError, ParseError):
            continue
        if ended or not stat.ended:
            children.setdefault(stat.parent, []).append((pid, stat))
    found: dict[int, Stat] = {}
    waiting = [machine.pid]
    while waiting:
        for pid, stat in children.pop(waiting.pop(0), ()):
            found[pid] = stat
            waiting.append(pid)
    return found


def descended(pid: int, parents: Mapping[int, int]) -> set[int]:
    """Give the children of a process and theirs, from the parent of each process.

    Examples
    --------
    >>> sorted(descended(1, {2: 1, 3: 2, 4: 9}))
    [2, 3]
    """
    children: dict[int, list[int]] = {}
    for each, parent in parents.items():
        children.setdefault(parent, []).append(each)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        below = [each for each in children.get(waiting.pop(), ()) if each not in found]
        found.update(below)
        waiting += below
    return found
