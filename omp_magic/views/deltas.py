"""What changed -> rows of words, the same in text and HTML."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..facts.changes import Change
from ..facts.cpus import Bound, Budget, cpus_words
from ..facts.differences import Delta, Difference
from ..facts.libraries import Finding, Library, Pool
from ..facts.limits import Limit
from ..facts.processes import Child, ThreadOwner
from ..facts.settings import OURS, EnvSetting
from ..facts.tasks import TaskBound
from .variables import value_of
from .words import (
    bound_cpus,
    counted,
    decided_by,
    from_of,
    pool_size,
    pool_state,
    state_of,
    threads_of,
    title_of,
    workers_of,
)

T = TypeVar("T")
_ARROW = "\N{RIGHTWARDS ARROW}"
_SIGNS = {"came": "+", "went": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that changed.

    Parameters
    ----------
    sign
        ``"+"``, ``"-"`` or ``"~"``: it came, went, or is another now.
    kind
        What it is: ``"runtime"``, ``"variable"`` …
    name
        Which one.
    text
        What it was and is.
    tone
        ``"bad"``, ``"notable"``, ``"good"`` or ``"plain"``; colour only ever repeats the words.
    """

    sign: str
    kind: str
    name: str
    text: str
    tone: str = "plain"


def rows_of(difference: Difference) -> tuple[Row, ...]:
    """Give what changed, findings first."""
    return tuple(_rows(difference))


def _rows(difference: Difference) -> Iterator[Row]:
    if difference.pid_before != difference.pid_after:
        text = f"pid {difference.pid_before} {_ARROW} {difference.pid_after}"
        yield Row("~", "process", "another process", text, "notable")
    yield from map(_finding, difference.findings)
    if difference.budget is not None:
        yield _budget(difference.budget)
    told = difference.budget.after if difference.budget is not None else None
    variables = {each.either.name for each in difference.environment}
    for bound in difference.bounds:
        binds = told is not None and bound.after == told.binding
        if not binds and bound.either.source not in variables:
            yield _bound(bound)
    yield from map(_library, difference.libraries)
    paths = {each.either.path for each in difference.libraries}
    for pool in difference.pools:
        if pool.either.library not in paths:
            yield _pool(pool)
    yield from _threads(difference)
    yield from _variables(difference)
    yield from map(_limit, difference.limits)
    yield from map(_task, difference.tasks)
    yield from map(_change, difference.changes)
    yield from map(_child, difference.children)


def _finding(delta: Delta[Finding]) -> Row:
    finding = delta.either
    if delta.after is None:
        return Row("-", "finding", finding.code, f"no longer: {finding.title}", "good")
    tone = {"error": "bad", "warning": "notable"}.get(finding.severity, "plain")
    return Row(_sign(delta), "finding", finding.code, f"{finding.severity}: {finding.title}", tone)


def _budget(delta: Delta[Budget]) -> Row:
    before, after = delta.before, delta.after
    assert before is not None  # noqa: S101 - a budget neither comes nor goes
    assert after is not None  # noqa: S101 - as above
    text = f"{decided_by(after.binding)} decides, {decided_by(before.binding)} before"
    if before.binding == after.binding or decided_by(before.binding) == decided_by(after.binding):
        text = f"{decided_by(after.binding)} decides"
    if before.affinity_cpus != after.affinity_cpus:
        text += f"; affinity {before.affinity_cpus} {_ARROW} {after.affinity_cpus}"
    name = _moved(cpus_words(before.cpus), cpus_words(after.cpus))
    return Row("~", "CPUs", name, text, "notable" if after.cpus < before.cpus else "plain")


def _bound(delta: Delta[Bound]) -> Row:
    where = f" of {delta.either.where}" if delta.either.where else ""
    name = f"{delta.either.source}{where}"
    return Row(_sign(delta), "CPU bound", name, _values(delta, bound_cpus, "no limit"))


def _library(delta: Delta[Library]) -> Row:
    library = delta.either
    name = f"{title_of(library)} ({from_of(library)})"
    bad = "bad" if delta.after is not None and delta.after.replaced else "plain"
    if delta.before is None:
        return Row("+", "runtime", name, _now(library), bad)
    if delta.after is None:
        return Row("-", "runtime", name, f"unloaded; it was {state_of(library).text}")
    before, after = delta.before, delta.after
    words = [
        f"{what} {_moved(was, now)}"
        for what, was, now in (
            ("threads", threads_of(before), threads_of(after)),
            ("workers", workers_of(before), workers_of(after)),
            ("", state_of(before).text, state_of(after).text),
        )
        if was != now
    ]
    layers = before.threading_layer, after.threading_layer
    if None not in layers and layers[0] != layers[1]:
        words.append(f"layer {_moved(str(layers[0]), str(layers[1]))}")
    return Row("~", "runtime", name, ", ".join(map(str.strip, words)) or _now(after), bad)


