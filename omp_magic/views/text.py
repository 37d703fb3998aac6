"""Snapshot -> plain text, complete enough for a terminal; rich lays it out."""

from __future__ import annotations

from typing import Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..facts.snapshots import Snapshot
from .changed import changes_of
from .plain import plain_text
from .tasks import task_limit, task_role, task_used, tasks_of
from .variables import effect_of, history_of, value_of
from .words import (
    DASH,
    State,
    bound_cpus,
    bound_role,
    bound_where,
    context_of,
    counted,
    counts_of,
    cpus_of,
    decided_by,
    from_of,
    largest_pool,
    load_of,
    none_loaded,
    owner_of,
    pool_size,
    pool_state,
    printable,
    python_pools,
    shortened,
    split_remedy,
    state_of,
    threads_of,
    title_of,
    wants_of,
    workers_of,
)

_TONES = {"error": "bold red", "warning": "yellow", "info": "cyan", "bad": "red", "good": "green"}


def render_text(snapshot: Snapshot) -> str:
    """Give a snapshot as text without colour, no line wider than the terminal."""
    return plain_text(layout(snapshot))


def layout(snapshot: Snapshot) -> RenderableType:
    """Give a snapshot for a rich console, which adds the colours it can show."""
    parts: list[RenderableType] = [_header(snapshot), "", _budget(snapshot), ""]
    if snapshot.libraries:
        parts.append(_libraries(snapshot))
    else:
        parts.append(_indented(Text(none_loaded(snapshot))))
    if python_pools(snapshot):
        parts.extend(("", _pools(snapshot)))
    if snapshot.children:
        parts.extend(("", _children(snapshot)))
    for number, line in enumerate((*changes_of(snapshot), *_limits(snapshot))):
        parts.extend((*([] if number else [""]), _indented(Text(printable(line)))))
    if snapshot.findings:
        parts.extend(("", _findings(snapshot)))
    if "cpus" in snapshot.shown:
        parts.extend(("", _cpus(snapshot)))
    if "env" in snapshot.shown:
        parts.extend(("", _environment(snapshot)))
    if snapshot.os_threads is not None:
        parts.extend(("", _threads(snapshot)))
    if snapshot.gaps:
        parts.extend(("", _gaps(snapshot)))
    parts.extend(("", _footer(snapshot)))
    return Group(*parts)


def _limits(snapshot: Snapshot) -> list[str]:
    return [
        f"limit {limit.spec}, set by {limit.set_by}; back with {limit.undo}"
        for limit in snapshot.limits
    ]


def _header(snapshot: Snapshot) -> RenderableType:
    left = Text("Threads in this process", style="bold")
    left.append(
        f" · pid {snapshot.pid} · Python {printable(snapshot.python)}", style="not bold dim"
    )
    right = Text("  ").join(Text(text, style=_TONES[tone]) for tone, text in counts_of(snapshot))
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    table.add_row(left, right)
    return table


def _budget(snapshot: Snapshot) -> RenderableType:
    line = Text(cpus_of(snapshot), style="bold")
    words = f"  {decided_by(snapshot.budget.binding)} decides ({context_of(snapshot)})"
    line.append(printable(words), style="not bold")
    many = largest_pool(snapshot) > snapshot.budget.threads
    line.append("\n" + wants_of(snapshot), style="not bold yellow" if many else "not bold dim")
    for more in (tasks_of(snapshot), load_of(snapshot), *snapshot.budget.notes):
        if more:
            line.append("\n" + printable(more), style="not bold dim")
    return _indented(line)


def _libraries(snapshot: Snapshot) -> RenderableType:
    table = _table("runtime", "from", ">threads", ">workers", "state")
    for library in snapshot.libraries:
        table.add_row(
            _plain(title_of(library)),
            _plain(from_of(library)),
            _plain(threads_of(library)),
            _plain(workers_of(library)),
            _toned(state_of(library)),
        )
    files = _table("files, in the same order")
    for library in snapshot.libraries:
        files.add_row(_plain(shortened(library.path, snapshot.prefix)))
    return Group(_indented(table), "", _indented(files))


