"""A snapshot of another process: the same probes, and nothing is called, attached to or stopped.

What a process alone can tell of itself is left out with one gap: counts that belong to threads,
pools that live in Python packages, how multiprocessing starts children.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from ..errors import ParseError
from ..facts.libraries import Gap, Library
from ..facts.outside import Outside, Wait
from ..facts.processes import Child, Thread
from ..facts.snapshots import Snapshot
from ..facts.tasks import wants_of
from ..formats.commandline import kernel_of
from ..formats.procfs import Mapped
from ..knowledge.commands import shown_command
from ..machine.other import OtherMachine
from ..machine.port.others import VARIABLES_NOW, WAITS, Standing
from ..machine.port.rows import Process
from .cpus.budget import probe_budget, unknown_budget
from .cpus.tasks import TaskProbe
from .cpus.throttling import probe_throttling
from .environment import probe_environment
from .filing import filed
from .offspring import Offspring
from .owned import Owned, OwnedThreads, by_runtime
from .runtimes.distant import Distant
from .runtimes.images import Scan
from .runtimes.libraries import LibraryProbe
from .runtimes.pools import pools_of, probe_libraries
from .threads.stacks import PYTHON
from .threads.threads import count_threads
from .threads.waits import probe_waits

_PYTHON = re.compile(r"(?:lib)?(?:python|pypy)([23]\.\d+)")
_SITE = re.compile(
    r"^(.*)[/\\](?:lib\w*[/\\]python[\w.]+|Lib)[/\\](?:site|dist)-packages[/\\]([\w]+)"
)
_Owned = TypeVar("_Owned", Thread, Wait)
_MOST_LOOKED_AT = 8
"""Threads whose stacks are read where no list of all was asked for."""
_INSIDE = Gap(
    what="what the process alone knows",
    why="counts of OpenMP runtimes, pools of Python packages, versions that modules report and "
    "how multiprocessing starts children are told by %omp_status, or omp_magic.snapshot(), there",
)


class OtherObserver:
    """Takes snapshots of another process, and keeps what cannot have changed between them.

    Parameters
    ----------
    machine
        The process.
    standing
        Who it is.
    """

    def __init__(self, machine: OtherMachine, standing: Standing) -> None:
        self.machine = machine
        self.standing = standing
        self._gaps: list[Gap] = []
        self._distant = Distant(machine, self._gaps)
        self._libraries = LibraryProbe(machine, None, self._distant)
        self._owned = OwnedThreads(machine, None, self._libraries.owners)
        self._offspring = Offspring(machine, None, self._libraries.owners)
        self._tasks = TaskProbe()

    def take(self, *, threads: bool = False, shown: frozenset[str] = frozenset()) -> Snapshot:
        """Take a snapshot. What cannot be read becomes a `Gap`; nothing is raised for it.

        Parameters
        ----------
        threads
            Also list every OS thread, and where each waits.
        shown
            Parts that views should open.
        """
        with self.machine.one_look():
            return self._take(threads=threads, shown=shown)

    def _take(self, *, threads: bool, shown: frozenset[str]) -> Snapshot:
        gaps = self._gaps
        gaps.clear()
        self._distant.forget()
        at_exec, now = self._variables(gaps)
        self.machine.environ = at_exec if now is None else now
        machine = self.machine.once()
        scan = filed("libraries", gaps, self._libraries.scan) or Scan((), ())
        budget = filed("budget", gaps, lambda: probe_budget(machine)) or unknown_budget()
        counted = self._owned.counted(scan, gaps)
        if counted is None and self._owned.why:
            gaps.append(Gap(what="owners of threads", why=self._owned.why))
        libraries = (
            filed(
                "libraries",
                gaps,
                lambda: probe_libraries(
                    machine,
                    None,
                    scan.images,
                    budget.affinity_cpus,
                    gaps,
                    workers=by_runtime(scan, counted),
                    all_known=counted is not None and not counted.unknown,
                    distant=self._distant,
                ),
            )
            or ()
        )
        owned = filed("owners of threads", gaps, lambda: self._owned.of(scan, counted)) or Owned()
        pools = (*pools_of(libraries), *owned.strange)
        version = self._python(scan.mapped)
        if version:
            gaps.append(_INSIDE)
        prefix, modules = _environment_of(scan.mapped)
        environment = filed(
            "environment",
            gaps,
            lambda: probe_environment(
                machine,
                None,
                at_exec,
                libraries=libraries,
                pools=pools,
                affinity_cpus=budget.affinity_cpus,
                modules=modules,
            ),
        )
        listed = None
        if threads:
            listed = filed(
                "threads", gaps, lambda: self._owned.listed(machine, scan, libraries, gaps)
            )
        tasks = filed(
            "limit on threads",
            gaps,
            lambda: self._tasks.look(machine, wants_of(libraries, pools), gaps),
        )
        children, _ = self._offspring.look(scan, gaps)
        words = filed("its command line", gaps, self.machine.others.arguments) or ()
        snapshot = Snapshot(
            pid=self.standing.pid,
            python=version,
            prefix=prefix,
            budget=budget,
            conda=bool(prefix) and machine.inode_and_time_of(f"{prefix}/conda-meta") is not None,
            system=machine.system.name,
            libraries=libraries,
            pools=pools,
            num_os_threads=filed("thread count", gaps, lambda: count_threads(machine)),
            os_threads=listed,
            thread_owners=owned.owners,
            environment=environment or (),
            tasks=tasks,
            throttling=filed("throttling", gaps, lambda: probe_throttling(machine, budget)) or (),
            children=tuple(replace(each, command=_shown(each)) for each in children),
            notebook=kernel_of(words) is not None,
            outside=self._outside(
                shown_command(words, self.standing.name),
                self._whereabouts(scan, libraries, gaps, every=threads),
                now=now is not None,
                left=self._left(scan, libraries, gaps),
            ),
            shown=shown,
        )
        if not version:
            snapshot = _of_a_program(snapshot)
        every = (*gaps, *scan.gaps, *budget.gaps)
        return replace(snapshot, gaps=tuple(dict.fromkeys(every)))

    def _variables(self, gaps: list[Gap]) -> tuple[dict[str, str], dict[str, str] | None]:
        """Give the variables at the start, and those of C now where they may be read."""
        at_exec = filed("environment at start", gaps, self.machine.system.variables_at_start) or {}
        now = None
        try:
            why = self.machine.others.lacks(VARIABLES_NOW)
            now = None if why else self.machine.others.variables_now()
        except (OSError, ParseError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if now is None:
            told = f"{why}; those that it was started with are taken"
            gaps.append(Gap(what=VARIABLES_NOW, why=told))
        return at_exec, now

    def _outside(
        self, program: str, waits: tuple[Wait, ...], *, now: bool, left: tuple[str, ...]
    ) -> Outside:
        standing, machine, gaps = self.standing, self.machine, self._gaps
        return Outside(
            program=program,
            user=standing.user,
            parent=standing.parent,
            forked=standing.forked,
            age_s=filed("its age", gaps, lambda: machine.system.age_s(_as_process(standing))),
            variables_now=now,
            waits=waits,
            left=left,
        )

    def _left(self, scan: Scan, libraries: tuple[Library, ...], gaps: list[Gap]) -> tuple[str, ...]:
        """Give the libgomps that had a team in the parent; only forked processes pay."""
        pairs = zip(scan.images, libraries, strict=False)
        idle = {
            image.kernel_path: library.path
            for image, library in pairs
            if library.family == "libgomp" and library.workers == 0
        }
        if not self.standing.forked or not idle:
            return ()
        from .threads.left import left_with_parent  # noqa: PLC0415 - as above

        found = filed("threads of its parent", gaps, lambda: left_with_parent(self.standing, idle))
        return tuple(idle[path] for path in sorted(found or ()))

    def _whereabouts(
        self, scan: Scan, libraries: tuple[Library, ...], gaps: list[Gap], *, every: bool
    ) -> tuple[Wait, ...]:
        """Look at the threads that run Python code, or nobody is known to own, or at all."""
        return filed(WAITS, gaps, lambda: self._waits(scan, libraries, gaps, every=every)) or ()

    def _waits(
        self, scan: Scan, libraries: tuple[Library, ...], gaps: list[Gap], *, every: bool
    ) -> tuple[Wait, ...]:
        if scan.segments is None:
            return ()
        tids = self.machine.system.thread_ids()
        owners = self._owned.labels(scan, libraries, tids)
        own = [tid for tid, label in owners.items() if label in (None, PYTHON)]
        main = self.standing.pid
        if not every:
            first = sorted(own, key=lambda tid: (tid != main, tid))[:_MOST_LOOKED_AT]
            owners = {tid: owners[tid] for tid in first}
        return probe_waits(self.machine, owners, scan.mapped, scan.segments, gaps)

    def _python(self, mapped: tuple[Mapped, ...]) -> str:
        """Give the version of the Python that runs there; "" where none does.

        Its program or library is called after it, and since 3.11 says the rest too:
        ``Py_Version`` (Include/pymacro.h, PY_VERSION_HEX).
        """
        told = ""
        for file in mapped:
            match = _PYTHON.match(file.file_name)
            if match is not None:
                told = told or match[1]
                number = self._distant.number(file, ("Py_Version",))
                if number is not None:
                    parts = number >> 24 & 255, number >> 16 & 255, number >> 8 & 255
                    return ".".join(map(str, parts))
        return told


def _as_process(standing: Standing) -> Process:
    return Process(standing.pid, standing.parent, standing.name, 0, standing.started)


def _of_a_program(snapshot: Snapshot) -> Snapshot:
    """Give a snapshot in which what no library has started is the program's own, not Python's."""
    outside = snapshot.outside
    if outside is None:
        return snapshot

    program = outside.program

    def named(each: _Owned) -> _Owned:
        return replace(each, owner=program) if each.owner == PYTHON else each

    threads = snapshot.os_threads
    return replace(
        snapshot,
        os_threads=None if threads is None else tuple(map(named, threads)),
        outside=replace(outside, waits=tuple(map(named, outside.waits))),
    )


def _shown(child: Child) -> str:
    return shown_command(child.command.split(" "))


def _environment_of(mapped: tuple[Mapped, ...]) -> tuple[str, Collection[str]]:
    """Give the environment that a process runs in, and what it has imported, as files tell."""
    prefix = ""
    modules: set[str] = set()
    for file in mapped:
        match = _SITE.match(file.path)
        if match is not None:
            prefix = prefix or match[1]
            modules.add(match[2])
    return prefix, frozenset(modules)
