"""The descendants of this process and the CPUs they use, cheap enough for once a second."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.processes import descendants
from ...facts.ticks import ChildTick
from ...formats.procfs import Stat, parse_pids
from ...machine import Machine
from ..threads.children import alive_stat, has_child
from .pace import Pace

MOST_CHILDREN = 50
MOST_NEW = 1000
"""Processes that are asked for their parent at one look: 10 us each."""

_WHAT = "child processes"
_COMMAND_CHARACTERS = 160


@dataclass(slots=True)
class _Member:
    """One descendant at the look before."""

    start_ticks: int
    name: tuple[str, bool] | None
    command: str
    at_s: float
    cpu_s: float | None


class Family:
    """Follows the descendants of this process from look to look.

    Without a child a look costs one system call. Their parents are asked anew as often as the
    `Pace` allows; in between a new child goes unseen.

    Parameters
    ----------
    machine
        The machine to read.
    plain
        The same, its reads giving the GIL away: a command line lies in the memory of another
        process, which may have to be read from disk.
    """

    def __init__(self, machine: Machine, plain: Machine) -> None:
        self._machine = machine
        self._plain = plain
        self._pace = Pace()
        self._pids: list[int] = []
        self._members: dict[int, _Member] = {}
        self._has_lists = True
        # By pid and inode of its folder, of every process: its parent, 0 when it may not be asked.
        self._parents: dict[tuple[int, int], int] = {}
        self._unasked = 0
        self._fault: Gap | None = None

    def look(self, now_s: float, gaps: list[Gap]) -> tuple[ChildTick, ...]:
        """Give the descendants that live now, by pid.

        Parameters
        ----------
        now_s
            A clock that never goes back.
        gaps
            Receives what cannot be read, or is not looked at.
        """
        if not self._machine.linux:
            gaps.append(Gap(what=_WHAT, why="they are read on Linux only"))
            return ()
        if self._machine.live and not has_child():
            self._pids, self._members, self._parents, self._unasked = [], {}, {}, 0
            return ()
        if self._pace.may(now_s):
            self._fault = None
            try:
                self._pids = sorted(self._descendants())
            except (OSError, ParseError) as error:
                self._fault = Gap.of(_WHAT, error)
            self._pace.done(now_s)
        if self._fault is not None:
            gaps.append(self._fault)
        if self._unasked:
            why = f"{self._unasked} processes have not been asked yet for their parent"
            gaps.append(Gap(what=_WHAT, why=why))
        if len(self._pids) > MOST_CHILDREN:
            why = f"only the first {MOST_CHILDREN} of {len(self._pids)} are looked at"
            gaps.append(Gap(what=_WHAT, why=why))
        before, self._members = self._members, {}
        found = (self._tick(pid, before, now_s) for pid in self._pids[:MOST_CHILDREN])
        return tuple(tick for tick in found if tick is not None)

    def _tick(self, pid: int, before: dict[int, _Member], now_s: float) -> ChildTick | None:
        stat = alive_stat(self._machine, pid)
        if stat is None:
            return None
        then = before.get(pid)
        if then is not None and then.start_ticks != stat.start_ticks:
            then = None
        # The name and this flag change when it starts another program.
        name = stat.comm, stat.forked
        text = then.command if then is not None and then.name == name else self._command(pid)
        # In the middle of an exec there is none (get_mm_cmdline in fs/proc/base.c): ask again.
        kept = name if text else None
        cpu_s = _cpu_s(pid, stat, live=self._machine.live)
        self._members[pid] = _Member(stat.start_ticks, kept, text, now_s, cpu_s)
        cpus = None
        if then is not None and then.cpu_s is not None and cpu_s is not None and now_s > then.at_s:
            cpus = max(0.0, cpu_s - then.cpu_s) / (now_s - then.at_s)
        command = text or _shown(stat.comm)
        return ChildTick(pid=pid, command=command, num_os_threads=stat.num_threads, cpus=cpus)

    def _command(self, pid: int) -> str:
        try:
            return _shown(self._plain.read(f"/proc/{pid}/cmdline"))
        except OSError:
            return ""

    def _descendants(self) -> set[int]:
        if self._has_lists:
            try:
                return self._by_lists()
            except FileNotFoundError:
                self._has_lists = False
        return self._by_parents()

    def _by_lists(self) -> set[int]:
        """Follow /proc/PID/task/TID/children, which exists with CONFIG_PROC_CHILDREN."""
        found: set[int] = set()
        waiting = ["self"]
        while waiting:
            process = waiting.pop()
            for pid in self._children_of(process):
                if pid not in found:
                    found.add(pid)
                    waiting.append(str(pid))
        return found

    def _children_of(self, process: str) -> list[int]:
        main = str(self._machine.pid) if process == "self" else ""
        found: list[int] = []
        try:
            for task, _ in self._machine.entries(f"/proc/{process}/task"):
                try:
                    text = self._machine.read(f"/proc/{process}/task/{task}/children")
                except (FileNotFoundError, ProcessLookupError):
                    if task == main:
                        raise
                    continue  # A thread that ended meanwhile.
                found += parse_pids(text)
        except OSError:
            if main:
                raise
            # The child ended meanwhile, or belongs to another user.
        return found

    def _by_parents(self) -> set[int]:
        """Ask every process for its parent, once as long as that parent lives."""
        processes = [
            (int(name), inode) for name, inode in self._machine.entries("/proc") if name.isdigit()
        ]
        alive = {pid for pid, _ in processes}
        known = self._parents
        # A process whose parent ended has another one; ours are asked again, they may be moved.
        ours = set(self._pids)
        self._parents = {
            key: known[key]
            for key in processes
            if key in known and key[0] not in ours and (known[key] in alive or not known[key])
        }
        new = sorted((key for key in processes if key not in self._parents), reverse=True)
        self._unasked = max(0, len(new) - MOST_NEW)
        for key in new[:MOST_NEW]:
            stat = alive_stat(self._machine, key[0])
            self._parents[key] = stat.parent if stat is not None else 0
        return descendants(
            self._machine.pid, {pid: parent for (pid, _), parent in self._parents.items()}
        )


def _shown(text: str) -> str:
    short = text[: _COMMAND_CHARACTERS + 1].replace("\0", " ").strip()[:_COMMAND_CHARACTERS]
    return short.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _cpu_s(pid: int, stat: Stat, *, live: bool) -> float | None:
    """Give the CPU time of a process.

    Its clock is in ns (clock_getcpuclockid(3); CPUCLOCK_SCHED in the kernel's
    include/linux/posix-timers_types.h), its line in /proc in steps of 10 ms.
    """
    if live:
        try:
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            return None
    return (stat.user_ticks + stat.system_ticks) / os.sysconf("SC_CLK_TCK")
