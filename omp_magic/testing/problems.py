"""What a session of tests ends with that it should not: pure, of what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..facts.changes import Change
from ..facts.libraries import Finding
from ..facts.plain import as_plain
from ..facts.snapshots import Snapshot
from ..knowledge.rivals import SETTERS
from ..knowledge.variables import VARIABLES
from .seen import Seen, Told

LIMITS, CPUS, VARIABLE = "limits", "cpus", "env"
"""Stand for codes, where no rule judges: a count, a mask or a variable that was not given back."""
_DUPLICATES = ("OMP101", "OMP102", "OMP103", "OMP104", "OMP105", "OMP107")
NAMES = frozenset((*_DUPLICATES, "OMP207", "OMP303", LIMITS, CPUS, VARIABLE, *VARIABLES))
"""What may be let pass."""
_NARROWED, _MASKED = "OMP207", "KMP_DUPLICATE_LIB_OK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a session ends with.

    Parameters
    ----------
    finding
        What it is.
    names
        What lets it pass, besides its code.
    when
        With which import and in which test it came, a line each.
    workers
        Workers of pytest-xdist in which it was so.
    """

    finding: Finding
    names: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()

    def is_allowed(self, allowed: Collection[str]) -> bool:
        """Tell whether it is let pass."""
        return self.finding.code in allowed or any(name in allowed for name in self.names)

    def to_dict(self) -> dict[str, Any]:
        """Give it as what pytest-xdist can send."""
        plain: dict[str, Any] = as_plain(self)
        return plain

    @property
    def allowing(self) -> str:
        """The name that lets it pass, and as little else as can be."""
        return self.names[0] if self.finding.code in (VARIABLE, "OMP303") else self.finding.code

    @classmethod
    def of_dict(cls, plain: Mapping[str, Any]) -> Problem:
        """Give it back."""
        finding: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in plain["finding"].items()
        }
        lists = {name: tuple(plain[name]) for name in ("names", "when", "workers")}
        return cls(finding=Finding(**finding), **lists)


def problems_of(seen: Seen, facts: Snapshot) -> list[Problem]:
    """Give what a session ends with.

    Parameters
    ----------
    seen
        What was seen, and when.
    facts
        The process at its end, with findings.
    """
    return [
        *_duplicates(seen, facts),
        *_limits(seen),
        *_changes(seen, facts),
    ]


def together(problems: list[Problem]) -> list[Problem]:
    """Give the problems of all workers, each once; with who had it."""
    found: dict[Any, Problem] = {}
    for each in problems:
        key = (each.finding.code, each.finding.title, each.when)
        known = found.get(key)
        workers = (*known.workers, *each.workers) if known is not None else each.workers
        found[key] = replace(each, workers=tuple(sorted(set(workers))))
    return list(found.values())


def _duplicates(seen: Seen, facts: Snapshot) -> Iterator[Problem]:
    for finding in facts.findings:
        if finding.code in _DUPLICATES:
            about = " ".join(finding.evidence)
            came = (
                f"{path.rpartition('/')[2]} came {_with(when)}"
                for path, when in seen.came.items()
                if path in about
            )
            yield Problem(finding=finding, when=tuple(came))


def _with(when: str) -> str:
    return f"with {when}" if when.startswith(("import ", "loading ")) else when


def _limits(seen: Seen) -> Iterator[Problem]:
    """Give the counts that are not as they were, those that one test has changed together."""
    changed = [each for each in seen.counts.values() if each.changed_at]
    for when in dict.fromkeys(each.changed_at for each in changed):
        same = [each for each in changed if each.changed_at == when]
        first, *others = same
        more = f", and {len(others)} more pools" if len(others) > 1 else ""
        more = f", and {others[0].title}" if len(others) == 1 else more
        finding = Finding(
            code=LIMITS,
            severity="error",
            title=f"{first.title} has {_threads(first.last)} and had {first.first} before{more}",
            why=(
                "A number of threads was set and not given back: the tests that follow run with "
                "it, so that what they find depends on their order."
            ),
            evidence=tuple(f"{each.title}: {each.first} before, {each.last} now" for each in same),
            remedies=(f"Set it for a block: with omp_magic.limit({first.last}): ...",),
        )
        yield Problem(finding=finding, when=(f"changed {_by(when)}",))


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"


def _changes(seen: Seen, facts: Snapshot) -> Iterator[Problem]:
    for told in seen.told.values():
        # A mask that a variable asked a runtime for is nobody's wish.
        if told.change.what == "affinity" and (told.change.asked or not told.wish):
            yield _mask(told, facts)
        elif _is_ours(told) and not told.wish:
            yield _variable(told, facts)


def _is_ours(told: Told) -> bool:
    """Tell whether it is a variable that runtimes read: no other one is shown."""
    return told.change.what == "variable" and told.change.name in VARIABLES


def _mask(told: Told, facts: Snapshot) -> Problem:
    change = told.change
    known = next((each for each in facts.findings if each.code == _NARROWED), None)
    if known is not None:  # it says which variable and which runtime
        finding = replace(known, severity="error")
        return Problem(finding=finding, names=(CPUS,), when=(_seen(told),))
    finding = Finding(
        code=CPUS,
        severity="error",
        title=f"The main thread's CPUs: {change.before} before, {change.after} now",
        why=(
            "Threads and child processes that begin from now on inherit that, and what counts CPUs "
            "counts so many."
        ),
        remedies=("Give them back where they are taken: os.sched_setaffinity(0, before)",),
    )
    return Problem(finding=finding, names=(_NARROWED,), when=(_seen(told),))


def _variable(told: Told, facts: Snapshot) -> Problem:
    change = told.change
    always = any(each.value == change.after for each in SETTERS.get(change.name, ()))
    known = next((each for each in facts.findings if each.code == "OMP303"), None)
    masked = change.name == _MASKED and known is not None
    title = f"{change.name}: {_shown(change.before)} before, {_shown(change.after)} now"
    why = "Libraries that are loaded from now on read it, and child processes inherit it."
    if always and change.imported:
        why += " That package sets it at each import, in every process."
    finding = Finding(
        code="OMP303" if masked else VARIABLE,
        # What a package always does is nothing that this project has done.
        severity="warning" if always and change.imported else "error",
        title=title,
        why=known.why if masked and known is not None else why,
        remedies=() if change.imported else (_patch(change),),
    )
    return Problem(finding=finding, names=(change.name, VARIABLE), when=(_seen(told),))


def _patch(change: Change) -> str:
    if change.after is None:
        return f"Unset it for a test: monkeypatch.delenv({change.name!r})"
    return f"Set it for a test: monkeypatch.setenv({change.name!r}, {change.after!r})"


def _shown(value: str | None) -> str:
    return "not set" if value is None else repr(value)


def _seen(told: Told) -> str:
    return f"changed {_by(told.when)}"


def _by(when: str) -> str:
    return f"by {when}" if when.startswith(("import ", "loading ")) else when
