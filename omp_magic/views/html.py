"""Snapshots and explanations -> HTML; jinja2 writes it.

It reads in light and dark themes, and without its CSS.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from ..checks import Check, Checks
from ..facts.cpus import Bound
from ..facts.libraries import Finding
from ..facts.snapshots import Snapshot
from ..rules.explain import Explanation
from . import check as check_words
from . import foreseen, links, matrix, outside, tasks, variables, words
from .changed import changes_of
from .meanings import MEANINGS, meaning_in
from .systems import verdict_on
from .verdict import verdict_of

if TYPE_CHECKING:
    from .workers import Table

_WIDTH = 570
_EDGES = {"error": "e", "warning": "w", "unknown": "u"}
_EDGES_OF = {"bad": "e", "warning": "w", "good": "k"}
_LATER = ("OMP101", "OMP103")
"""What ends a kernel not when it is loaded, but at a later call."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Where the parts of the CPU bar lie, in units of the drawing.

    Parameters
    ----------
    allowed, affinity, wanted
        Distance from the left; `wanted` is None when no pool is known.
    label
        What the bar says, in words.
    """

    allowed: float
    affinity: float
    wanted: float | None
    label: str


def render_html(snapshot: Snapshot) -> str:
    """Give a snapshot as one HTML fragment with its own style; every text in it is escaped."""
    return (
        environment()
        .get_template("status.html")
        .render(
            s=snapshot,
            w=words,
            l=links,
            m=MEANINGS,
            meaning=meaning_in,
            verdict=verdict_of(snapshot),
            t=tasks,
            v=variables,
            bar=bar_of(snapshot),
            bars=bars_of(snapshot),
            changes=changes_of(snapshot),
            workers=_workers_of(snapshot),
            who=_who(snapshot),
            o=outside,
        )
    )


def _who(snapshot: Snapshot) -> str:
    if snapshot.outside is not None:
        return outside.who_of(snapshot, snapshot.outside)
    return f"pid {snapshot.pid} · Python {snapshot.python}"


def _workers_of(snapshot: Snapshot) -> Table | None:
    if snapshot.workers is None:
        return None
    from .workers import table_of  # noqa: PLC0415 - only who asked for workers pays

    return table_of(snapshot.workers, snapshot)


def render_page(explanations: tuple[Explanation, ...], intro: str, prefix: str) -> str:
    """Give explanations as HTML, each a fragment with its own style."""
    template = environment().get_template("explain.html")
    parts = [template.render(e=each, w=words, l=links, prefix=prefix) for each in explanations]
    return (f"<p>{escape(words.printable(intro))}</p>\n" if intro else "") + "\n".join(parts)


def render_alarm(
    findings: tuple[Finding, ...], lead: str, prefix: str, *, before: bool = False
) -> str:
    """Give an alarm of the guard as one fragment with its own style; its title is the worst."""
    template = environment().get_template("alarm.html")
    tone = edge_of("error" if any(each.severity == "error" for each in findings) else "warning")
    facts: dict[str, Any] = {"findings": findings, "lead": lead, "prefix": prefix, "tone": tone}
    facts["goes_on"] = before and findings[0].code in _LATER
    return template.render(**facts, title=findings[0].title, folded=False, w=words, l=links)


def render_check(check: Check) -> str:
    """Give a check as one fragment with its own style."""
    template = environment().get_template("check.html")
    return template.render(
        check=check, c=check_words, f=foreseen, w=words, l=links, prefix=sys.prefix,
        tone=_tone(check), said="", folded=False,
    )  # fmt: skip


def render_checks(checks: Checks) -> str:
    """Give checks of several systems as one fragment with its own style."""
    template = environment().get_template("matrix.html")
    return template.render(
        checks=checks, found=matrix.matrix_of(checks), m=matrix, f=foreseen, w=words, l=links,
        prefix="", tone=_EDGES_OF[matrix.tone_of(checks)], said="", folded=False,
    )  # fmt: skip


def _tone(check: Check) -> str:
    if check.target is not None:
        return _EDGES_OF[verdict_on(check)[1]]
    tones = [edge_of(each.severity) for each in check.findings]
    return min(tones, key="ewk".index, default="k")


def bar_of(snapshot: Snapshot) -> Bar:
    """Lay out the bar: the machine is its whole length unless a pool wants more."""
    budget = snapshot.budget
    largest = words.largest_pool(snapshot)
    full = max(budget.machine_cpus, largest, 1)
    label = f"{words.cpus_of(snapshot)} allowed of {budget.affinity_cpus} by affinity and "
    label += f"{budget.machine_cpus} in the machine"
    if largest:
        label += f"; the largest pool has {largest} threads"
    return Bar(
        allowed=round(_WIDTH * min(budget.cpus, full) / full, 1),
        affinity=round(_WIDTH * min(budget.affinity_cpus, full) / full, 1),
        wanted=round(_WIDTH * largest / full, 1) if largest else None,
        label=label,
    )


def bars_of(snapshot: Snapshot) -> tuple[tuple[Bound, float], ...]:
    """Give each bound with its share of the machine, in percent; no limit is all of it."""
    machine = snapshot.budget.machine_cpus
    return tuple(
        (bound, 100.0 if bound.cpus is None else round(100 * min(1.0, bound.cpus / machine), 1))
        for bound in snapshot.budget.bounds
    )


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Give what the templates are made with; it escapes all that is put into them."""
    made = Environment(
        loader=PackageLoader("omp_magic", "views/templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["edge"] = edge_of
    return made


def edge_of(tone: str) -> str:
    """Give the end of the class that colours a card's edge: red, amber, grey, else green."""
    return _EDGES.get(tone, "k")


def _shown(value: Any) -> Any:
    """Write what is no visible character as an escape; escaping for HTML comes after."""
    return words.printable(value) if type(value) is str else value
