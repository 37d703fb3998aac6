"""A report for a bug tracker: one page, text or JSON, without the names of who made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..facts.about import About, Personal
from ..facts.changes import Change
from ..facts.libraries import Finding, Library, Pool
from ..facts.plain import as_plain
from ..facts.snapshots import Snapshot
from .anonymous import anonymized, anonymizer
from .html import environment, render_html
from .text import render_text
from .verdict import Verdict, verdict_of
from .words import bound_cpus, counted, printable, title_of

SCHEMA = 1
"""Version of the JSON of a report; raised when a key changes meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says; every text in it is without personal names.

    Parameters
    ----------
    snapshot
        The facts, with every thread where that was asked for.
    about
        Versions and the system; None for a snapshot of another process or time.
    left_out
        How many changed variables are not in it, since they are not in the table.
    """

    snapshot: Snapshot
    about: About | None
    left_out: int = 0

    @property
    def verdict(self) -> Verdict:
        """The worst thing that is true."""
        return verdict_of(self.snapshot)

    def to_dict(self) -> dict[str, Any]:
        """Give the report with the keys ``report``, ``about`` and ``snapshot``."""
        return {
            "report": SCHEMA,
            "about": as_plain(self.about),
            "snapshot": self.snapshot.to_dict(),
        }


def report_of(snapshot: Snapshot, about: About | None, personal: Personal) -> Report:
    """Make a report of facts: personal names replaced, variables outside the table left out.

    Parameters
    ----------
    snapshot
        The facts.
    about
        Versions and the system, or None.
    personal
        The names that are replaced.
    """
    told = {setting.name for setting in snapshot.environment}
    kept = tuple(c for c in snapshot.changes if c.what != "variable" or c.name in told)
    clean = anonymizer(personal)
    return Report(
        snapshot=anonymized(
            replace(snapshot, changes=kept, shown=frozenset({"cpus", "env"})), clean
        ),
        about=anonymized(about, clean),
        left_out=len(snapshot.changes) - len(kept),
    )


def as_json(report: Report) -> str:
    """Give a report as JSON text in ASCII."""
    return json.dumps(report.to_dict(), indent=2) + "\n"


def as_text(report: Report) -> str:
    """Give a report as plain text, nothing of it shortened."""
    facts = report.snapshot
    parts = [
        "omp_magic report" + (f", {report.about.made_at}" if report.about is not None else ""),
        _section("Status", render_text(facts).split("\n")),
        *(_section(name, lines) for name, lines in sections_of(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_markdown(report: Report) -> str:
    """Give the plain text as one block, as issue trackers show it unchanged."""
    text = as_text(report)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}{fence}\n"


def as_page(report: Report) -> str:
    """Give a report as one HTML page that needs nothing else: no script, no network."""
    template = environment().get_template("page.html")
    return template.render(
        report=report,
        verdict=report.verdict,
        sections=sections_of(report),
        status=render_html(report.snapshot),
        text=as_text(report),
        json=as_json(report),
    )


KINDS: dict[str, Callable[[Report], str]] = {
    ".html": as_page,
    ".txt": as_text,
    ".md": as_markdown,
    ".json": as_json,
}
"""What makes a report's text, by the end of its file's name."""


def sections_of(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Give what a status leaves out or makes short: (heading, lines)."""
    facts = report.snapshot
    found = [
        ("Versions", tuple(_versions(report))),
        ("Findings with their evidence", tuple(_of_all(_finding, facts.findings))),
        ("Files of the runtimes", tuple(_of_all(_library, facts.libraries))),
        ("Pools", tuple(map(_pool, facts.pools))),
        ("All bounds on the CPUs", tuple(_bounds(facts))),
        ("Changed since omp_magic was loaded", tuple(map(_change, facts.changes))),
        ("OS threads by owner", tuple(_owners(facts))),
        ("Not in this report", tuple(_left_out(report))),
    ]
    return tuple((name, tuple(map(printable, lines))) for name, lines in found if lines)


def _section(name: str, lines: tuple[str, ...] | list[str]) -> str:
    return "\n".join((name, "-" * len(name), *lines))


def _of_all(words: Callable[[Any], Iterator[str]], things: tuple[Any, ...]) -> Iterator[str]:
    for each in things:
        yield from words(each)


def _versions(report: Report) -> Iterator[str]:
    about = report.about
    if about is None:
        yield f"Python {report.snapshot.python}"
        return
    for name, version in about.tools:
        yield f"{name} {version or 'not installed'}"
    for name, value in about.system:
        yield f"{name}: {value}"
    packages = (f"{name} {version or 'version not known'}" for name, version in about.packages)
    yield f"packages with mapped libraries: {', '.join(packages) or 'none'}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.code} {finding.severity}: {finding.title}"
    yield f"  {finding.why}"
    for fact in finding.evidence:
        yield f"  evidence: {fact}"
    for remedy in finding.remedies:
        yield f"  remedy: {remedy}"
    yield f"  source: {finding.source}"


def _library(library: Library) -> Iterator[str]:
    yield f"{title_of(library)}, {library.name}: {library.path}"
    details = {
        "family": library.family,
        "owner": f"{library.owner} {library.owner_version or ''}".strip()
        if library.owner
        else "none",
        "device and inode": f"{library.device} {library.inode}",
        "threading layer": library.threading_layer,
        "built for": counted(library.max_threads, "thread") if library.max_threads else None,
        "note": library.note or None,
    }
    yield "  " + ", ".join(f"{name} {value}" for name, value in details.items() if value)


def _pool(pool: Pool) -> str:
    size = "size not known"
    if pool.num_threads is not None:
        size = counted(pool.num_threads, "thread")
    elif pool.would_use is not None:
        size = f"would use {counted(pool.would_use, 'thread')}"
    rest = (size, f"of the {pool.scope}", pool.layer, pool.note, pool.library)
    return f"{pool.name}: {', '.join(filter(None, rest))}"


def _bounds(facts: Snapshot) -> Iterator[str]:
    for bound in facts.budget.bounds:
        rest = (bound.detail, bound.where, bound.file, bound.reason)
        yield f"{bound.source}: {bound_cpus(bound)} ({', '.join(filter(None, rest))})"


def _change(change: Change) -> str:
    name = " ".join(filter(None, (change.what, change.name)))
    before, after = ("not set" if each is None else each for each in (change.before, change.after))
    return f"{name}: {before} before, {after} since {change.doer}"


def _owners(facts: Snapshot) -> Iterator[str]:
    for owner in facts.thread_owners or ():
        package = f" ({owner.package})" if owner.package else ""
        yield f"{owner.num_threads}: {owner.path}{package}"


def _left_out(report: Report) -> Iterator[str]:
    yield "the home folder (~), the user's name (user), the machine's name (host)"
    yield "environment variables that are not in omp_magic's table"
    if report.left_out:
        more = counted(report.left_out, "such variable")
        yield f"{more} that an import or a cell changed"
