"""The one line to be read first: the worst thing that is true, in words that a person says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..facts.cpus import cpus_words, threads_for
from ..facts.libraries import Finding
from ..facts.names import short_command
from ..facts.snapshots import Snapshot
from .words import counted, own_pools, uncounted_words, unseen

_NOW = ("OMP211", "OMP206", "OMP201", "OMP202", "OMP203", "OMP209", "OMP207", "OMP208")
"""Warnings of what costs time now, the first to be said first; others tell of what may come."""
_MOST_OTHERS = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line that comes first in every view.

    Parameters
    ----------
    text
        ``"16 threads want 0.5 CPUs"``.
    tone
        ``"error"``, ``"warning"``, ``"fine"``, or ``"unknown"`` where nobody could look.
    more
        Which pool, or who; or "".
    code
        The finding that says it at length, or "".
    """

    text: str
    tone: str
    more: str = ""
    code: str = ""


def verdict_of(snapshot: Snapshot, busy: int = 0, allowed_cpus: float | None = None) -> Verdict:
    """Give the worst thing that is true of a snapshot.

    Parameters
    ----------
    snapshot
        The facts and their findings.
    busy
        Threads at work just now, where that is known.
    allowed_cpus
        CPUs allowed just now; the snapshot's budget when None.
    """
    allowed = snapshot.budget.cpus if allowed_cpus is None else allowed_cpus
    by_code = {finding.code: finding for finding in reversed(snapshot.findings)}
    worst = next((each for each in snapshot.findings if each.severity == "error"), None)
    if worst is not None:
        return _told(worst, snapshot)
    for code in _NOW:
        if code in ("OMP201", "OMP202"):
            crowded = _crowded(snapshot, busy, allowed)
            if crowded is not None:
                throttled = by_code.get("OMP203")
                return crowded if throttled is None else _with(crowded, throttled.title)
        found = by_code.get(code)
        if found is not None and found.severity == "warning":
            return _told(found, snapshot)
    latent = next((each for each in snapshot.findings if each.severity == "warning"), None)
    return _fine(snapshot, allowed) if latent is None else _told(latent, snapshot)


def _told(finding: Finding, snapshot: Snapshot) -> Verdict:
    more = ""
    others = snapshot.load.neighbours if snapshot.load is not None else None
    if finding.code == "OMP211" and others is not None:
        first = others.largest[:_MOST_OTHERS]
        named = (f"pid {n.pid} {short_command(n.command)} {n.cpus:.2f}" for n in first)
        more = ", ".join(named)
        more += ", …" if more and len(others.largest) > _MOST_OTHERS else ""
    tone = "error" if finding.severity == "error" else "warning"
    return Verdict(finding.title, tone, more, finding.code)


def _with(verdict: Verdict, also: str) -> Verdict:
    more = f"{verdict.more}; {also[:1].lower()}{also[1:]}"
    return replace(verdict, more=more)


def _crowded(snapshot: Snapshot, busy: int, allowed: float) -> Verdict | None:
    """Judge threads against CPUs: the largest pool, the workers together, the busy threads."""
    fits = threads_for(allowed)
    cpus = cpus_words(allowed)
    pools = own_pools(snapshot)
    largest = max(pools, key=lambda pool: pool.size, default=None)
    children = [each.pool_threads or 0 for each in snapshot.children if not each.helper]
    if sum(children) > max(fits, largest.size if largest else 0):
        more = f"the pools of {counted(sum(map(bool, children)), 'worker')} together"
        return Verdict(f"{sum(children)} threads want {cpus}", "warning", more, "OMP202")
    if largest is not None and largest.size > fits:
        more = f"{largest.name} has {largest.size}"
        if len(pools) > 1:
            more += f", {len(pools)} pools have {sum(pool.size for pool in pools)} together"
        return Verdict(f"{largest.size} threads want {cpus}", "warning", more, "OMP201")
    if busy > fits:
        return Verdict(f"{busy} busy threads share {cpus}", "warning", "no pool alone is too large")
    return None


def _fine(snapshot: Snapshot, allowed: float) -> Verdict:
    pools = own_pools(snapshot)
    largest = max(pools, key=lambda pool: pool.size, default=None)
    left = uncounted_words(snapshot.pools)
    cpus = cpus_words(allowed)
    if largest is None and not left and unseen(snapshot):
        return Verdict(f"{cpus} allowed", "unknown", "which thread pools there are is not known")
    if largest is None:
        more = f"no pool that can be counted, but {left}" if left else "no thread pool yet"
        return Verdict(f"{cpus} allowed", "fine", more)
    more = f"{largest.name} is the largest pool"
    if len(pools) > 1 and all(pool.size == largest.size for pool in pools):
        unsized = any(not pool.num_threads for pool in snapshot.pools)
        more = f"{len(pools)} pools{' of known size' * unsized}, none has more"
    more += f", and {left}" if left else ""
    return Verdict(f"{counted(largest.size, 'thread')} for {cpus}, fine", "fine", more)
