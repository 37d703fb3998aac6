"""Snapshot -> lines of text: the verdict, what is wrong, then the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..facts.snapshots import Snapshot
from .changed import changes_of
from .finding_text import finding_lines, spoken
from .lines import TONES, Cell, line, table, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns
from .tasks import task_limit, task_role, task_used, tasks_of
from .variables import effect_of, history_of, value_of
from .verdict import Verdict, verdict_of
from .words import (
    DASH,
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
    python_pools,
    shortened,
    state_of,
    threads_of,
    title_of,
    wants_of,
    workers_of,
)

if TYPE_CHECKING:
    from rich.text import Text


def render_text(snapshot: Snapshot) -> str:
    """Give a snapshot as text without colour; sentences and tables are no wider than asked."""
    return joined(layout(snapshot))


def render_display(snapshot: Snapshot) -> str:
    """Give a snapshot as IPython shows it, with colours in a terminal."""
    return for_display(layout(snapshot))


def layout(snapshot: Snapshot, *, magics: bool = True) -> list[Text]:
    """Give a snapshot in lines.

    Parameters
    ----------
    snapshot
        The facts and findings.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    width = terminal_columns()
    verdict = verdict_of(snapshot)
    parts = [_header(snapshot, verdict, width)]
    for finding in snapshot.findings:
        if (finding.code, finding.title) == (verdict.code, verdict.text):
            finding = replace(finding, title="")  # noqa: PLW2901 - not twice
        parts.append(finding_lines(finding, snapshot.prefix, width=width, magics=magics))
    parts += [_budget(snapshot, width), _libraries(snapshot, width), _pools(snapshot, width)]
    if snapshot.workers is None:
        parts.append(_children(snapshot, width))
    else:
        from .workers import table_of  # noqa: PLC0415 - only who asked for workers pays
        from .workers_text import worker_lines  # noqa: PLC0415 - as above

        parts += worker_lines(table_of(snapshot.workers, snapshot), width)
    if snapshot.outside is not None:
        from .outside_text import wait_lines  # noqa: PLC0415 - only another process pays

        parts.append(wait_lines(snapshot, snapshot.outside, width))
    parts.append(_rest(snapshot, width, magics=magics))
    if "cpus" in snapshot.shown:
        parts += [_cpus(snapshot, width), _tasks(snapshot, width)]
    if "env" in snapshot.shown:
        parts.append(_environment(snapshot, width))
    if snapshot.os_threads is not None:
        parts.append(_threads(snapshot, width))
    parts += [_gaps(snapshot, width), _footer(snapshot, width, magics=magics)]
    lines: list[Text] = []
    for part in filter(None, parts):
        lines += [line(), *part] if lines else part
    return lines


def _header(snapshot: Snapshot, verdict: Verdict, width: int) -> list[Text]:
    lines = verdict_lines(shortened(verdict.text, snapshot.prefix), verdict.tone, width)
    if verdict.more:
        lines += _sentence(shortened(verdict.more, snapshot.prefix), width, "dim")
    facts = f"Threads in this process · pid {snapshot.pid} · Python {snapshot.python}"
    if snapshot.outside is not None:
        from .outside import who_of  # noqa: PLC0415 - only another process pays

        facts = who_of(snapshot, snapshot.outside)
    return [*lines, *_sentence(" · ".join((facts, *_counts(snapshot))), width, "dim")]


def _counts(snapshot: Snapshot) -> list[str]:
    return [text for _, text in counts_of(snapshot)]


def _budget(snapshot: Snapshot, width: int) -> list[Text]:
    cpus = cpus_of(snapshot)
    words = f"{decided_by(snapshot.budget.binding)} decides ({context_of(snapshot)})"
    lines = wrapped(words, width, first=(f"  {cpus}  ", "bold"), further="    ")
    many = largest_pool(snapshot) > snapshot.budget.threads
    lines += _sentence(wants_of(snapshot), width, TONES["warning"] if many else "dim")
    for more in (tasks_of(snapshot), load_of(snapshot), *snapshot.budget.notes):
        lines += _sentence(more, width, "dim") if more else []
    return lines


