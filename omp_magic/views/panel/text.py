"""The live dashboard's facts -> plain text, for a terminal and where no HTML is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..finding_text import finding_lines
from ..lines import line, table, verdict_lines, wrapped
from ..plain import joined, terminal_columns
from ..verdict import Verdict
from ..words import DASH, none_loaded, shortened
from . import figures
from .chart import chart_words, sparkline
from .facts import PanelFacts
from .names import clipped
from .now import verdict_now
from .pool_rows import rest_of_rows, rows_of

if TYPE_CHECKING:
    from rich.text import Text

    from ...facts.libraries import Finding

_MOST = 16
"""Rows of a table; a terminal has few lines."""
_MOST_FINDINGS, _FIRST_REMEDIES = 12, 2
_SPARKLINE = 60


def static_text(facts: PanelFacts) -> str:
    """Give the panel as it stands as text without colour; only code is wider than the terminal."""
    width = terminal_columns()
    verdict = verdict_now(facts)
    parts = [_head(facts, verdict, width), _findings(facts, verdict, width)]
    parts += [_curve(facts, width), _rows(facts, width), _children(facts, width)]
    parts.append(list(_last(facts, width)))
    lines: list[Text] = []
    for part in filter(None, parts):
        lines += [line(), *part] if lines else part
    return joined(lines)


def _head(facts: PanelFacts, verdict: Verdict, width: int) -> list[Text]:
    prefix = facts.snapshot.prefix
    lines = verdict_lines(clipped(shortened(verdict.text, prefix), 200), verdict.tone, width)
    if verdict.more:
        lines += _said(clipped(shortened(verdict.more, prefix), 200), width)
    return lines + _said(f"{figures.state_words(facts)} · pid {facts.snapshot.pid}", width)


def _curve(facts: PanelFacts, width: int) -> list[Text]:
    lines = _said(" · ".join(map(str, figures.figures_of(facts))), width)
    drawn = sparkline(
        facts.ticks, window_s=facts.window_s, columns=min(_SPARKLINE, max(10, width - 4))
    )
    if drawn:
        lines.append(line(f"  {drawn}"))
    words = chart_words(facts.ticks, facts.allowed_cpus, window_s=facts.window_s)
    return lines + _said(words, width)


def _rows(facts: PanelFacts, width: int) -> list[Text]:
    rows = rows_of(facts)
    lines = [] if facts.snapshot.pools else _said(none_loaded(facts.snapshot), width)
    if rows:
        columns = ("pool", ">alive", ">busy", ">CPUs", ">set", "")
        cells = [
            (
                row.name,
                *(DASH if n is None else str(n) for n in (row.alive, row.busy)),
                DASH if row.cpus is None else f"{row.cpus:.2f}",
                "" if not row.pool else DASH if row.threads is None else str(row.threads),
                row.note,
            )
            for row in rows[:_MOST]
        ]
        lines += table(columns, cells, width)
    rest = rest_of_rows(rows[_MOST:])
    return lines + (_said(rest, width) if rest else [])


def _children(facts: PanelFacts, width: int) -> list[Text]:
    children = facts.newest.children if facts.newest is not None else ()
    if not children:
        return []
    cells = []
    for child in children[:_MOST]:
        threads = DASH if child.num_os_threads is None else str(child.num_os_threads)
        cpus = DASH if child.cpus is None else f"{child.cpus:.2f}"
        cells.append((str(child.pid), clipped(child.command), threads, cpus))
    lines = table((">child", "command", ">threads", ">CPUs"), cells, width)
    more = len(children) - _MOST
    return lines + (_said(f"and {more} more", width) if more > 0 else [])


def _findings(facts: PanelFacts, verdict: Verdict, width: int) -> list[Text]:
    lines: list[Text] = []
    for finding in facts.snapshot.findings[:_MOST_FINDINGS]:
        shown = _clipped(finding)
        if finding.title == verdict.text:
            shown = replace(shown, title="")  # the verdict says it
        lines += finding_lines(
            shown, facts.snapshot.prefix, width=width, first_remedies=_FIRST_REMEDIES
        )
    return lines


def _clipped(finding: Finding) -> Finding:
    """Give a finding whose sentences fit; what is to be run is whole or not there."""
    return replace(
        finding,
        code=clipped(finding.code, 12),
        title=clipped(finding.title, 200),
        why=clipped(finding.why, 400),
        remedies=tuple(each for each in finding.remedies if len(each) <= 1000),
    )


def _last(facts: PanelFacts, width: int) -> Iterator[Text]:
    for limit in facts.snapshot.limits:
        yield from _said(figures.limit_words(limit), width)
    for gap in figures.gaps_of(facts):
        yield from _said(f"not known: {gap}", width)
    words = [clipped(facts.message, 200)] if facts.message else []
    words += [f"guard {clipped(facts.guard)}", "%omp_status shows more"]
    yield from _said(" · ".join(words), width)


def _said(text: str, width: int) -> list[Text]:
    return wrapped(text, width, first="  ")
