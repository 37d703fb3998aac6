"""OS threads of this process, their CPU time and who started them."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ...facts.libraries import Gap
from ...facts.processes import PythonThreads, Thread
from ...formats.procfs import Segments
from ...machine import Machine
from ...machine.python.own import num_python_threads, python_threads
from .stacks import Owner, ThreadOwners


def count_threads(machine: Machine) -> int:
    """Count the OS threads of the process.

    Raises
    ------
    OSError, ParseError
        When the system does not tell.
    """
    return machine.system.num_threads()


def probe_threads(
    machine: Machine,
    gaps: list[Gap],
    owners: ThreadOwners | None = None,
    segments: Segments | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Thread, ...]:
    """Give every OS thread of the process with its CPU time.

    A thread that ends while the list is read is left out.

    Parameters
    ----------
    machine
        The machine to read.
    gaps
        Receives threads that could not be read.
    owners
        Knows who started a thread; None leaves that unknown.
    segments
        Files of the process's memory, needed with `owners`.
    labels
        Names for people by a file's path, as in `ThreadOwners.of`.
    """
    names = python_threads() if machine.live else {}
    owned: Mapping[int, Owner | None] = {}
    rows = machine.system.threads()
    if owners is not None and segments is not None:
        owned = owners.of((row.tid for row in rows), segments, labels)
        if owners.why is not None:
            gaps.append(Gap(what="owners of threads", why=owners.why))
    found = []
    for row in rows:
        if row.cpu_s is None:
            gaps.append(Gap(what=f"thread {row.tid}", why="its CPU time cannot be read"))
            continue
        owner = owned.get(row.tid)
        found.append(
            Thread(
                tid=row.tid,
                name=row.name,
                state=row.state,
                cpu_s=row.cpu_s,
                python_name=names.get(row.tid),
                owner=owner.label if owner is not None else None,
                owner_path=owner.path if owner is not None else None,
            )
        )
    return tuple(sorted(found, key=lambda thread: thread.tid))


def probe_python_threads() -> PythonThreads:
    """Count the Python threads that live, and those of them that executors keep.

    ThreadPoolExecutor keeps its threads in a table until it ends
    (concurrent/futures/thread.py, _threads_queues); it is not imported for this.
    """
    table = vars(sys.modules.get("concurrent.futures.thread") or sys).get("_threads_queues", ())
    return PythonThreads(alive=num_python_threads(), of_executors=len(table))
