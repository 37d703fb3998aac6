"""A finding -> the parts that the panel puts together: its head, remedies to press, the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...facts.libraries import Finding
from .. import words
from ..html import environment
from ..links import page_of, split_at, url_in
from .facts import PanelFacts
from .names import clipped
from .now import verdict_now

MOST_BYTES = 16_384
"""`findings_html` is never larger: above it, less is shown of each."""
_FINDINGS = ((8, 8), (8, 2), (4, 1), (4, 0))
"""Findings, and pieces of evidence of each, from the most generous to what always fits."""
_FIRST = 2
"""Remedies that show; the others are behind "why"."""
_LONGEST_RUN = 600
_APPLIED = ("%omp_limit ", "%omp_guard ")


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do.

    Parameters
    ----------
    page
        It as HTML.
    action
        The line that a press runs; "" where a person must do it.
    """

    page: str
    action: str


@dataclass(frozen=True, slots=True)
class FindingParts:
    """One finding as HTML: head, remedies, and what is folded away."""

    key: str
    head: str
    remedies: tuple[Remedy, ...]
    details: str

    @property
    def shape(self) -> tuple[str, tuple[str, ...]]:
        """What decides which widgets show it."""
        return self.key, tuple(each.action for each in self.remedies)


def action_of(run: str) -> str:
    """Give the line of a remedy that a press can do: a limit or a mode of the guard; or ""."""
    return run if run.startswith(_APPLIED) and "\n" not in run else ""


def findings_html(facts: PanelFacts) -> str:
    """Give the findings, each an element of the class ``omp-one`` with its code.

    Parameters
    ----------
    facts
        What is to be shown.
    """
    page = ""
    for most, evidence in _FINDINGS:
        page = (
            environment().get_template("panel_findings.html").render(**_all(facts, most, evidence))
        )
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def parts_of(facts: PanelFacts) -> tuple[FindingParts, ...]:
    """Give each finding in parts, the worst first."""
    most, evidence = _FINDINGS[0]
    macros: Any = environment().get_template("panel_parts.html").module
    return tuple(
        FindingParts(
            key=f"{each['code']}{number}",
            head=str(macros.head(each)),
            remedies=tuple(
                Remedy(str(macros.remedy(says, run)), action_of(run))
                for says, run in each["remedies"]
            ),
            details=str(macros.details(each)),
        )
        for number, each in enumerate(_all(facts, most, evidence)["findings"])
    )


def none_html(facts: PanelFacts) -> str:
    """Give the line that stands where nothing was found."""
    looked = words.counted(len(facts.snapshot.libraries), "runtime")
    return str(
        Markup(
            '<div class="omp-none"><span class="omp-ok">No problem found</span> '
            '<span class="omp-dim">in {}</span></div>'
        ).format(looked)
    )


def told_html(facts: PanelFacts) -> str:
    """Give the findings for a screen reader, as a live region that is not seen."""
    found = facts.snapshot.findings
    said = "; ".join(f"{clipped(each.code, 12)} {clipped(each.title, 200)}" for each in found[:4])
    return str(Markup('<div role="status" class="omp-sr">{}</div>').format(said))


def _all(facts: PanelFacts, most: int, evidence: int) -> dict[str, Any]:
    findings, prefix = facts.snapshot.findings, facts.snapshot.prefix
    verdict = verdict_now(facts).text
    more = len(findings) - most
    return {
        "findings": [_finding(each, prefix, evidence, verdict) for each in findings[:most]],
        "more": f"and {words.counted(more, 'finding')} more" if more > 0 else "",
        "nothing": Markup(none_html(facts)),  # noqa: S704 - escaped there
    }


def _finding(finding: Finding, prefix: str, evidence: int, verdict: str) -> dict[str, Any]:
    def short(text: str, most: int = 200) -> str:
        return clipped(words.shortened(text[:2000], prefix), most)

    remedies = [words.split_remedy(each, prefix) for each in finding.remedies[:8]]
    # What is to be run is shown whole or not at all.
    whole = [
        (clipped(says, 200), run)
        for says, run in remedies
        if len(words.printable(run)) <= _LONGEST_RUN
    ]
    if len(whole) < len(remedies):
        code = clipped(finding.code, 12)
        whole.append(("All that can be done:", f"%omp_explain {code}"))
    # A note costs a line until it is unfolded.
    first = 0 if finding.severity == "info" else _FIRST if evidence else 1
    rest = whole[first:] if evidence else []
    facts = [short(each, 300) for each in finding.evidence[:evidence]]
    # The verdict above says the title already.
    said = finding.title == verdict
    _, _, folded = split_at([says for says, _ in whole], first if evidence else len(whole))
    parts = [] if said else ["why"]
    parts += ["evidence"] if facts else []
    source = clipped(finding.source, 200)
    return {
        "code": clipped(finding.code, 12),
        "link": page_of(finding.code),
        "severity": finding.severity,
        "title": "" if said else short(finding.title),
        "remedies": whole[:first],
        "more": rest,
        "summary": folded + " \N{MIDDLE DOT} ".join(parts or ["source"]),
        "why": short(finding.why, 500),
        "evidence": facts,
        "source": source if evidence else "",
        "source_link": url_in(source),
    }
