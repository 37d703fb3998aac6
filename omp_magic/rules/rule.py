"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from ..facts.libraries import Finding, Library
from ..facts.names import is_system, used_by
from ..facts.snapshots import Snapshot

if TYPE_CHECKING:
    from ..facts.clusterdiffs import Difference
    from ..facts.clustersnapshots import ClusterSnapshot
    from .story import Story

SEVERITIES = ("error", "warning", "info")
"""From the worst on."""


class Case(NamedTuple):
    """One time that a rule applies: the words that differ from case to case.

    `severity` is the rule's where it is "": what may come to pass is a warning, and an error once
    it has.
    """

    title: str
    why: str
    evidence: tuple[str, ...]
    remedies: tuple[str, ...]
    severity: str = ""


class Rule(NamedTuple):
    """A finding's code and the pure function that finds it.

    Parameters
    ----------
    code, severity, source
        As in `facts.Finding`; they are fields, not docstrings, which ``-OO`` drops.
    summary
        The finding in one line, for tables.
    look
        Gives the cases in a snapshot and its libraries.
    """

    code: str
    severity: str
    summary: str
    source: str
    look: Callable[[Snapshot, tuple[Library, ...]], Iterable[Case]]

    @property
    def story(self) -> Story:
        """What the code means, at length."""
        from .stories import STORIES  # noqa: PLC0415 - 5 ms of texts that few ask for

        return STORIES[self.code]

    def findings(self, snapshot: Snapshot, libraries: tuple[Library, ...]) -> tuple[Finding, ...]:
        """Give a finding for each case."""
        return tuple(finding_of(self, case) for case in self.look(snapshot, libraries))


class ClusterRule(NamedTuple):
    """A finding's code and the pure function that finds it among the workers of a cluster.

    Parameters
    ----------
    code, severity, summary, source
        As in `Rule`.
    look
        Gives the cases in a cluster, and in what its workers differ.
    """

    code: str
    severity: str
    summary: str
    source: str
    look: Callable[[ClusterSnapshot, tuple[Difference, ...]], Iterable[Case]]

    @property
    def story(self) -> Story:
        """What the code means, at length."""
        from .stories import STORIES  # noqa: PLC0415 - as above

        return STORIES[self.code]

    def findings(
        self, cluster: ClusterSnapshot, differences: tuple[Difference, ...]
    ) -> tuple[Finding, ...]:
        """Give a finding for each case."""
        return tuple(finding_of(self, case) for case in self.look(cluster, differences))


def finding_of(rule: Rule | ClusterRule, case: Case) -> Finding:
    """Give a case of a rule as a finding."""
    return Finding(
        code=rule.code,
        severity=case.severity or rule.severity,
        title=case.title,
        why=case.why,
        evidence=case.evidence,
        remedies=case.remedies,
        source=rule.source,
    )


def named(library: Library) -> str:
    """Give a library for a sentence: ``GNU libgomp (scikit-learn)``.

    One that no distribution shipped is ``libgomp.so.1 of the system (used by lightgbm)``,
    ``Homebrew's libomp``, or its file, as far as it tells it from others.
    """
    return library.title if library.owner else bringer(library)


def pools_among(snapshot: Snapshot, libraries: Iterable[Library]) -> int:
    """Count the libraries that have pools; one that a limit leaves a single thread has none."""
    limited = bool(snapshot.limits)
    return sum(not (limited and library.num_threads == 1) for library in libraries)


def bringer(library: Library) -> str:
    """Give who brought a library: its distribution, or its file and who uses it."""
    if library.owner:
        return library.whose
    from ..knowledge.elsewhere import words_at  # noqa: PLC0415 - only what nobody shipped pays

    if words_at(library.path):
        return words_at(library.path)
    name = library.place or library.file_name
    if is_system(library.path):
        name = f"{library.place or library.name} of the system"
    return f"{name} ({used_by(library.users)})" if library.users else name


def described(library: Library) -> str:
    """Give a library for a line of evidence: name, threads, path."""
    if library.num_threads is not None:
        state = f"{library.num_threads} threads"
    elif library.initialized:
        state = "started"
    else:
        state = "not started" if library.initialized is False else "may have started"
    if library.serves:
        state += ", serves the global scope"
    if library.static:
        state += f", {library.label} linked into it"
    users = f", {used_by(library.users)}" if library.users else ""
    return f"{library.name}: {state}, {library.path}{users}"
