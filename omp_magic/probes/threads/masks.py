"""The CPUs that single threads are bound to: who took them from the main thread, and a team's own.

Nothing here runs unless the main thread has fewer CPUs than the machine and a variable that binds
threads is set, or its CPUs were seen to become fewer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from ...facts.changes import Change, as_cpu_list, cpus_of_list
from ...facts.libraries import Library, Pool
from ...formats.cgroupfiles import parse_cpu_list
from ...knowledge.binding import BINDING, binders_of, on_one_place
from ...machine import Machine
from ...machine.python.own import thread_mask

Masks = dict[int, frozenset[int]]


def probe_masks(machine: Machine) -> Masks:
    """Give the affinity of each thread of the running process, by its number."""
    masks: Masks = {}
    for row in machine.system.threads():
        with suppress(OSError):  # A thread that ended meanwhile.
            mask = thread_mask(row.tid)
            if mask is not None:
                masks[row.tid] = mask
    return masks


def probe_narrowing(
    machine: Machine, getenv: Callable[[str], str | None], libraries: tuple[Library, ...]
) -> Change | None:
    """Tell whether OpenMP took CPUs from the main thread before anybody compared.

    A thread has the CPUs of the one that made it (sched_setaffinity(2)). So where another thread
    of this process, or its parent, has more CPUs than the main thread, the main thread lost them;
    and it was OpenMP where a variable asks a runtime that has started to bind its threads.

    Returns
    -------
    Change or None
        With its evidence, and with nobody as the doer.
    """
    values = {name: value for name in BINDING if (value := getenv(name)) is not None}
    if not any(each.initialized and binders_of(each.family, values) for each in libraries):
        return None
    masks = probe_masks(machine)
    mine = masks.get(machine.pid, frozenset())
    widest = max(masks.values(), key=len, default=mine)
    where = "a thread that was there before"
    if not mine < widest:
        with suppress(OSError, IndexError, ValueError):
            parent = os.getppid()
            status = machine.read(f"/proc/{parent}/status").split("Cpus_allowed_list:", 1)[1]
            widest = frozenset(parse_cpu_list(status.split("\n", 1)[0]))
            where = f"the parent process {parent}"
    if not mine or not mine < widest:
        return None
    return Change(
        what="affinity",
        before=as_cpu_list(widest),
        after=as_cpu_list(mine),
        asked=tuple(f"{name}={value}" for name, value in values.items()),
        evidence=f"{where} has CPUs {as_cpu_list(widest)}, the main thread {as_cpu_list(mine)}",
    )


def with_own_cpus(
    pools: tuple[Pool, ...],
    change: Change,
    masks: Masks,
    owners: Callable[[Iterable[int]], dict[int, str]],
) -> tuple[Pool, ...]:
    """Give the pools with the CPUs that their own threads may use, the main thread's among them.

    Parameters
    ----------
    pools
        Those of libraries and of packages; the latter are left as they are.
    change
        What took CPUs from the main thread.
    masks
        Of `probe_masks`.
    owners
        Gives the library of each of these threads, by the path that it was loaded by.
    """
    mine = cpus_of_list(change.after)
    teams: dict[str, frozenset[int]] = {}
    for tid, path in owners(masks).items():
        teams[path] = teams.get(path, mine) | masks[tid]
    asked = change.variables
    found = []
    for pool in pools:
        cpus = None
        if pool.library in teams:
            cpus = len(teams[pool.library])
        elif binders_of(pool.family, asked):
            # It has not run yet: each thread will get a place of its own, or all the first one's.
            cpus = len(mine if on_one_place(asked) else cpus_of_list(change.before))
        found.append(pool if cpus is None else replace(pool, bound_cpus=cpus))
    return tuple(found)
