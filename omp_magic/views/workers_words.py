"""The words for child processes: their sums, how they were started, which of them are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..facts.cpus import cpus_words
from ..facts.snapshots import Snapshot
from ..facts.workers import Worker, Workers
from .words import DASH, counted

MOST_PIDS = 4
STARTED = {
    "fork": "forked from this process",
    "forkserver": "by the fork server",
    "spawn": "spawn",
    "loky": "joblib's loky",
}


def headline_of(found: Workers, snapshot: Snapshot) -> str:
    """Give the sum of the pools against the CPUs, or that there is no worker."""
    crowd = found.crowd
    if not (found.workers or found.helpers or found.ended):
        return "Child processes are not known" if found.unread else "No child process"
    children = len(found.workers)
    told = "1 child process" if children == 1 else f"{children} child processes"
    if found.unread:
        told = f"{children} of {children + found.unread} child processes known"
    if not crowd:
        told = f"{told}, none" if children or found.unread else "No child process"
        return f"{told} with an OpenMP or BLAS runtime"
    sizes = [each.pool_threads for each in crowd if each.pool_threads is not None]
    workers = counted(len(crowd), "worker")
    if children > len(crowd) or found.unread:
        workers = f"{told}, {len(crowd)} of them {'a worker' if len(crowd) == 1 else 'workers'}"
    cpus = cpus_words(snapshot.budget.cpus)
    if not sizes:
        return f"{workers} with pools of unknown size, on {cpus}"
    least = "at least " if found.unknown_pools or found.unread else ""
    low, high = min(sizes), max(sizes)
    each = str(high) if low == high else f"{low} to {high}"
    many = "thread" if high == 1 else "threads"
    return f"{workers} with pools of {each} {many}: {least}{sum(sizes)} together on {cpus}"


def memory_of(found: Workers) -> str:
    """Give what all use together, and of what; "" without a child process."""
    if not (found.workers or found.helpers):
        return ""
    limit = ""
    if found.memory is not None and (bound := found.memory.binding) is not None:
        what = "the machine" if bound.source == "machine" else bound.detail.split(" ", 1)[0]
        where = f" of {bound.where}" if bound.where else ""
        limit = f" of {size_of(bound.limit_bytes)} ({what}{where})"
    if found.pss_bytes is not None:
        return f"{size_of(found.pss_bytes)} of memory together with this process (PSS){limit}"
    if found.most_bytes is not None:
        return (
            f"at most {size_of(found.most_bytes)} of memory together with this process (RSS, which "
            f"counts what is shared in each){limit}"
        )
    return f"the memory of all together is not known{f', the limit is{limit[3:]}' if limit else ''}"


def size_of(value: int | None) -> str:
    """Give bytes in MB or GB, a dash where they are not known."""
    if value is None:
        return DASH
    return f"{value / 1e9:.1f} GB" if value >= 999.5e6 else f"{value / 1e6:.0f} MB"


def started_of(worker: Worker, found: Workers, pid: int) -> str:
    """Give how a worker was started, and by whom where that was not this process."""
    servers = {each.pid for each in found.helpers if each.kind == "fork server"}
    if worker.origin == "fork":
        return (
            "forked from this process" if worker.parent == pid else f"forked from {worker.parent}"
        )
    told = STARTED.get(worker.origin) or _program(worker.command)
    return told if worker.parent in {pid, *servers} else f"{told}, by {worker.parent}"


def _program(command: str) -> str:
    """Give the start of a command line without the program's folder."""
    first, _, rest = command.partition(" ")
    text = " ".join((re.split(r"[/\\]", first)[-1], *rest.split()))
    return text if len(text) <= 24 else f"{text[:23]}\N{HORIZONTAL ELLIPSIS}"


def who(pids: Sequence[int], of: int) -> str:
    """Give which workers: ``all 4``, ``3 of 4``, ``pid 123``."""
    if len(pids) == of:
        return f"all {of}" if of > 1 else f"pid {pids[0]}"
    if len(pids) > MOST_PIDS or 2 * len(pids) > of > 2:
        return f"{len(pids)} of {of}"
    return f"pid {', '.join(map(str, pids))}"


def owners_words(worker: Worker) -> str:
    """Give whose the OS threads of a worker are."""
    if worker.owners is None:
        return "not known"
    told = [f"{number} {name}" for name, number in worker.owners]
    told += [f"{worker.unknown_threads} not known"] if worker.unknown_threads else []
    return ", ".join(told)
