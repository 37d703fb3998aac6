"""One child process as it is seen from outside: the kernel tells of it, and nothing runs there.

Yama (kernel.yama.ptrace_scope) guards the memory of a process alone, and so the owners of its
threads; its map, its variables at start and its PSS need the same user (PTRACE_MODE_READ, see
ptrace(2)).

To read PSS the kernel walks all pages of a process: 0.4 ms with NumPy loaded, and milliseconds for
each GB in small pages. So it is read within a span of time, and what is left has its gap.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.workers import CpuUse, Helper, Worker, WorkerRuntime
from ...formats.cgroups import parse_proc_cgroup
from ...formats.procfs import Segments
from ...knowledge.catalog import family_of
from ...knowledge.started_by import EXEC, FORK, FORK_SERVER, FORKSERVER, helper_of, starter_of
from ...knowledge.variables import VARIABLES
from ...machine import Machine
from ...machine.port.cpurows import AFFINITY, CGROUPS
from ...machine.port.rows import (
    SHARED_MEMORY,
    MemoryUse,
    Process,
)
from .children import COMMAND_CHARACTERS, ChildProbe, Known
from .stacks import PYTHON

PSS_WITHIN_S = 0.25
LEAST_S = 0.1
"""Between two looks that are told as a rate."""
MOST_THREADS = 20_000
_PROGRAM_CHARACTERS = 24
_GROUP_CONTROLLERS = {"cpu", "cpuset", "memory"}

_Value = TypeVar("_Value")
Base = dict[int, tuple[int, float, float]]
"""By pid: what tells a process from a later one, when it was asked, its CPU time then."""


class Outside:
    """One look at several child processes.

    Parameters
    ----------
    machine
        The machine to read.
    children
        What knows the maps of children already.
    home
        Files of this process's memory.
    gaps
        Receives what could not be read of this process.
    base
        What rates count from.
    """

    def __init__(
        self,
        machine: Machine,
        children: ChildProbe,
        home: Segments,
        gaps: list[Gap],
        base: Base,
    ) -> None:
        self._machine = machine
        self._system = machine.system
        self._children = children
        self._home = home
        self._base = base
        self._threads = 0
        self._unmeasured: list[int] = []
        self._pss_s = 0.0
        self._kinds: dict[int, str] = {}
        self._affine = not self._system.lacks(AFFINITY)
        self._shared = not self._system.lacks(SHARED_MEMORY)
        self._group: str | None = None
        if not self._system.lacks(CGROUPS):
            self._group = _told("cgroup", gaps, lambda: _group_of(machine, "self"))
        self.begun_s = machine.clock()
        self.used: Base = {}

    def all_of(
        self, processes: list[Process]
    ) -> list[tuple[Process, Worker | Helper | None, list[Gap]]]:
        """Read each, parents first; None for one that has ended meanwhile."""
        found: list[tuple[Process, Worker | Helper | None, list[Gap]]] = []
        for process in processes:
            gaps: list[Gap] = []
            try:
                found.append((process, self._one(process, gaps), gaps))
            except (FileNotFoundError, ProcessLookupError):
                found.append((process, None, gaps))
        return found

    def memory(self, pid: int | None, gaps: list[Gap]) -> MemoryUse | None:
        """Give the memory of a process, its PSS as long as there is time."""
        what = "memory of this process" if pid is None else f"memory of process {pid}"
        shared = self._shared and self._pss_s <= PSS_WITHIN_S
        if self._shared and not shared:
            self._unmeasured.append(pid or self._machine.pid)
        begun_s = self._machine.clock()
        use = None
        try:
            use = self._system.memory_use(pid, shared=shared)
        except PermissionError as error:
            gaps.append(Gap.of(what, error))
            use = _told(what, gaps, lambda: self._system.memory_use(pid, shared=False))
        except (OSError, ParseError) as error:
            if pid is not None and isinstance(error, (FileNotFoundError, ProcessLookupError)):
                raise  # it has ended
            gaps.append(Gap.of(what, error))
        self._pss_s += self._machine.clock() - begun_s
        return use

    def tell_unmeasured(self, gaps: list[Gap]) -> None:
        """Say which processes had no time left for their PSS."""
        if self._unmeasured:
            why = (
                f"reading it takes long here, and after {PSS_WITHIN_S:g} s it was left out for "
                f"{len(self._unmeasured)} of them; their RSS is told"
            )
            gaps.append(Gap(what="PSS of child processes", why=why))

    def _one(self, process: Process, gaps: list[Gap]) -> Worker | Helper:
        pid = process.pid
        if process.kernel:
            self._kinds[pid] = "kernel thread"
            return Helper(pid=pid, kind="kernel thread", num_os_threads=process.num_threads)
        command = _told(f"command of process {pid}", gaps, lambda: self._system.command(pid)) or ""
        command = command or process.command
        kind = self._kinds[pid] = "" if process.forked else helper_of(command)
        memory = self.memory(pid, gaps)
        rss_bytes = memory.rss_bytes if memory else None
        pss_bytes = memory.pss_bytes if memory else None
        if kind:
            return Helper(
                pid=pid,
                kind=kind,
                num_os_threads=process.num_threads,
                rss_bytes=rss_bytes,
                pss_bytes=pss_bytes,
            )
        what = f"runtimes of process {pid}"
        known = _told(what, gaps, lambda: self._children.read(process, self._home))
        variables = _told(
            f"variables of process {pid}", gaps, lambda: self._system.variables_at_start(pid)
        )
        cpus = None
        if self._affine:
            cpus = _told(f"CPUs of process {pid}", gaps, lambda: self._system.affinity(pid))
        worker = Worker(
            pid=pid,
            parent=process.parent,
            origin=self._origin(process, command),
            command=command[:COMMAND_CHARACTERS],
            num_os_threads=process.num_threads,
            variables=None
            if variables is None
            else tuple((name, variables[name]) for name in VARIABLES if name in variables),
            affinity=tuple(sorted(cpus)) if isinstance(cpus, frozenset) else None,
            affinity_cpus=len(cpus) if isinstance(cpus, frozenset) else cpus,
            cgroup=self._other_group(pid, gaps),
            use=self._use(process, gaps),
            rss_bytes=rss_bytes,
            pss_bytes=pss_bytes,
        )
        return worker if known is None else self._with_threads(worker, known, gaps)

    def _origin(self, process: Process, command: str) -> str:
        if not process.forked:
            return starter_of(command)
        return FORKSERVER if self._kinds.get(process.parent) == FORK_SERVER else FORK

    def _with_threads(self, worker: Worker, known: Known, gaps: list[Gap]) -> Worker:
        """Add the runtimes and whose the threads are."""
        what = f"pools of process {worker.pid}"
        self._threads += worker.num_os_threads
        counted = None
        if self._threads > MOST_THREADS:
            why = f"more than {MOST_THREADS} threads are not looked at"
            gaps.append(Gap(what=what, why=why))
        elif not known.runtimes and worker.num_os_threads == 1:
            own = ((_program_of(worker), 1),)
            return replace(worker, runtimes=(), owners=own, unknown_threads=0, pool_threads=1)
        else:
            counted = known.owners.workers(known.segments)
            if counted is None:
                gaps.append(Gap(what=what, why=known.owners.why or "not known"))
        by_path = counted.by_path if counted is not None else {}
        runtimes = tuple(
            WorkerRuntime(
                family=family.key,
                label=family.label,
                path=file.path,
                num_threads=None if counted is None else by_path.get(file.path, 0),
                replaced=file.deleted,
            )
            for file in known.runtimes
            if (family := family_of(file.file_name)) is not None
        )
        if counted is None:
            return replace(worker, runtimes=runtimes, pool_threads=None if runtimes else 1)
        owners = Counter({os.path.basename(path): number for path, number in by_path.items()})
        others = sum(owners.values()) + counted.unknown
        owners[_program_of(worker)] += max(0, worker.num_os_threads - others)
        return replace(
            worker,
            runtimes=runtimes,
            owners=tuple(
                (name, number)
                for name, number in sorted(owners.items(), key=lambda each: (-each[1], each[0]))
                if number
            ),
            unknown_threads=counted.unknown,
            pool_threads=1 + max((each.num_threads or 0 for each in runtimes), default=0),
        )

    def _other_group(self, pid: int, gaps: list[Gap]) -> str | None:
        if self._group is None:
            return None
        group = _told(f"cgroup of process {pid}", gaps, lambda: _group_of(self._machine, str(pid)))
        return None if group == self._group else group

    def _use(self, process: Process, gaps: list[Gap]) -> CpuUse | None:
        what = f"CPU time of process {process.pid}"
        used_s = _told(what, gaps, lambda: self._system.cpu_s(process.pid))
        if used_s is None:
            return None
        now_s = self._machine.clock()
        self.used[process.pid] = process.started, now_s, used_s
        then = self._base.get(process.pid)
        if then is not None and then[0] == process.started and now_s - then[1] >= LEAST_S:
            over_s = now_s - then[1]
            return CpuUse(
                cpus=max(0.0, used_s - then[2]) / over_s, over_s=over_s, since="last look"
            )
        over_s = _told(what, gaps, lambda: self._system.age_s(process)) or 0.0
        return CpuUse(cpus=used_s / over_s, over_s=over_s, since="start") if over_s else None


def _program_of(worker: Worker) -> str:
    """Give whose the threads are that no library started: Python's, or another program's own."""
    program = os.path.basename(worker.command.partition(" ")[0])
    if worker.origin != EXEC or not program or "python" in program.lower():
        return PYTHON
    return program[:_PROGRAM_CHARACTERS]


def _told(what: str, gaps: list[Gap], ask: Callable[[], _Value]) -> _Value | None:
    """Ask; what cannot be read is a gap. That the process has ended is the caller's to say."""
    try:
        return ask()
    except (FileNotFoundError, ProcessLookupError):
        raise
    except (OSError, ParseError) as error:
        gaps.append(Gap.of(what, error))
        return None


def _group_of(machine: Machine, process: str) -> str:
    """Give the paths of a process's groups that bound CPUs and memory: one, as a rule."""
    rows = parse_proc_cgroup(machine.read(f"/proc/{process}/cgroup"))
    named = (row.path for row in rows if row.unified or _GROUP_CONTROLLERS & {*row.controllers})
    return ", ".join(dict.fromkeys(named))
