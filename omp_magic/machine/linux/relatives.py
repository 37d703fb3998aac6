"""The descendants of a process, read from /proc again and again: cheap enough for once a second."""

from __future__ import annotations

from ...errors import ParseError
from ...formats.procfs import parse_pids
from ..port.door import Door
from ..port.rows import Process
from .clocks import cpu_s
from .lineage import alive_stat, descended, row_of

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
        try:
            used_s: float | None = cpu_s(self._machine, pid)
        except (OSError, ParseError):
            used_s = None
        return row_of(pid, stat), used_s

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
