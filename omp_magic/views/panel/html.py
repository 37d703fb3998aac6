"""The live dashboard's facts -> HTML: the part that changes each tick, findings, messages.

What changes every second has no live region, so that a screen reader is not told each time;
findings and messages have one. The style is a fragment of its own, sent once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...facts.cpus import cpus_words
from ...facts.libraries import Finding
from ...facts.ticks import ChildTick
from .. import words
from ..html import environment
from . import chart, rows
from .facts import PanelFacts
from .rows import pool_label
from .squares import squares
from .text import static_text

__all__ = [
    "MOST_BYTES",
    "PanelFacts",
    "findings_html",
    "live_html",
    "message_html",
    "pool_label",
    "static_html",
    "static_text",
    "style_html",
]

MOST_BYTES = 16_384
"""`live_html` is never larger: above it, tables are shown shorter."""

_ROWS = ((12, 8, 8), (8, 6, 5), (6, 4, 3), (3, 2, 2))
"""Rows of pools, owners and children, from the most generous to the one that always fits."""
_FINDINGS = ((8, 3), (8, 1), (4, 1), (4, 0))
"""Findings, and remedies of each."""
_LONGEST_RUN = 300
_LEAST_SCALE = 16
"""CPUs allowed that the squares leave room for, although no pool has so many threads."""


@dataclass(frozen=True, slots=True)
class _Child:
    command: str
    pid: int
    threads: str
    cpus: str


def style_html() -> str:
    """Give the style of all fragments here; one element of it on a page is enough."""
    return _render("panel_style.html")


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
        end="paused" if facts.paused else "now",
    )
    page = ""
    for most in _ROWS:
        page = _render("panel_live.html", p=_shown(facts, picture, *most))
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def findings_html(facts: PanelFacts, *, quiet: bool = False) -> str:
    """Give the findings, each an element of the class ``omp-f`` with its ``data-code``.

    Parameters
    ----------
    facts
        What is to be shown.
    quiet
        Whether the findings are those that were shown before, with other figures. The whole is a
        live region (``role="status"``), and a screen reader need not read all of it again.
    """
    page = ""
    for most, remedies in _FINDINGS:
        page = _findings(facts, most, remedies, quiet=quiet)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def message_html(text: str) -> str:
    """Give what a control did, as a live region; it stays, empty, when there is nothing."""
    # The region must be there before its text comes, or screen readers do not read it (ARIA
    # live regions, MDN).
    said = rows.clipped(text, 300)
    return str(Markup('<div role="status" class="omp omp-magic omp-msg">{}</div>').format(said))


def static_html(facts: PanelFacts) -> str:
    """Give the whole panel as it stands, with its style, for where no widgets are."""
    newest = facts.newest
    return _render(
        "panel_static.html",
        live=Markup(live_html(facts)),  # noqa: S704 - escaped by its template
        findings=Markup(findings_html(facts)),  # noqa: S704 - escaped by its template
        moment=_moment(newest.at_s) if newest is not None else "",
        guard=rows.clipped(facts.guard),
        message=rows.clipped(facts.message, 200).rstrip("."),
    )


def _shown(
    facts: PanelFacts, picture: str, pools: int, owners: int, children: int
) -> dict[str, Any]:
    newest = facts.newest
    all_pools, all_owners = rows.pools_of(facts), rows.owners_of(facts)
    all_children = newest.children if newest is not None else ()
    allowed = facts.allowed_cpus
    largest = max((max(row.wanted, row.alive or 0) for row in all_pools), default=0)
    full = max(largest, min(math.ceil(allowed), _LEAST_SCALE))
    number = newest.num_threads if newest is not None else None
    return {
        "number": newest.number if newest is not None else 0,
        "at_ms": round(newest.at_s * 1000) if newest is not None else 0,
        "state": rows.state_words(facts),
        "chips": rows.chips_of(facts),
        "verdict": rows.verdict_of(facts),
        "figures": rows.figures_of(facts),
        "chart": Markup(picture),  # noqa: S704 - numbers, and a label that is escaped there
        "dash": words.DASH,
        "line": cpus_words(allowed) if allowed < full else "",
        "pools": [(row, _squares(row, full, allowed)) for row in all_pools[:pools]],
        "more_pools": rows.rest_of_pools(all_pools[pools:]),
        "no_pools": words.none_loaded(facts.snapshot),
        "limits": [rows.limit_words(limit) for limit in facts.snapshot.limits[-3:]],
        "threads": "Threads" if number is None else words.counted(number, "thread"),
        "owners": all_owners[:owners],
        "more_owners": rows.rest_of_owners(all_owners[owners:]),
        "processes": f"Child processes: {len(all_children)}",
        "children": list(_children(all_children[:children])),
        "more_children": _rest_of_children(all_children[children:]),
        "gaps": rows.gaps_of(facts)[:3],
    }


def _squares(row: rows.PoolRow, full: int, allowed: float) -> Markup:
    if row.note.startswith("uses "):
        return Markup("")
    drawing = squares(row.wanted, row.alive, row.busy, full=full, allowed=allowed, label=row.label)
    return Markup(drawing)  # noqa: S704 - numbers, and a label that is escaped there


def _children(children: tuple[ChildTick, ...]) -> Iterator[_Child]:
    for child in children:
        threads, cpus = child.num_os_threads, child.cpus
        yield _Child(
            rows.clipped(_without_folder(child.command), 40) or words.DASH,
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


def _findings(facts: PanelFacts, most: int, remedies: int, *, quiet: bool) -> str:
    findings, prefix = facts.snapshot.findings, facts.snapshot.prefix
    more = len(findings) - most
    return _render(
        "panel_findings.html",
        findings=[_finding(each, prefix, remedies) for each in findings[:most]],
        more=f"and {words.counted(more, 'finding')} more" if more > 0 else "",
        looked=words.counted(len(facts.snapshot.libraries), "runtime"),
        quiet=quiet,
    )


def _finding(finding: Finding, prefix: str, most: int) -> dict[str, Any]:
    remedies = [words.split_remedy(each, prefix) for each in finding.remedies[:most]]
    # What is to be run is shown whole or not at all.
    whole = [(says, run) for says, run in remedies if len(words.printable(run)) <= _LONGEST_RUN]
    if len(whole) < len(remedies):
        whole.append(("All that can be done:", f"%omp_explain {finding.code[:12]}"))
    return {
        "code": rows.clipped(finding.code, 12),
        "severity": finding.severity,
        "title": rows.clipped(words.shortened(finding.title[:2000], prefix), 200),
        "remedies": [(rows.clipped(says, 200), run) for says, run in whole],
    }


def _moment(at_s: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_s))
    except (OverflowError, ValueError, OSError):
        return ""


def _render(name: str, **values: Any) -> str:
    return environment().get_template(name).render(**values)
