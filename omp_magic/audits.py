"""What a pipeline would ship: imports, the environment and its CPUs, judged together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .checks import Check
from .facts.libraries import Finding, Gap
from .facts.plain import as_plain
from .facts.snapshots import Snapshot

BROKEN = "imports-fail"
"""Stands for a code where the imports were tried in vain: that is seen, and no rule judges it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audit:
    """What was found of what a pipeline would ship.

    Parameters
    ----------
    facts
        The process that it would start: its variables, its CPUs, and the pools that the imports
        have made; the findings are those that are about them.
    checks
        What the imports load and do: those tried here first, then a file of requirements each.
    chosen
        Where the modules come from, in words: ``"as asked for"``.
    where
        Module -> the line of the project that asks for its distribution: ``pyproject.toml:12``.
    anchor
        A file of the project, at which is shown what has no line of its own.
    notes
        What was not looked at, and why.
    fail_on
        The severity from which on it has failed.
    """

    facts: Snapshot
    checks: tuple[Check, ...] = ()
    chosen: str = ""
    where: Mapping[str, str] = field(default_factory=dict, hash=False)
    anchor: str = ""
    notes: tuple[Gap, ...] = ()
    fail_on: str = "error"

    @property
    def environment(self) -> Check:
        """The environment, as a check of no modules."""
        return Check(modules=(), coming=(), findings=self.facts.findings, lacking=self.notes)

    @property
    def subjects(self) -> tuple[Check, ...]:
        """All that findings are about: the environment, then the imports."""
        return (self.environment, *self.checks)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, and imports that were tried in vain."""
        return tuple(finding for each in self.subjects for finding in findings_of(each))

    @property
    def unknown(self) -> tuple[Gap, ...]:
        """Modules that are not there."""
        return tuple(dict.fromkeys(gap for each in self.checks for gap in each.unknown))

    @property
    def whole(self) -> bool:
        """Whether every module was found and followed to its end, and nothing was left out."""
        return not self.notes and all(each.whole for each in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers."""
        facts = self.facts
        return {
            "fail_on": self.fail_on,
            "failed": self.failed,
            "chosen": self.chosen,
            "modules": list(self.checks[0].modules) if self.checks else [],
            "budget": as_plain(facts.budget),
            "environment": as_plain(facts.environment),
            "pools": as_plain(facts.pools),
            "findings": as_plain(self.findings),
            "whole": self.whole,
            "notes": as_plain(self.notes),
            "checks": [each.to_dict() for each in self.checks],
        }

    @property
    def failed(self) -> bool:
        """Whether anything is as bad as `fail_on`, or worse."""
        return any(self.counts(each) for each in self.findings)

    def counts(self, finding: Finding) -> bool:
        """Tell whether a finding is as bad as `fail_on`, or worse."""
        severities = ("error", "warning", "info")
        return severities.index(finding.severity) <= severities.index(self.fail_on)

    def __repr__(self) -> str:
        """Give one line."""
        number = len(self.findings)
        return f"<Audit: {number} finding{'s' * (number != 1)}{', failed' * self.failed}>"


def findings_of(check: Check) -> tuple[Finding, ...]:
    """Give a check's findings, and one of its own where the imports were tried in vain."""
    broken = _broken(check)
    return check.findings if broken is None else (*check.findings, broken)


def _broken(check: Check) -> Finding | None:
    if not check.failed:
        return None
    trial = check.search.trials[0] if check.search is not None else check.trial
    step = trial.failed if trial is not None else None
    if trial is None or step is None or step.name in {gap.what for gap in check.unknown}:
        return None
    return Finding(
        code=BROKEN,
        severity="error",
        title=f"Tried in a child process: {trial.summary()}",
        why=step.message,
        evidence=(f"python: {trial.python}", *step.traceback),
        remedies=(
            f"Try it again, alone: omp-magic check {' '.join(check.modules)} --run",
            *(each for finding in check.findings for each in finding.remedies[:1]),
        ),
    )
