"""All child processes, looked at from outside without their help: `%omp_status --workers`.

The list is read again after them: what is no longer in it may have ended in the middle, and is a
`Gap`, since what the kernel tells of a process that has ended reads like one with nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ...facts.libraries import Gap
from ...facts.workers import Helper, Worker, Workers
from ...formats.procfs import Segments
from ...machine import Machine
from ...machine.port.rows import CHILDREN, ENDED_MEANWHILE
from .children import MOST_CHILDREN, ChildProbe
from .outside import LEAST_S, Base, Outside

Packages = Callable[[Collection[str]], Mapping[str, "str | None"]]
"""Gives the distribution, with its version, that shipped each of some files."""


class WorkerProbe:
    """Looks at all descendants of this process, and keeps what tells their use of CPUs.

    Parameters
    ----------
    machine
        The machine to read.
    children
        What knows the maps of children already.
    """

    def __init__(self, machine: Machine, children: ChildProbe) -> None:
        self._machine = machine
        self._children = children
        self._base: Base = {}
        self._base_s: float | None = None

    def look(self, home: Segments, gaps: list[Gap], packages: Packages) -> Workers:
        """Give the child processes that live now. One that ends meanwhile is a `Gap`.

        Parameters
        ----------
        home
            Files of this process's memory.
        gaps
            Receives what could not be read.
        packages
            Who shipped the runtimes.

        Raises
        ------
        OSError, ParseError
            When the children cannot be listed.
        """
        system = self._machine.system
        look = Outside(self._machine, self._children, home, gaps, self._base)
        why = system.lacks(CHILDREN)
        if why:
            gaps.append(Gap(what=CHILDREN, why=why))
            return Workers(unread=1)
        notes: list[str] = []
        family = system.descendants(notes, ended=True) if system.has_child() else ()
        gaps.extend(Gap(what=CHILDREN, why=note) for note in notes)
        alive = [each for each in family if not each.ended]
        if len(alive) > MOST_CHILDREN:
            why = f"only the first {MOST_CHILDREN} of {len(alive)} are looked at"
            gaps.append(Gap(what=CHILDREN, why=why))
        own = look.memory(None, gaps)
        found = look.all_of(alive[:MOST_CHILDREN])
        left = {each.pid: each.started for each in system.descendants([])} if alive else {}
        rows: list[Worker | Helper] = []
        for process, row, own_gaps in found:
            if row is None or left.get(process.pid) != process.started:
                gaps.append(Gap(what=f"process {process.pid}", why=f"it {ENDED_MEANWHILE}"))
                continue
            gaps.extend(own_gaps)
            rows.append(row)
        look.tell_unmeasured(gaps)
        self._keep(look)
        return Workers(
            workers=_with_packages([each for each in rows if isinstance(each, Worker)], packages),
            helpers=tuple(each for each in rows if isinstance(each, Helper)),
            ended=tuple(each.pid for each in family if each.ended),
            own_rss_bytes=own.rss_bytes if own else None,
            own_pss_bytes=own.pss_bytes if own else None,
            unread=max(0, len(alive) - MOST_CHILDREN)
            + sum(not note.endswith(ENDED_MEANWHILE) for note in notes),
        )

    def _keep(self, look: Outside) -> None:
        """Take this look as the one that rates count from, unless the last is too close."""
        if self._base_s is None or look.begun_s - self._base_s >= LEAST_S:
            self._base, self._base_s = look.used, look.begun_s
        else:
            self._base = {**look.used, **self._base}


def _with_packages(workers: list[Worker], packages: Packages) -> tuple[Worker, ...]:
    paths = dict.fromkeys(each.path for worker in workers for each in worker.runtimes or ())
    told = packages(tuple(paths))
    return tuple(
        replace(
            worker,
            runtimes=worker.runtimes
            and tuple(replace(each, package=told.get(each.path)) for each in worker.runtimes),
        )
        for worker in sorted(workers, key=lambda each: each.pid)
    )
