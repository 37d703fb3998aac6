"""Child processes that have an OpenMP or BLAS runtime mapped: the workers of a pool.

A child's thread owners are found as the process's own, see `stacks`; on Linux a parent
may read its descendants' memory unless Yama forbids it to all (kernel.yama.ptrace_scope of 2 or
3, Documentation/admin-guide/LSM/Yama.rst) or the child runs as another user. Windows lets the
same user read it, macOS debuggers alone.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.processes import Child
from ...formats.procfs import Mapped, Segments
from ...knowledge.catalog import family_of
from ...knowledge.started_by import helper_of
from ...machine import Machine
from ...machine.port.native import Native
from ...machine.port.rows import CHILDREN, Process
from .stacks import ThreadOwners

MOST_CHILDREN = 256
MOST_THREADS = 1000
COMMAND_CHARACTERS = 160


class Known(NamedTuple):
    """What is kept of a child while its address space keeps its size."""

    started: int
    size: str
    command: str
    helper: str
    runtimes: tuple[Mapped, ...]
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
        self._known: dict[int, Known] = {}

    def look(
        self, home: Segments, gaps: list[Gap], *, most_threads: int | None = None
    ) -> tuple[Child, ...]:
        """Give the workers that live now, by pid; a child that ends meanwhile is left out.

        Parameters
        ----------
        home
            Files of this process's memory.
        gaps
            Receives what could not be read, and says where the bounds cut something off.
        most_threads
            Threads of all of them together whose owners are asked for; `MOST_THREADS` when None.
        """
        most = MOST_THREADS if most_threads is None else most_threads
        system = self._machine.system
        why = system.lacks(CHILDREN)
        if why:
            gaps.append(Gap(what=CHILDREN, why=why))
            return ()
        if not system.has_child():
            self._known.clear()
            return ()
        notes: list[str] = []
        family = {each.pid: each for each in system.descendants(notes)}
        gaps.extend(Gap(what=CHILDREN, why=note) for note in notes)
        if len(family) > MOST_CHILDREN:
            why = f"only the first {MOST_CHILDREN} of {len(family)} are looked at"
            gaps.append(Gap(what=CHILDREN, why=why))
        found: list[Child] = []
        forked: dict[int, bool] = {self._machine.pid: True}
        threads = 0
        for pid, child in list(family.items())[:MOST_CHILDREN]:
            # The worker of a fork server goes on in the memory of the server, not in ours.
            forked[pid] = child.forked and forked.get(child.parent, False)
            try:
                known = self.read(child, home)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except (OSError, ParseError) as error:
                gaps.append(Gap.of(f"runtimes of process {pid}", error))
                continue
            if not known.runtimes:
                continue
            threads += child.num_threads
            found.append(
                Child(
                    pid=pid,
                    command=known.command,
                    forked=forked[pid],
                    num_os_threads=child.num_threads,
                    pool_threads=_largest_pool(
                        pid, known, gaps, most=most if threads > most else 0
                    ),
                    runtimes=tuple(file.file_name for file in known.runtimes),
                    helper=known.helper,
                )
            )
        self._known = {pid: known for pid, known in self._known.items() if pid in family}
        return tuple(sorted(found, key=lambda child: child.pid))

    def read(self, child: Process, home: Segments) -> Known:
        """Give what is mapped in a child, read again only when that may have changed.

        Raises
        ------
        OSError, ParseError
            When it has ended, or may not be read.
        """
        # The map is read again when the address space has another size: loading makes it grow.
        system, pid = self._machine.system, child.pid
        size = system.size_mark(pid)
        known = self._known.get(pid)
        if known is not None and size and (known.started, known.size) == (child.started, size):
            return known
        there = system.process_map(pid)
        same = known is not None and known.started == child.started
        command = system.command(pid) or child.command
        known = self._known[pid] = Known(
            started=child.started,
            size=size,
            command=command[:COMMAND_CHARACTERS],
            helper="" if child.forked else helper_of(command),
            runtimes=tuple(file for file in there.mapped if family_of(file.file_name) is not None),
            segments=there.segments,
            owners=known.owners
            if known is not None and same
            else ThreadOwners(self._machine, self._native, pid, home),
        )
        return known


def _largest_pool(pid: int, known: Known, gaps: list[Gap], *, most: int) -> int | None:
    """Give the threads of a child's largest pool, its calling thread included."""
    what = f"pools of process {pid}"
    if most:
        gaps.append(Gap(what=what, why=f"more than {most} threads are not looked at"))
        return None
    workers = known.owners.workers(known.segments)
    if workers is None:
        gaps.append(Gap(what=what, why=known.owners.why or "not known"))
        return None
    return 1 + max(workers.by_path.get(file.path, 0) for file in known.runtimes)


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