def _pools(snapshot: Snapshot) -> RenderableType:
    table = _table("pool in a package", ">threads", "")
    for pool in python_pools(snapshot):
        table.add_row(_plain(pool.name), _plain(pool_size(pool)), _plain(pool_state(pool)))
    return _indented(table)


def _children(snapshot: Snapshot) -> RenderableType:
    table = _table(">worker", "command", ">pool", ">OS threads")
    for child in snapshot.children:
        table.add_row(
            str(child.pid),
            _plain("forked from this process" if child.forked else child.command),
            DASH if child.pool_threads is None else str(child.pool_threads),
            str(child.num_os_threads),
        )
    return _indented(table)


def _findings(snapshot: Snapshot) -> RenderableType:
    def short(text: str) -> str:
        return printable(shortened(text, snapshot.prefix))

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for finding in snapshot.findings:
        body = Text(short(finding.title), style="bold")
        body.append("\n" + short(finding.why), style="not bold dim")
        for remedy in finding.remedies:
            line = printable(" ".join(split_remedy(remedy, snapshot.prefix)).rstrip())
            body.append(f"\n\N{RIGHTWARDS ARROW} {line}", style="not bold not dim")
        table.add_row(Text(finding.severity, style=_TONES[finding.severity]), finding.code, body)
    return _indented(table)


def _cpus(snapshot: Snapshot) -> RenderableType:
    table = _table("bound", ">CPUs", "set by", "")
    for bound in snapshot.budget.bounds:
        table.add_row(
            _plain(bound.source),
            _plain(bound_cpus(bound)),
            _plain(bound_where(bound)),
            _plain(bound_role(bound, snapshot)),
        )
    if snapshot.tasks is None or not snapshot.tasks.bounds:
        return _indented(table)
    tasks = _table("bound", ">tasks", ">used", "set by", "")
    for each in snapshot.tasks.bounds:
        where = f"{each.name} of {each.where}" if each.where else each.name
        role = task_role(each, snapshot)
        tasks.add_row(*map(_plain, (each.source, task_limit(each), task_used(each), where, role)))
    return Group(_indented(table), "", _indented(tasks))


def _environment(snapshot: Snapshot) -> RenderableType:
    if not snapshot.environment:
        return _indented(Text("None of the variables that matter is set"))
    table = _table("variable", "value", "history", "effect")
    for setting in snapshot.environment:
        table.add_row(
            _plain(setting.name),
            _plain(value_of(setting)),
            _plain(history_of(setting)),
            _plain(effect_of(setting)),
        )
    return _indented(table)


def _threads(snapshot: Snapshot) -> RenderableType:
    table = _table(">thread", "name", "state", ">CPU s", "belongs to")
    for thread in snapshot.os_threads or ():
        table.add_row(
            str(thread.tid),
            _plain(thread.name),
            _plain(thread.state),
            f"{thread.cpu_s:.2f}",
            _plain(owner_of(thread)),
        )
    return _indented(table)


def _gaps(snapshot: Snapshot) -> RenderableType:
    lines = [
        f"not known: {gap.what}: {gap.why}" + (f" ({gap.where})" if gap.where else "")
        for gap in snapshot.gaps
    ]
    return _indented(Text("\n".join(map(printable, lines)), style="dim"))


def _footer(snapshot: Snapshot) -> RenderableType:
    parts = []
    if snapshot.findings:
        parts.append(f"%omp_explain {snapshot.findings[0].code}")
    if "cpus" not in snapshot.shown:
        parts.append(f"{counted(len(snapshot.budget.bounds), 'bound')} on the CPUs (--cpus)")
    if "env" not in snapshot.shown:
        parts.append(f"{counted(len(snapshot.environment), 'variable')} set (--env)")
    if snapshot.os_threads is None and snapshot.num_os_threads is not None:
        parts.append(f"{snapshot.num_os_threads} OS threads (--threads)")
    return _indented(Text(" · ".join(parts) or "--json gives all of it", style="dim"))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return table


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2))


def _plain(text: str) -> Text:
    return Text(printable(text))


def _toned(state: State) -> Text:
    return Text(printable(state.text), style=_TONES.get(state.tone, ""))
