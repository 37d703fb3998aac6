"""The live dashboard's facts -> plain text, for a terminal and where no HTML is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..plain import plain_text
from ..words import DASH, none_loaded, shortened, split_remedy
from . import rows
from .chart import chart_words, sparkline
from .facts import PanelFacts

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST = 12
"""Rows of a table; a terminal has few lines."""


def static_text(facts: PanelFacts) -> str:
    """Give the panel as it stands as text without colour, no line wider than the terminal."""
    return plain_text(*_parts(facts))


def _parts(facts: PanelFacts) -> list[RenderableType]:
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column()
    head.add_column(justify="right")
    chips = "  ".join(text for _, text in rows.chips_of(facts))
    pid = facts.snapshot.pid
    head.add_row(Text(f"Live · {rows.state_words(facts)} · pid {pid}"), Text(chips))
    verdict = rows.verdict_of(facts)
    figures = " · ".join(map(str, rows.figures_of(facts)))
    parts: list[RenderableType] = [head, "", _indented(f"{verdict.text}  ({verdict.more})")]
    parts.extend((_indented(figures), ""))
    line = sparkline(facts.ticks, window_s=facts.window_s)
    if line:
        parts.append(_indented(line))
    parts.append(_indented(chart_words(facts.ticks, facts.allowed_cpus, window_s=facts.window_s)))
    parts.extend(("", *_pools(facts), *_owners(facts), *_children(facts)))
    for limit in facts.snapshot.limits:
        parts.append(_indented(rows.limit_words(limit)))  # noqa: PERF401 - one line a limit
    parts.extend(_findings(facts))
    gaps = rows.gaps_of(facts)
    if gaps:
        parts.extend(("", _indented("\n".join(f"not known: {gap}" for gap in gaps))))
    last = f"guard {rows.clipped(facts.guard)} · %omp_status shows more"
    if facts.message:
        last = f"{rows.clipped(facts.message, 200)} · {last}"
    return [*parts, "", _indented(last)]


def _pools(facts: PanelFacts) -> list[RenderableType]:
    pools = rows.pools_of(facts)
    if not pools:
        return [_indented(none_loaded(facts.snapshot))]
    table = _table("pool", ">set", ">alive", ">busy", "")
    for row in pools[:_MOST]:
        counts = (DASH if n is None else str(n) for n in (row.threads, row.alive, row.busy))
        table.add_row(*map(Text, (row.name, *counts, row.note)))
    return [Padding(table, (0, 0, 0, 2)), *_rest(rows.rest_of_pools(pools[_MOST:]))]


def _owners(facts: PanelFacts) -> list[RenderableType]:
    owners = rows.owners_of(facts)
    if not owners:
        return []
    table = _table("threads of", ">alive", ">busy", ">CPUs")
    for row in owners[:_MOST]:
        table.add_row(*map(Text, (row.name, str(row.alive), str(row.busy), f"{row.cpus:.2f}")))
    return ["", Padding(table, (0, 0, 0, 2)), *_rest(rows.rest_of_owners(owners[_MOST:]))]


def _children(facts: PanelFacts) -> list[RenderableType]:
    children = facts.newest.children if facts.newest is not None else ()
    if not children:
        return []
    table = _table(">child", "command", ">threads", ">CPUs")
    for child in children[:_MOST]:
        threads = DASH if child.num_os_threads is None else str(child.num_os_threads)
        cpus = DASH if child.cpus is None else f"{child.cpus:.2f}"
        table.add_row(*map(Text, (str(child.pid), rows.clipped(child.command), threads, cpus)))
    more = len(children) - _MOST
    rest = f"and {more} more" if more > 0 else ""
    return ["", Padding(table, (0, 0, 0, 2)), *_rest(rest)]


def _findings(facts: PanelFacts) -> list[RenderableType]:
    prefix = facts.snapshot.prefix
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for finding in facts.snapshot.findings[:_MOST]:
        lines = [rows.clipped(shortened(finding.title[:2000], prefix), 200)]
        for remedy in finding.remedies[:1]:
            says = " ".join(split_remedy(remedy[:2000], prefix)).rstrip()
            lines.append(f"\N{RIGHTWARDS ARROW} {rows.clipped(says, 400)}")
        table.add_row(Text(finding.severity), Text(rows.clipped(finding.code)), "\n".join(lines))
    return ["", Padding(table, (0, 0, 0, 2))] if facts.snapshot.findings else []


def _rest(line: str) -> list[RenderableType]:
    return [_indented(line)] if line else []


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(column.lstrip(">"), justify=justify, overflow="fold")
    return table


def _indented(line: str) -> RenderableType:
    return Padding(Text(line), (0, 0, 0, 2))
