"""The verdict of this very moment: the snapshot's, unless the last ticks tell worse."""

from __future__ import annotations

from ...facts.cpus import cpus_words
from ...facts.load import LEAST_DEMAND_CPUS
from ...facts.ticks import Tick
from ..verdict import Verdict, verdict_of
from .facts import PanelFacts

NOTABLE_WAIT = 0.2
"""The share from which OMP206 and OMP211 (`rules.oversubscription`, `neighbours`) warn."""
SHARED_GROUP = 0.2
"""CPUs that others in the cgroup must use to be worth a figure."""
_LOOKS = 3
"""Ticks in a row that must agree: findings are judged seldom, and one tick may be chance."""


def verdict_now(facts: PanelFacts) -> Verdict:
    """Give the worst thing that is true now."""
    last = facts.ticks[-_LOOKS:]
    busy = min((tick.busy for tick in last), default=0)
    verdict = verdict_of(facts.snapshot, busy, facts.allowed_cpus)
    if verdict.tone in ("error", "warning") or len(last) < _LOOKS or not all(map(waits_much, last)):
        return verdict
    used = sum(tick.cpus or 0.0 for tick in last) / _LOOKS
    others = sum(tick.others_cpus or 0.0 for tick in last) / _LOOKS
    cpus = cpus_words(facts.allowed_cpus)
    if others > SHARED_GROUP:
        return Verdict(f"You get {used:.1f} of {cpus}: others here use {others:.1f}", "warning")
    share = sum(tick.waiting or 0.0 for tick in last) / _LOOKS
    return Verdict(f"Ready to run, and waiting {share:.0%} of the time", "warning")


def waits_much(tick: Tick) -> bool:
    """Tell whether threads that want most of a CPU wait for it a notable share of the time."""
    return tick.waiting is not None and tick.waiting >= NOTABLE_WAIT and at_work(tick)


def at_work(tick: Tick) -> bool:
    """Tell whether threads wanted to run for so much that waiting is worth a colour."""
    if tick.cpus is None or tick.waiting is None:
        return False
    # CPUs wanted are CPUs used / (1 - waiting).
    return tick.cpus >= LEAST_DEMAND_CPUS * (1 - tick.waiting)
