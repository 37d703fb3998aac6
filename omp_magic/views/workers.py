"""All child processes -> rows and sentences, the same in text and HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..facts.changes import as_cpu_list
from ..facts.contrasts import Contrast, contrasts_of
from ..facts.snapshots import Snapshot
from ..facts.workers import Helper, Worker, WorkerRuntime, Workers
from .words import DASH, counted, shortened
from .workers_words import (
    MOST_PIDS,
    STARTED,
    headline_of,
    memory_of,
    owners_words,
    size_of,
    started_of,
    who,
)

_MOST_GROUPS = 4
_NONE = ("none", "none of these")
_COLUMNS = ("pid", "started", ">pool", ">threads", "CPUs", ">used", ">RSS", ">PSS")


@dataclass(frozen=True, slots=True)
class Table:
    """What is said of all child processes.

    Parameters
    ----------
    headline, tone
        Threads against CPUs, or that there is none; ``"warning"`` where they are too many.
    memory
        What they use together, and of what; "" when there is none.
    columns, rows
        A row a process; ``">"`` before a name where numbers stand at the right.
    runtimes
        (runtime, from, workers that have it, its threads in each, file).
    same
        What all have: variables.
    differ
        A sentence for each thing in which they differ.
    others
        Sentences about threads, CPU use, helpers and what has ended.
    commands
        (processes, command line).
    """

    headline: str
    tone: str
    memory: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    runtimes: tuple[tuple[str, str, str, str, str], ...]
    same: str
    differ: tuple[str, ...]
    others: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]


def table_of(found: Workers, snapshot: Snapshot) -> Table:
    """Give what is said of all child processes of a snapshot's process."""
    contrasts = contrasts_of(found.workers)
    over = found.pool_threads > snapshot.budget.threads and len(found.crowd) > 1
    return Table(
        headline=headline_of(found, snapshot),
        tone="warning" if over else "dim",
        memory=memory_of(found),
        columns=_COLUMNS,
        rows=tuple(_row(each, found, snapshot) for each in found.workers),
        runtimes=tuple(_runtimes(found, snapshot.prefix)),
        same=_same(found, contrasts),
        differ=tuple(_differs(contrasts, snapshot.prefix)),
        others=tuple(_others(found)),
        commands=tuple(_commands(found)),
    )


def _row(worker: Worker, found: Workers, snapshot: Snapshot) -> tuple[str, ...]:
    return (
        str(worker.pid),
        started_of(worker, found, snapshot.pid),
        DASH if worker.pool_threads is None or not worker.works else str(worker.pool_threads),
        str(worker.num_os_threads),
        _cpus(worker),
        DASH if worker.use is None else f"{worker.use.cpus:.2f}",
        size_of(worker.rss_bytes),
        size_of(worker.pss_bytes),
    )


def _cpus(worker: Worker) -> str:
    if worker.affinity is not None:
        return as_cpu_list(frozenset(worker.affinity))
    return DASH if worker.affinity_cpus is None else f"any {worker.affinity_cpus}"


def _runtimes(found: Workers, prefix: str) -> Iterator[tuple[str, str, str, str, str]]:
    known = [each for each in found.workers if each.runtimes]
    rows: dict[tuple[str, bool], list[tuple[int, WorkerRuntime]]] = {}
    for worker in known:
        for each in worker.runtimes or ():
            rows.setdefault((each.path, each.replaced), []).append((worker.pid, each))
    for (path, replaced), found_in in rows.items():
        one = found_in[0][1]
        numbers = sorted(each.num_threads for _, each in found_in if each.num_threads is not None)
        threads = DASH
        if numbers:
            low, high = numbers[0], numbers[-1]
            threads = f"{low} each" if low == high else f"{low} to {high}"
        yield (
            one.label,
            one.package or "no package",
            who([pid for pid, _ in found_in], len(known)),
            threads,
            shortened(path, prefix) + (" (replaced on disk)" if replaced else ""),
        )


def _same(found: Workers, contrasts: Sequence[Contrast]) -> str:
    """Give the variables that are the same in all that are known."""
    crowd = [each for each in found.crowd if each.variables is not None]
    other = {each.name for each in contrasts if each.kind == "variable"}
    same = [f"{n}={v}" for n, v in (crowd[0].variables or () if crowd else ()) if n not in other]
    if not crowd:
        return ""
    which = who([each.pid for each in crowd], len(crowd))
    if any(each.variables for each in crowd) and not same:
        return ""
    return f"{which} started with {', '.join(same) or 'none of the variables that matter'}"


def _differs(contrasts: Sequence[Contrast], prefix: str) -> Iterator[str]:
    """Give a sentence for each difference; variables that differ alike are one."""
    alike: dict[tuple[tuple[int, ...], ...], list[Contrast]] = {}
    for each in contrasts:
        if each.kind == "variable":
            alike.setdefault(tuple(sorted(group.pids for group in each.groups)), []).append(each)
        else:
            yield _differing(each, prefix)
    for groups, together in alike.items():
        total = sum(map(len, groups))
        # Those that have none of the variables come last: "none of these".
        values = {pids: _set(together, pids) for pids in groups}
        ordered = sorted(groups, key=lambda pids: (values[pids] in _NONE, -len(pids), pids))
        told = [f"{_has(pids, total)} {values[pids]}" for pids in ordered[:_MOST_GROUPS]]
        yield ", ".join((*told, *_left(map(len, ordered[_MOST_GROUPS:]))))


