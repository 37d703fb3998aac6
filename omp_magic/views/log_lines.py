"""A snapshot -> the records of a server's log: one line of words each, and its facts as a dict.

No magic is named: who reads a server's log has a shell and Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..facts.libraries import Finding, Library
from ..facts.plain import as_plain
from ..facts.snapshots import Snapshot
from ..rules.shell_words import in_program, remedy_in_shell
from .words import (
    context_of,
    counted,
    cpus_of,
    decided_by,
    from_of,
    none_loaded,
    printable,
    shortened,
    split_remedy,
    state_of,
    title_of,
    wants_of,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One record.

    Parameters
    ----------
    severity
        ``"info"``, ``"warning"`` or ``"error"``.
    text
        One line, printable.
    facts
        What it says, of plain dicts, lists, strings and numbers.
    """

    severity: str
    text: str
    facts: dict[str, Any]


def lines_of(snapshot: Snapshot) -> Iterator[Line]:
    """Give the records of a snapshot, the findings after what they are about."""
    yield Line("info", printable(_summary(snapshot)), _facts(snapshot))
    yield Line("info", printable(_runtimes(snapshot)), {"runtimes": _libraries(snapshot)})
    for finding in snapshot.findings:
        yield Line(finding.severity, _told(finding, snapshot), {"finding": _plain(finding)})
    if snapshot.gaps:
        words = "; ".join(dict.fromkeys(f"{gap.what}: {gap.why}" for gap in snapshot.gaps))
        yield Line("info", printable(f"not known: {words}"), {"gaps": as_plain(snapshot.gaps)})


def _summary(snapshot: Snapshot) -> str:
    threads = snapshot.num_os_threads
    why = f"{decided_by(snapshot.budget.binding)} decides; {context_of(snapshot)}"
    parts = [
        f"{cpus_of(snapshot)} allowed ({why})",
        wants_of(snapshot),
        "OS threads not known" if threads is None else counted(threads, "OS thread"),
        f"pid {snapshot.pid}, Python {snapshot.python}",
    ]
    return "; ".join(parts)


def _runtimes(snapshot: Snapshot) -> str:
    if not snapshot.libraries:
        return none_loaded(snapshot)
    return f"runtimes: {'; '.join(map(_runtime, snapshot.libraries))}"


def _runtime(library: Library) -> str:
    number = library.num_threads
    threads = "threads not known" if number is None else counted(number, "thread")
    return f"{title_of(library)} from {from_of(library)}, {threads}, {state_of(library).text}"


def _told(finding: Finding, snapshot: Snapshot) -> str:
    """Give a finding in one line; what is to be run is kept as it is."""
    says = in_program(shortened(f"{finding.title}. {finding.why}".strip(), snapshot.prefix))
    remedies = _remedies(finding, snapshot.prefix)
    for number, (do, run) in enumerate(remedies, 1):
        which = f" {number}" if len(remedies) > 1 else ""
        says += f" Remedy{which}: {f'{do} {run}'.strip()}"
    return printable(f"{finding.code} {says}")


def _remedies(finding: Finding, prefix: str) -> list[tuple[str, str]]:
    """Give (what it says, what is to be run, or "") of each, in a program's words."""
    split = (remedy_in_shell(*split_remedy(each, prefix)) for each in finding.remedies)
    return [(_upper(in_program(says).removeprefix("Or ")), run) for says, run in split]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(finding: Finding) -> dict[str, Any]:
    """Give a finding with its remedies in a program's words, each as what it says and runs."""
    return {
        **as_plain(finding),
        "title": in_program(finding.title),
        "why": in_program(finding.why),
        "remedies": [{"says": says, "run": run} for says, run in _remedies(finding, "")],
    }


def _libraries(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        {
            "family": each.family,
            "version": each.version,
            "owner": each.owner,
            "path": each.path,
            "num_threads": each.num_threads,
            "workers": each.workers,
            "initialized": each.initialized,
        }
        for each in snapshot.libraries
    ]


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    budget = snapshot.budget
    sizes = [pool.size for pool in snapshot.pools if pool.size and not pool.lender]
    return {
        "pid": snapshot.pid,
        "python": snapshot.python,
        "cpus": budget.cpus,
        "quota_cpus": budget.quota_cpus,
        "affinity_cpus": budget.affinity_cpus,
        "machine_cpus": budget.machine_cpus,
        "threads_allowed": budget.threads,
        "decided_by": decided_by(budget.binding),
        "runtimes": _libraries(snapshot),
        "pool_threads": sum(sizes),
        "largest_pool": max(sizes, default=0),
        "os_threads": snapshot.num_os_threads,
        "findings": [_plain(finding) for finding in snapshot.findings],
        "gaps": as_plain(snapshot.gaps),
    }
