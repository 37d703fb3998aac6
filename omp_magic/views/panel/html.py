"""The live dashboard's facts -> HTML: the part that changes each tick, findings, messages.

What changes every second has no live region, so that a screen reader is not told each time;
findings and messages have one. The style is a fragment of its own, sent once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...facts.cpus import cpus_words
from ...facts.names import short_command
from ...facts.ticks import ChildTick
from .. import words
from ..html import edge_of, environment
from ..meanings import MEANINGS
from . import chart, figures, pool_rows
from .facts import PanelFacts
from .finding_parts import findings_html
from .names import clipped, pool_label
from .now import verdict_now
from .squares import squares
from .text import static_text
from .twins import hiding_dead, hiding_saved

__all__ = [
    "MOST_BYTES",
    "PanelFacts",
    "findings_html",
    "fold_html",
    "folded_words",
    "live_html",
    "message_html",
    "pool_label",
    "static_html",
    "static_text",
    "style_html",
]

MOST_BYTES = 16_384
"""`live_html` is never larger: above it, tables are shown shorter."""

MOST_BOXED = 16
"""Rows, from the first on, that have a number box: those that are always drawn but for very long
names."""
_ROWS = ((24, 8), (16, 5), (10, 3), (5, 2), (3, 1))
"""Rows of pools and owners, and of children, from the most generous to the one that always fits."""
_LEAST_SCALE = 16
"""CPUs allowed that the squares leave room for, although no pool has so many threads."""
_GREY_AFTER_S = 1.0
"""Seconds that a tick may be overdue, or an interval where that is shorter, before all is grey."""
_LATE_INTERVALS = 3
"""Intervals without a tick after which the page says since when there was none."""
_SQUARES = (
    "filled: at work, orange where they are more than the CPUs; light: alive, asleep; "
    "outline: set, not started; line: the CPUs allowed"
)


@dataclass(frozen=True, slots=True)
class _Child:
    command: str
    pid: int
    threads: str
    cpus: str


def style_html(ident: str = "") -> str:
    """Give the style of all fragments here; one element of it on a page is enough.

    Parameters
    ----------
    ident
        Of the panel whose saved twin is hidden while the panel itself shows.
    """
    return _render("panel_style.html") + (hiding_saved(ident) if ident else "")


def live_html(facts: PanelFacts) -> str:
    """Give the part that changes with each tick.

    Parameters
    ----------
    facts
        What is to be shown.

    Returns
    -------
    str
        One ``div`` of the class ``omp-live``, without a style, of at most `MOST_BYTES` bytes
        of UTF-8. ``data-tick`` is the number of the newest tick (0 before the first) and
        ``data-at`` its time in ms since 1970. Every text in it is escaped.
    """
    picture = chart.cpu_chart(
        facts.ticks,
        facts.allowed_cpus,
        window_s=facts.window_s,
        end="paused" if facts.paused else figures.clock(_at_s(facts)) if facts.saved else "now",
        others=_who(facts),
    )
    page = ""
    for most in _ROWS:
        page = _render("panel_live.html", p=_shown(facts, picture, *most))
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def folded_words(facts: PanelFacts) -> str:
    """Give what the panel folds away, or ""."""
    _, shown = _arrangement(facts)
    return pool_rows.folded_words(pool_rows.rows_of(facts), shown)


def fold_html(facts: PanelFacts) -> str:
    """Give what unfolds the rows that are folded away, and says how many they are; or ""."""
    said = folded_words(facts)
    if not said:
        return ""
    page = Markup('<details class="omp-more"><summary>{}</summary></details>').format(said)
    return str(page)


def message_html(text: str) -> str:
    """Give what a control did, as a live region; it stays, empty, when there is nothing."""
    # The region must be there before its text comes, or screen readers do not read it (ARIA
    # live regions, MDN).
    said = clipped(text, 300)
    return str(Markup('<div role="status" class="omp omp-magic omp-msg">{}</div>').format(said))


def static_html(facts: PanelFacts, ident: str = "") -> str:
    """Give the whole panel as it stands, with its style, for where no widgets are.

    Parameters
    ----------
    facts
        What is to be shown; `facts.saved` should be set.
    ident
        Of the panel that it is the twin of.
    """
    return _render(
        "panel_static.html",
        live=Markup(live_html(facts)),  # noqa: S704 - escaped by its template
        findings=Markup(findings_html(facts)),  # noqa: S704 - escaped by its template
        folded=folded_words(facts),
        ident=ident,
        hiding=Markup(hiding_dead(ident)),  # noqa: S704 - of our own letters
        guard=clipped(facts.guard),
        message=clipped(facts.message, 200).rstrip("."),
    )


def _at_s(facts: PanelFacts) -> float | None:
    return facts.newest.at_s if facts.newest is not None else None


def _who(facts: PanelFacts) -> str:
    """Give who of the others uses most."""
    load = facts.snapshot.load
    if load is None or load.neighbours is None or not load.neighbours.largest:
        return ""
    most = load.neighbours.largest[0]
    return f": pid {most.pid} {short_command(most.command, 20)} {most.cpus:.2f}"


def _arrangement(facts: PanelFacts) -> tuple[tuple[str, ...], frozenset[str]]:
    if facts.shown is not None:
        return facts.order, facts.shown
    return pool_rows.arranged(facts)


def _shown(facts: PanelFacts, picture: str, most: int, children: int) -> dict[str, Any]:
    newest = facts.newest
    _, unfolded = _arrangement(facts)
    rows = pool_rows.rows_of(facts)
    all_children = newest.children if newest is not None else ()
    allowed = facts.allowed_cpus
    largest = max((max(row.wanted, row.alive or 0) for row in rows if row.pool), default=0)
    full = max(largest, min(math.ceil(allowed), _LEAST_SCALE))
    verdict = verdict_now(facts)
    live = facts.threaded and not facts.paused and not facts.saved and newest is not None
    return {
        "number": newest.number if newest is not None else 0,
        "at_ms": round(newest.at_s * 1000) if newest is not None else 0,
        "at": figures.clock(_at_s(facts)),
        "last_in": figures.running_cell(facts),
        "saved": facts.saved,
        "grey_ms": round(1000 * (facts.interval_s + min(facts.interval_s, _GREY_AFTER_S))),
        "late_ms": round(1000 * facts.interval_s * _LATE_INTERVALS) if live else 0,
        "state": figures.state_words(facts),
        "tone": edge_of(verdict.tone),
        "verdict": {"text": clipped(verdict.text, 160), "more": clipped(verdict.more, 160)},
        "figures": figures.figures_of(facts),
        "curve": _curve(facts) if facts.saved else "",
        "chart": Markup(picture),  # noqa: S704 - numbers, and a label that is escaped there
        "dash": words.DASH,
        "line": cpus_words(allowed) if allowed < full else "",
        "squares_title": _SQUARES,
        "m": MEANINGS,
        "rows": [
            (
                row,
                _squares(row, full, allowed),
                place,
                row.key not in unfolded,
                row.key in facts.boxed,
            )
            for place, row in enumerate(rows[:most], 1)
        ],
        "rest": pool_rows.rest_of_rows(rows[most:]),
        "no_pools": "" if facts.snapshot.pools else words.none_loaded(facts.snapshot),
        "limits": [figures.limit_words(limit) for limit in facts.snapshot.limits[-3:]],
        "processes": f"Child processes: {len(all_children)}",
        "children": list(_children(all_children[:children])),
        "more_children": _rest_of_children(all_children[children:]),
        "gaps": figures.gaps_of(facts)[:3],
    }


def _curve(facts: PanelFacts) -> str:
    """Give the chart as a line of text: untrusted, a notebook has no drawings and no styles."""
    drawn = chart.sparkline(facts.ticks, window_s=facts.window_s)
    said = chart.chart_words(facts.ticks, facts.allowed_cpus, window_s=facts.window_s)
    return f"{drawn} {said}".lstrip()


def _squares(row: pool_rows.Row, full: int, allowed: float) -> Markup:
    if row.lent or not row.pool or not (row.wanted or row.alive):
        return Markup("")
    drawing = squares(row.wanted, row.alive, row.busy, full=full, allowed=allowed, label=row.label)
    return Markup(drawing)  # noqa: S704 - numbers, and a label that is escaped there


def _children(children: tuple[ChildTick, ...]) -> Iterator[_Child]:
    for child in children:
        threads, cpus = child.num_os_threads, child.cpus
        yield _Child(
            clipped(_without_folder(child.command), 40) or words.DASH,
            child.pid,
            words.DASH if threads is None else str(threads),
            words.DASH if cpus is None else f"{cpus:.2f}",
        )


def _without_folder(command: str) -> str:
    """Give a command line without the folder of its program, which tells nobody anything."""
    program, blank, rest = command.partition(" ")
    return program.rpartition("/")[2] + blank + rest


def _rest_of_children(children: tuple[ChildTick, ...]) -> str:
    if not children:
        return ""
    threads = [child.num_os_threads for child in children if child.num_os_threads is not None]
    return f"and {len(children)} more, with {words.counted(sum(threads), 'thread')}"


def _render(name: str, **values: Any) -> str:
    return environment().get_template(name).render(**values)