def _has(pids: Sequence[int], total: int) -> str:
    return f"{who(pids, total)} {'has' if len(pids) == 1 else 'have'}"


def _set(variables: Iterable[Contrast], pids: Sequence[int]) -> str:
    """Give what some of the workers have of variables that differ: ``A=1 and no B``."""
    mine = {
        each.name: next(group.value for group in each.groups if group.pids == pids)
        for each in variables
    }
    some = ", ".join(f"{name}={value}" for name, value in mine.items() if value is not None)
    none = ", ".join(name for name, value in mine.items() if value is None)
    if not some:
        return _NONE[len(mine) > 1]
    return f"{some} and no {none}" if none else some


def _left(sizes: Iterable[int]) -> tuple[str, ...]:
    number = sum(sizes)
    return (f"{number} more have others",) if number else ()


def _differing(contrast: Contrast, prefix: str) -> str:
    total = sum(len(each.pids) for each in contrast.groups)
    shown, left = contrast.groups[:_MOST_GROUPS], contrast.groups[_MOST_GROUPS:]
    told = [f"{_value(contrast, each.value, prefix)} in {who(each.pids, total)}" for each in shown]
    name = {
        "start": "how they were started",
        "CPUs": "CPUs that they may use",
        "cgroup": "cgroup",
        "threads": f"live threads of {contrast.name}",
    }.get(contrast.kind, contrast.name)
    return f"{name}: {', '.join((*told, *_left(len(each.pids) for each in left)))}"


def _value(contrast: Contrast, value: str | None, prefix: str) -> str:
    if value is None:
        return "not loaded" if contrast.kind == "runtime" else "that of this process"
    if contrast.kind == "start":
        return STARTED.get(value, "a program of its own")
    return shortened(value, prefix)


def _others(found: Workers) -> Iterator[str]:
    yield from _threads(found)
    yield from _used(found.workers)
    for worker in found.workers:
        if worker.cgroup is not None:
            yield f"pid {worker.pid} is in another cgroup: {worker.cgroup}"
    forked = [each for each in found.crowd if each.origin in ("fork", "forkserver")]
    if any(each.variables is not None for each in forked):
        yield (
            "a forked process has the variables of the program that it goes on with, as that was "
            "started; what was set later is not seen from outside"
        )
    if found.helpers:
        yield f"helpers, not counted as workers: {', '.join(map(_helper, found.helpers))}"
    if found.ended:
        pids = ", ".join(map(str, found.ended[:MOST_PIDS]))
        more = len(found.ended) - MOST_PIDS
        pids += f" and {more} more" if more > 0 else ""
        yield f"ended, and nobody has waited for them: pid {pids}"


def _threads(found: Workers) -> Iterator[str]:
    """Give whose the OS threads are, of workers that have the same ones in one part."""
    groups: dict[str, list[int]] = {}
    for each in found.workers:
        if each.owners is not None:
            groups.setdefault(owners_words(each), []).append(each.pid)
    total = sum(map(len, groups.values()))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[1][0]))
    told = [f"{words} in {who(pids, total)}" for words, pids in ordered[:_MOST_GROUPS]]
    left = sum(len(pids) for _, pids in ordered[_MOST_GROUPS:])
    told += [f"others in {left} more"] if left else []
    if told:
        yield f"OS threads: {'; '.join(told)}"


def _used(workers: Iterable[Worker]) -> Iterator[str]:
    """Say over which time the CPUs used are told."""
    uses = {each.pid: each.use for each in workers if each.use is not None}
    rates = {pid: use for pid, use in uses.items() if use.since == "last look"}
    spans = sorted(use.over_s for use in rates.values())
    parts = []
    if rates:
        parts.append(f"over the {spans[-1]:.1f} s since the last look")
    others = [pid for pid in uses if pid not in rates]
    if others:
        which = f" for {who(others, len(uses))}" if rates else ""
        parts.append(f"on average since each began{which}")
    if parts:
        yield f"CPUs used: {', '.join(parts)}"


def _helper(helper: Helper) -> str:
    size = "" if helper.rss_bytes is None else f", {size_of(helper.rss_bytes)}"
    threads = counted(helper.num_os_threads, "thread")
    return f"{helper.kind} (pid {helper.pid}, {threads}{size})"


def _commands(found: Workers) -> Iterator[tuple[str, str]]:
    """Give the command lines, those that differ in numbers alone as one."""
    same: dict[str, list[Worker]] = {}
    for each in found.workers:
        if each.origin not in ("fork", "forkserver"):
            same.setdefault(re.sub(r"\d+", "0", each.command), []).append(each)
    for group in same.values():
        pids = [each.pid for each in group]
        more = len(pids) - MOST_PIDS
        text = ", ".join(map(str, pids[:MOST_PIDS])) + (f" and {more} more" if more > 0 else "")
        yield f"pid {text}", group[0].command