def _now(library: Library) -> str:
    parts = [state_of(library).text]
    if library.num_threads is not None:
        parts.append(counted(library.num_threads, "thread"))
    if library.workers is not None:
        parts.append(counted(library.workers, "worker"))
    return ", ".join(parts)


def _pool(delta: Delta[Pool]) -> Row:
    def words(pool: Pool) -> str:
        threads = "" if pool.num_threads is None else f"{pool_size(pool)} threads"
        return ", ".join(filter(None, (threads, pool_state(pool)))) or "size not known"

    text = words(delta.either)
    if delta.before is not None and delta.after is not None:
        text = _moved(words(delta.before), words(delta.after))
    return Row(_sign(delta), "pool", delta.either.name, text)


def _threads(difference: Difference) -> Iterator[Row]:
    if difference.num_os_threads is not None:
        before, after = difference.num_os_threads
        yield Row("~", "threads", "all OS threads", _moved(str(before), str(after)))
    python = difference.python_threads
    if python is not None and python.before is not None and python.after is not None:
        text = _moved(str(python.before.alive), str(python.after.alive))
        yield Row("~", "threads", "Python", text)
    yield from map(_owner, difference.thread_owners)


def _owner(delta: Delta[ThreadOwner]) -> Row:
    owner = delta.either
    name = os.path.basename(owner.path)
    name = f"{name} ({owner.package})" if owner.package else name
    return Row(
        _sign(delta), "threads", name, _values(delta, lambda each: str(each.num_threads), "0")
    )


def _variables(difference: Difference) -> Iterator[Row]:
    """Give a row a variable, and one for all that a limit of omp_magic set or took back."""
    ours: dict[str, list[str]] = {}
    for delta in difference.environment:
        by_us = delta.after is None or delta.after.set_by == OURS
        if by_us and (delta.before is None or delta.before.set_by == OURS):
            ours.setdefault(delta.how, []).append(delta.either.name)
        else:
            yield _variable(delta)
    for how, names in ours.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        text = {"came": "set by omp_limit", "went": "no longer set by omp_limit"}.get(how, "")
        text = text or "set to another value by omp_limit"
        yield Row(_SIGNS[how], "variable", f"{names[0]}{more}", text)


def _variable(delta: Delta[EnvSetting]) -> Row:
    text = _values(delta, value_of, "not set")
    settings = [each for each in (delta.before, delta.after) if each is not None]
    if any(each.python != each.native for each in settings):
        text += f"; os.environ: {_values(delta, _of_python, 'not set')}"
    after = delta.after
    by = after.change.by if after is not None and after.change is not None else ""
    by = by or (" or ".join(after.set_by) if after is not None else "")
    return Row(_sign(delta), "variable", delta.either.name, f"{text}, by {by}" if by else text)


def _of_python(setting: EnvSetting) -> str:
    return "not set" if setting.python is None else setting.python


def _limit(delta: Delta[Limit]) -> Row:
    limit = delta.either
    text = "ended" if delta.after is None else f"back with {limit.undo}"
    return Row(_sign(delta), "limit", limit.spec, f"set by {limit.set_by}; {text}")


def _task(delta: Delta[TaskBound]) -> Row:
    bound = delta.either
    name = f"{bound.name or bound.source}{f' of {bound.where}' if bound.where else ''}"
    amount = _values(
        delta, lambda each: "no limit" if each.limit is None else str(each.limit), "no limit"
    )
    return Row(_sign(delta), "task bound", name, amount)


def _change(delta: Delta[Change]) -> Row:
    change = delta.either
    name = " ".join(filter(None, (change.what, change.name)))
    if delta.after is None:
        return Row("-", "changed", name, f"back as it was: {change.before or 'not set'}", "good")
    was = delta.before.after if delta.before is not None else change.before
    text = f"{_moved(was or 'not set', change.after or 'not set')}, by {change.doer}"
    return Row("~", "changed", name, text, "notable")


def _child(delta: Delta[Child]) -> Row:
    def words(child: Child) -> str:
        pool = "pool not known"
        if child.pool_threads is not None:
            pool = f"pool of {child.pool_threads}"
        return f"{pool}, {counted(child.num_os_threads, 'OS thread')}"

    child = delta.either
    command = "forked from this process" if child.forked else child.command
    text = words(child)
    if delta.after is None:
        text = "ended"
    elif delta.before is not None:
        text = _moved(words(delta.before), words(delta.after))
    return Row(_sign(delta), "worker", f"pid {child.pid} {command}", text)


def _values(delta: Delta[T], words: Callable[[T], str], none: str) -> str:
    before = none if delta.before is None else words(delta.before)
    after = none if delta.after is None else words(delta.after)
    return _moved(before, after)


def _moved(before: str, after: str) -> str:
    return before if before == after else f"{before} {_ARROW} {after}"


def _sign(delta: Delta[object]) -> str:
    return _SIGNS[delta.how]
