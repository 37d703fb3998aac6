"""The descendants of a process, read from /proc again and again: cheap enough for once a second."""

from __future__ import annotations

import time

from ...formats.procfs import Stat, parse_pids
from ..port.door import Door
from ..port.rows import Process
from .lineage import alive_stat, descended
from .units import ticks_per_s

MOST_NEW = 1000
"""Processes that are asked for their parent at one look: 10 us each."""


class LinuxRelatives:
    """Keeps what is known of all processes; see `native.Relatives`."""

    def __init__(self, machine: Door) -> None:
        self._machine = machine
        self._has_lists = True
        # By pid and inode of its folder, of every process: its parent, 0 when it may not be asked.
        self._parents: dict[tuple[int, int], int] = {}
        self._pids: set[int] = set()
        self.unasked = 0

    def forget(self) -> None:
        """See `native.Relatives.forget`."""
        self._parents, self._pids, self.unasked = {}, set(), 0

    def one(self, pid: int) -> tuple[Process, float | None] | None:
        """See `native.Relatives.one`."""
        stat = alive_stat(self._machine, pid)
        if stat is None:
            return None
        row = Process(pid, stat.parent, stat.comm, stat.num_threads, stat.start_ticks, stat.forked)
        return row, _cpu_s(pid, stat, live=self._machine.live)

    def pids(self) -> set[int]:
        """See `native.Relatives.pids`."""
        self._pids = self._found()
        return self._pids

    def _found(self) -> set[int]:
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
        self.unasked = max(0, len(new) - MOST_NEW)
        for key in new[:MOST_NEW]:
            stat = alive_stat(self._machine, key[0])
            self._parents[key] = stat.parent if stat is not None else 0
        return descended(
            self._machine.pid, {pid: parent for (pid, _), parent in self._parents.items()}
        )


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
    return (stat.user_ticks + stat.system_ticks) / ticks_per_s()
