"""judge(snapshot) -> findings, by every rule there is."""

from __future__ import annotations

from collections.abc import Iterable

from ..facts.libraries import Finding, Library, named_apart
from ..facts.snapshots import Snapshot
from . import (
    changed,
    duplicates,
    ending,
    environment,
    neighbours,
    oversubscription,
    processes,
    replaced,
    settings,
    several,
    unheld,
    unseen,
)
from .rule import SEVERITIES, Rule

_GROUPS = (
    duplicates,
    unseen,
    several,
    replaced,
    oversubscription,
    processes,
    changed,
    unheld,
    ending,
    neighbours,
    settings,
    environment,
)

_UNFORKABLE = "OMP204"

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for group in _GROUPS for rule in group.RULES), key=lambda rule: rule.code)
)
"""Every rule, in the order of its code."""


def judge(snapshot: Snapshot, coming: Iterable[Library] = ()) -> tuple[Finding, ...]:
    """Give what is wrong or worth knowing, the worst first.

    Parameters
    ----------
    snapshot
        The facts. Findings it already has are not looked at.
    coming
        Libraries that are about to be loaded; judged as if they were there, not started.

    Returns
    -------
    tuple of Finding
        Sorted by severity, then code.
    """
    libraries = named_apart((*snapshot.libraries, *coming))
    found = [finding for rule in RULES for finding in rule.findings(snapshot, libraries)]
    return ranked(found)


def fork_hazards(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Give what a fork would do to the pools that have started in the process: OMP204 alone."""
    rule = next(each for each in RULES if each.code == _UNFORKABLE)
    return rule.findings(snapshot, named_apart(snapshot.libraries))


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give findings sorted by severity, then code."""
    return tuple(sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), each.code)))
