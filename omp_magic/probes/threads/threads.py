"""OS threads of this process, their CPU time and who started them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ...errors import ParseError
from ...facts.libraries import Gap
from ...facts.processes import PythonThreads, Thread
from ...formats.procfs import Segments, parse_stat
from ...machine import Machine
from .stacks import Owner, ThreadOwners


def count_threads(machine: Machine) -> int:
    """Count the OS threads of the process.

    Raises
    ------
    OSError, ParseError
        When the system does not tell.
    """
    if machine.linux:
        return parse_stat(machine.read("/proc/self/stat")).num_threads
    return len(_by_psutil())


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
    names = _python_names() if machine.live else {}
    if not machine.linux:
        return tuple(
            Thread(
                tid=thread.id,
                name="",
                state="",
                cpu_s=thread.user_time + thread.system_time,
                python_name=names.get(thread.id),
            )
            for thread in _by_psutil()
        )
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    found = []
    folders = machine.folders("/proc/self/task")
    owned: Mapping[int, Owner | None] = {}
    if owners is not None and segments is not None:
        owned = owners.of(map(int, folders), segments, labels)
        if owners.why is not None:
            gaps.append(Gap(what="owners of threads", why=owners.why))
    for folder in folders:
        try:
            stat = parse_stat(machine.read(f"/proc/self/task/{folder}/stat"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except (OSError, ParseError) as error:
            gaps.append(Gap(what=f"thread {folder}", why=str(error)))
            continue
        owner = owned.get(int(folder))
        found.append(
            Thread(
                tid=int(folder),
                name=stat.comm,
                state=stat.state,
                cpu_s=(stat.user_ticks + stat.system_ticks) / ticks_per_s,
                python_name=names.get(int(folder)),
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
    return PythonThreads(alive=threading.active_count(), of_executors=len(table))


def _python_names() -> dict[int, str]:
    return {
        thread.native_id: thread.name
        for thread in threading.enumerate()
        if thread.native_id is not None
    }


def _by_psutil() -> list[Any]:
    import psutil  # noqa: PLC0415 - 6 ms that Linux never pays

    return list(psutil.Process().threads())
