"""What importing modules may load, and what that would do beside what is there; nothing is run.

With `run` the imports are tried in a child process; with `order` an order that works is searched
and proved by running it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from .errors import MissingRendererError
from .facts.libraries import Finding, Gap, Library
from .facts.mime import bundle
from .facts.plain import as_plain
from .facts.snapshots import Snapshot
from .facts.trials import OrderSearch, Trial
from .installed.distributions import may_load
from .installed.expected import Coming
from .rules import judge

_KINDS = (("text/plain", "display"), ("text/html", "html"))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Check:
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
    """

    modules: tuple[str, ...]
    coming: tuple[Coming, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    trial: Trial | None = None
    search: OrderSearch | None = None

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    @property
    def runtimes(self) -> tuple[Library, ...]:
        """What importing them may load."""
        return tuple(each.library for each in self.coming)

    @property
    def failed(self) -> bool:
        """Whether a trial went wrong and no order was found that works."""
        if self.search is not None:
            return self.search.best is None
        return self.trial is not None and not self.trial.works

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers."""
        return {
            "modules": list(self.modules),
            "runtimes": as_plain(self.runtimes),
            "brought_by": as_plain(tuple(each.brought_by for each in self.coming)),
            "findings": as_plain(self.findings),
            "unknown": as_plain(self.unknown),
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

    def __str__(self) -> str:
        """Give the whole as plain text."""
        return self._render("text")

    def _render(self, name: str) -> str:
        if name not in self.renderers:
            raise MissingRendererError(name)
        return self.renderers[name](self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {kind: partial(self._render, name) for kind, name in _KINDS}
        return bundle(makers, include, exclude)


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

    names = checked_modules(modules)
    answer = may_load(names, present=facts.libraries, imported=frozenset(sys.modules))
    known = {(each.code, each.evidence) for each in judge(facts)}
    findings = tuple(
        each
        for each in judge(facts, tuple(coming.library for coming in answer.runtimes))
        if (each.code, each.evidence) not in known
    )
    search = find_order(names) if order else None
    trial = None if search is None else (search.best or search.trials[0])
    if trial is None and run:
        trial = run_trial(names)
    return Check(
        modules=names,
        coming=answer.runtimes,
        findings=findings,
        unknown=answer.unknown,
        notes=answer.notes,
        trial=trial,
        search=search,
    )
