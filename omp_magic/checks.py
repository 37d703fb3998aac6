"""What importing modules may load, and what that would do beside what is there; nothing is run.

With `run` the imports are tried in a child process; with `order` an order that works is searched
and proved by running it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from .facts.libraries import Finding, Gap, Library
from .facts.plain import as_plain
from .facts.settings import EnvSetting
from .facts.shown import Shown
from .facts.snapshots import Snapshot
from .facts.trials import OrderSearch, Trial
from .installed.distributions import may_load
from .installed.expected import Branch, Coming, Cure, MayLoad
from .installed.openers import MASK
from .rules import judge

_MASKED = "OMP303"
"""That a variable masks Error #15: a finding of its own only where it is set already."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Check(Shown):
    """The answer to "may I import these?".

    Parameters
    ----------
    modules
        What was asked about, in the order of importing.
    coming
        The runtimes that may be loaded, and who brings each.
    findings
        What would be the case then and is not now.
    unknown
        Modules that are not installed.
    notes
        What could not be told.
    trial
        What became of importing them in a child process, or None.
    search
        The search for an order that works, or None.
    target
        The system that it is about: ``"macos-arm64"``; None for the process itself.
    failing
        Modules whose import would fail, so that what comes after that is not known.
    lacking
        Distributions whose files could not be had, so that nothing is known of them.
    branches
        What is otherwise where the target lacks something that it is taken to have.
    cures
        Changes that were tried on the files and leave one copy of the LLVM family.
    where
        Module -> the line that asks for its distribution: ``requirements.txt:12``.
    source
        Where the files are that were looked into, for people; "" for the process itself.
    folders
        The environment's, packages' folders first: views say paths as they are below them.
    masked_by
        Who sets KMP_DUPLICATE_LIB_OK there, in words; "" where nobody does.
    can_run
        Whether this system can try imports in a child process.
    """

    modules: tuple[str, ...]
    coming: tuple[Coming, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    trial: Trial | None = None
    search: OrderSearch | None = None
    target: str | None = None
    failing: tuple[Gap, ...] = ()
    lacking: tuple[Gap, ...] = ()
    branches: tuple[Branch, ...] = ()
    cures: tuple[Cure, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = ""
    folders: tuple[str, ...] = ()
    masked_by: str = ""
    can_run: bool = True

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    @property
    def runtimes(self) -> tuple[Library, ...]:
        """What importing them may load."""
        return tuple(each.library for each in self.coming)

    @property
    def copies(self) -> int:
        """How many copies of LLVM-family runtimes somebody may call."""
        return sum(each.kin == "llvm" and not each.idle for each in self.runtimes)

    @property
    def whole(self) -> bool:
        """Whether every module was found and followed to its end."""
        return not self.unknown and not self.failing and not self.lacking

    @property
    def failed(self) -> bool:
        """Whether a trial went wrong and no order was found that works."""
        if self.search is not None:
            return self.search.best is None
        return self.trial is not None and not self.trial.works

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers."""
        return {
            "target": self.target,
            "source": self.source,
            "masked_by": self.masked_by,
            "modules": list(self.modules),
            "runtimes": as_plain(self.runtimes),
            "brought_by": as_plain(tuple(each.brought_by for each in self.coming)),
            "findings": as_plain(self.findings),
            "unknown": as_plain((*self.unknown, *self.failing, *self.lacking)),
            "failing": as_plain(self.failing),
            "lacking": as_plain(self.lacking),
            "whole": self.whole,
            "branches": as_plain(self.branches),
            "cures": as_plain(self.cures),
            "notes": list(self.notes),
            "trial": None if self.trial is None else self.trial.to_dict(),
            "order": None if self.search is None else self.search.to_dict(),
        }

    def __repr__(self) -> str:
        """Give one line; `str` gives the whole."""
        runtimes, findings = len(self.runtimes), len(self.findings)
        number = f"{runtimes} runtime{'s' * (runtimes != 1)}"
        number += f", {findings} finding{'s' * (findings != 1)}"
        return f"<Check of {', '.join(self.modules)}: {number}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Checks(Shown):
    """The same imports on several systems.

    Parameters
    ----------
    checks
        One a target, in the order they were asked for.
    """

    checks: tuple[Check, ...]

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    @property
    def runtimes(self) -> tuple[Library, ...]:
        """What importing them may load, on any of the systems."""
        return tuple(each for check in self.checks for each in check.runtimes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What would be the case, on any of the systems."""
        return tuple(each for check in self.checks for each in check.findings)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers: one check a target."""
        return {"targets": [each.to_dict() for each in self.checks]}

    def __repr__(self) -> str:
        """Give one line; `str` gives the whole."""
        return f"<Checks of {', '.join(each.target or 'here' for each in self.checks)}>"


def check_modules(
    modules: tuple[str, ...], facts: Snapshot, *, run: bool = False, order: bool = False
) -> Check:
    """Check modules against a process.

    Parameters
    ----------
    modules
        Names as ``import`` takes them, in the order of importing.
    facts
        The process they would be imported into.
    run
        Also import them in a child process, step by step, and use each runtime.
    order
        Also search an order that works; it is run to prove it.

    Raises
    ------
    TrialError
        When a name is no module's.
    """
    from .experiments.order import find_order  # noqa: PLC0415 - only trials pay for it
    from .experiments.trial import checked_modules, run_trial  # noqa: PLC0415 - as above
    from .machine.python.trials import why_no_trials  # noqa: PLC0415 - as above

    names = checked_modules(modules)
    answer = may_load(names, present=facts.libraries, imported=frozenset(sys.modules))
    search = find_order(names) if order else None
    trial = None if search is None else (search.best or search.trials[0])
    if trial is None and run:
        trial = run_trial(names)
    return Check(
        modules=names,
        coming=answer.runtimes,
        findings=judged(facts, answer),
        unknown=answer.unknown,
        notes=answer.notes,
        trial=trial,
        search=search,
        can_run=not why_no_trials(),
    )


def judged(facts: Snapshot, answer: MayLoad) -> tuple[Finding, ...]:
    """Give what would be the case with what imports may load, and is not now.

    Parameters
    ----------
    facts
        The process before.
    answer
        What comes, and which variables the imports set for the process: one that masks
        Error #15 is taken to be set when the second copy starts.
    """
    known = {(each.code, each.evidence) for each in judge(facts)}
    if MASK in answer.sets and facts.setting(MASK) is None:
        by = tuple(dict.fromkeys(each.partition(".")[0] for each in answer.sets[MASK]))
        mask = EnvSetting(name=MASK, python="True", native="True", at_exec=None, set_by=by)
        facts = replace(facts, environment=(*facts.environment, mask))
    return tuple(
        each
        for each in judge(facts, tuple(coming.library for coming in answer.runtimes))
        if (each.code, each.evidence) not in known and each.code != _MASKED
    )