def _libraries(snapshot: Snapshot, width: int) -> list[Text]:
    if not snapshot.libraries:
        return _sentence(none_loaded(snapshot), width)
    rows: list[list[Cell]] = []
    for each in snapshot.libraries:
        state = state_of(each)
        rows.append(
            [
                title_of(each),
                from_of(each),
                threads_of(each),
                workers_of(each),
                (state.text, TONES[state.tone]),
            ]
        )
    lines = table(("runtime", "from", ">threads", ">workers", "state"), rows, width)
    files = [[shortened(each.path, snapshot.prefix)] for each in snapshot.libraries]
    return [*lines, line(), *table(("files, in the same order",), files, width)]


def _pools(snapshot: Snapshot, width: int) -> list[Text]:
    rows = [(each.name, pool_size(each), pool_state(each)) for each in python_pools(snapshot)]
    return table(("pool in a package", ">threads", ""), rows, width) if rows else []


def _children(snapshot: Snapshot, width: int) -> list[Text]:
    rows = [
        (
            str(child.pid),
            child.helper or ("forked from this process" if child.forked else child.command),
            DASH if child.pool_threads is None else str(child.pool_threads),
            str(child.num_os_threads),
        )
        for child in snapshot.children
    ]
    return table((">worker", "command", ">pool", ">OS threads"), rows, width) if rows else []


def _rest(snapshot: Snapshot, width: int, *, magics: bool) -> list[Text]:
    """Give what imports changed, and the limits that are in force."""
    limits = (
        f"limit {limit.spec}, set by {limit.set_by}; back with {limit.undo}"
        for limit in snapshot.limits
    )
    told = (spoken(text, "", magics=magics) for text in (*changes_of(snapshot), *limits))
    return [each for text in told for each in _sentence(text, width)]


def _cpus(snapshot: Snapshot, width: int) -> list[Text]:
    rows = [
        (each.source, bound_cpus(each), bound_where(each), bound_role(each, snapshot))
        for each in snapshot.budget.bounds
    ]
    return table(("bound", ">CPUs", "set by", ""), rows, width)


def _tasks(snapshot: Snapshot, width: int) -> list[Text]:
    if snapshot.tasks is None or not snapshot.tasks.bounds:
        return []
    rows = []
    for each in snapshot.tasks.bounds:
        where = f"{each.name} of {each.where}" if each.where else each.name
        role = task_role(each, snapshot)
        rows.append((each.source, task_limit(each), task_used(each), where, role))
    return table(("bound", ">tasks", ">used", "set by", ""), rows, width)


def _environment(snapshot: Snapshot, width: int) -> list[Text]:
    if not snapshot.environment:
        return _sentence("None of the variables that matter is set", width)
    rows = [
        (each.name, value_of(each), history_of(each), effect_of(each))
        for each in snapshot.environment
    ]
    return table(("variable", "value", "history", "effect"), rows, width)


def _threads(snapshot: Snapshot, width: int) -> list[Text]:
    rows = [
        (str(each.tid), each.name, each.state, f"{each.cpu_s:.2f}", owner_of(each))
        for each in snapshot.os_threads or ()
    ]
    return table((">thread", "name", "state", ">CPU s", "belongs to"), rows, width)


def _gaps(snapshot: Snapshot, width: int) -> list[Text]:
    lines: list[Text] = []
    for gap in snapshot.gaps:
        where = f" ({gap.where})" if gap.where else ""
        lines += _sentence(f"not known: {gap.what}: {gap.why}{where}", width, "dim")
    return lines


def _footer(snapshot: Snapshot, width: int, *, magics: bool) -> list[Text]:
    parts = []
    if snapshot.findings:
        parts.append(spoken(f"%omp_explain {snapshot.findings[0].code}", "", magics=magics))
    if "cpus" not in snapshot.shown:
        parts.append(f"{counted(len(snapshot.budget.bounds), 'bound')} on the CPUs (--cpus)")
    if "env" not in snapshot.shown:
        parts.append(f"{counted(len(snapshot.environment), 'variable')} set (--env)")
    if snapshot.os_threads is None and snapshot.num_os_threads is not None:
        parts.append(f"{counted(snapshot.num_os_threads, 'OS thread')} (--threads)")
    if snapshot.children and snapshot.workers is None and snapshot.outside is None:
        working = sum(not child.helper for child in snapshot.children)
        parts.append(f"{counted(working, 'worker')} (--workers)")
    return _sentence(" · ".join(parts) or "--json gives all of it", width, "dim")


def _sentence(text: str, width: int, style: str = "") -> list[Text]:
    return wrapped(text, width, first="  ", further="    ", style=style)
