"""Child processes that have an OpenMP or BLAS runtime mapped: the workers of a pool.

Only /proc is read. A child's thread owners are found as the process's own, see `stacks`; a parent
may read its descendants' memory unless Yama forbids it to all (kernel.yama.ptrace_scope of 2 or
3, Documentation/admin-guide/LSM/Yama.rst) or the child runs as another user.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.processes import Child
from ...formats.procfs import Segments, Stat, parse_maps, parse_pids, parse_stat
from ...knowledge.catalog import family_of
from ...machine import Machine
from ...machine.native import Native
from .stacks import ThreadOwners

MOST_CHILDREN = 256
MOST_THREADS = 1000
MOST_PROCESSES = 4096
_COMMAND_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a child while its address space keeps its size."""

    start_ticks: int
    size: str
    command: str
    runtimes: tuple[tuple[str, str], ...]
    segments: Segments
    owners: ThreadOwners


class ChildProbe:
    """Finds the workers among the descendants of this process.

    Without a child a look costs one system call (1 us).

    Parameters
    ----------
    machine
        The machine to read.
    native
        Calls into this process; None where there are none.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native
        self._known: dict[int, _Known] = {}

    def look(self, home: Segments, gaps: list[Gap]) -> tuple[Child, ...]:
        """Give the workers that live now, by pid; a child that ends meanwhile is left out.

        Parameters
        ----------
        home
            Files of this process's memory.
        gaps
            Receives what could not be read, and says where the bounds cut something off.
        """
        if not self._machine.linux:
            gaps.append(Gap(what="child processes", why="they are read on Linux only"))
            return ()
        if self._machine.live and not has_child():
            self._known.clear()
            return ()
        family = self._descendants(gaps)
        if len(family) > MOST_CHILDREN:
            why = f"only the first {MOST_CHILDREN} of {len(family)} are looked at"
            gaps.append(Gap(what="child processes", why=why))
        found: list[Child] = []
        forked: dict[int, bool] = {self._machine.pid: True}
        threads = 0
        for pid, stat in list(family.items())[:MOST_CHILDREN]:
            # The worker of a fork server goes on in the memory of the server, not in ours.
            forked[pid] = stat.forked and forked.get(stat.parent, False)
            try:
                known = self._read(pid, stat, home)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except (OSError, ParseError) as error:
                gaps.append(Gap.of(f"runtimes of process {pid}", error))
                continue
            if not known.runtimes:
                continue
            threads += stat.num_threads
            found.append(
                Child(
                    pid=pid,
                    command=known.command,
                    forked=forked[pid],
                    num_os_threads=stat.num_threads,
                    pool_threads=_largest_pool(pid, known, gaps, over=threads > MOST_THREADS),
                    runtimes=tuple(name for _, name in known.runtimes),
                )
            )
        self._known = {pid: known for pid, known in self._known.items() if pid in family}
        return tuple(sorted(found, key=lambda child: child.pid))

    def _read(self, pid: int, stat: Stat, home: Segments) -> _Known:
        # The map is read again when the address space has another size: loading makes it grow.
        size = self._machine.read(f"/proc/{pid}/statm").partition(" ")[0]
        known = self._known.get(pid)
        if known is not None and (known.start_ticks, known.size) == (stat.start_ticks, size):
            return known
        text = self._machine.read(f"/proc/{pid}/maps")
        command = self._machine.read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        same = known is not None and known.start_ticks == stat.start_ticks
        known = self._known[pid] = _Known(
            start_ticks=stat.start_ticks,
            size=size,
            command=(command or stat.comm)[:_COMMAND_CHARACTERS],
            runtimes=tuple(
                (file.path, file.file_name)
                for file in parse_maps(text)
                if family_of(file.file_name) is not None
            ),
            segments=Segments(text),
            owners=known.owners
            if known is not None and same
            else ThreadOwners(self._machine, self._native, pid, home),
        )
        return known

    def _descendants(self, gaps: list[Gap]) -> dict[int, Stat]:
        """Give children and their children, parents first; those that have ended are left out."""
        try:
            return self._by_lists()
        except FileNotFoundError:
            return self._by_parents(gaps)

    def _by_lists(self) -> dict[int, Stat]:
        """Follow /proc/PID/task/TID/children, which exists with CONFIG_PROC_CHILDREN."""
        found: dict[int, Stat] = {}
        waiting = list(self._children_of("self"))
        while waiting:
            pid = waiting.pop(0)
            stat = alive_stat(self._machine, pid)
            if stat is None or pid in found:
                continue
            found[pid] = stat
            try:
                waiting += self._children_of(str(pid))
            except OSError:
                continue  # It ended meanwhile.
        return found

    def _children_of(self, process: str) -> list[int]:
        found: list[int] = []
        main = str(self._machine.pid) if process == "self" else process
        for folder in self._machine.folders(f"/proc/{process}/task"):
            try:
                text = self._machine.read(f"/proc/{process}/task/{folder}/children")
            except FileNotFoundError:
                if folder == main:
                    raise
                continue  # A thread that ended meanwhile.
            except ProcessLookupError:
                continue
            found += parse_pids(text)
        return found

    def _by_parents(self, gaps: list[Gap]) -> dict[int, Stat]:
        """Ask every process for its parent."""
        pids = sorted(int(n) for n, _ in self._machine.entries("/proc") if n.isdigit())
        if len(pids) > MOST_PROCESSES:
            why = f"of {len(pids)} processes only the {MOST_PROCESSES} last are looked at"
            gaps.append(Gap(what="child processes", why=why))
        children: dict[int, list[tuple[int, Stat]]] = {}
        for pid in pids[-MOST_PROCESSES:]:
            stat = alive_stat(self._machine, pid)
            if stat is not None:
                children.setdefault(stat.parent, []).append((pid, stat))
        found: dict[int, Stat] = {}
        waiting = [self._machine.pid]
        while waiting:
            for pid, stat in children.pop(waiting.pop(0), ()):
                found[pid] = stat
                waiting.append(pid)
        return found


def has_child() -> bool:
    """Tell whether this process has a child, living or not yet waited for.

    WNOWAIT leaves an ended child to whoever waits for it, see waitid(2).
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _largest_pool(pid: int, known: _Known, gaps: list[Gap], *, over: bool) -> int | None:
    """Give the threads of a child's largest pool, its calling thread included."""
    what = f"pools of process {pid}"
    if over:
        gaps.append(Gap(what=what, why=f"more than {MOST_THREADS} threads are not looked at"))
        return None
    workers = known.owners.workers(known.segments)
    if workers is None:
        gaps.append(Gap(what=what, why=known.owners.why or "not known"))
        return None
    return 1 + max(workers.by_path.get(path, 0) for path, _ in known.runtimes)


def probe_start_method() -> str | None:
    """Give how multiprocessing starts processes; None when it is not imported.

    Asking with ``allow_none`` does not settle the method, which asking alone does; the first of
    get_all_start_methods() is the default (documented since 3.4).
    """
    module = sys.modules.get("multiprocessing")
    try:
        if module is None:
            return None
        chosen = module.get_start_method(allow_none=True)
        return str(chosen or module.get_all_start_methods()[0])
    except (AttributeError, IndexError):
        return None  # its import is in progress


def probe_notebook() -> bool:
    """Tell whether ``__main__`` has no file that a child could import.

    As multiprocessing/spawn.py, get_preparation_data, decides: a child runs the module that
    ``__spec__`` names, else the file of ``__file__``, else nothing.
    """
    main = sys.modules.get("__main__")
    if getattr(getattr(main, "__spec__", None), "name", None) is not None:
        return False
    return not os.path.exists(str(getattr(main, "__file__", None) or ""))


def alive_stat(machine: Machine, pid: int) -> Stat | None:
    """Read a process's line; None when it has ended or may not be read."""
    try:
        stat = parse_stat(machine.read(f"/proc/{pid}/stat"))
    except (OSError, ParseError):
        return None
    return None if stat.state in "ZX" else stat
