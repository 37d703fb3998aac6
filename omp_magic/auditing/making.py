"""An audit, made: imports tried here, files of requirements foreseen, the environment judged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ..audits import Audit
from ..checks import Check, check_modules
from ..facts.libraries import Finding, Gap
from ..facts.snapshots import Snapshot
from ..machine.python.trials import why_no_trials
from ..rules import judge
from ..rules.judgement import ranked
from .chosen import anchor_of, lines_of
from .seen import after, expected

_OF_IMPORTS = "OMP1"
"""Codes about what is loaded; the others are about CPUs and variables."""
_MOST_TRIES = 5


def audit(  # noqa: PLR0913 - each is a question of its own
    modules: Sequence[str],
    foreseen: Sequence[Check],
    facts: Snapshot,
    *,
    chosen: str,
    named: bool = True,
    notes: Sequence[Gap] = (),
    folder: str = os.curdir,
    fail_on: str = "error",
) -> Audit:
    """Judge imports, this environment's variables and the CPUs it really has, together.

    Parameters
    ----------
    modules
        Tried in a child process, in this order; () for none.
    foreseen
        What files of requirements would install.
    facts
        This process, with nothing imported.
    chosen
        Where the modules come from, in words.
    named
        Whether somebody asked for them; else one that cannot be imported is left out, and told.
    notes
        What else could not be looked at.
    folder
        The project's, whose lines ask for the modules.
    fail_on
        The severity from which on the audit has failed.

    Raises
    ------
    TrialError
        When a name is no module's.
    """
    left: list[Gap] = [*notes]
    tried = _tried(tuple(modules), facts, left, named=named) if modules else None
    if tried is None:
        here = [each for each in foreseen if each.target is None or _is_here(each, facts)]
        process = expected(facts, (copy for each in here for copy in each.runtimes))
    elif tried.trial is None:
        process = expected(facts, tried.runtimes)
    else:
        process = after(facts, tried.trial)
    found = judge(process)
    where = lines_of(folder, modules)
    checks = [*foreseen]
    if tried is not None:
        checks.insert(0, replace(tried, findings=_of_imports(tried, found), where=where))
    others = tuple(each for each in found if not each.code.startswith(_OF_IMPORTS))
    return Audit(
        facts=process.with_findings(others),
        checks=tuple(checks),
        chosen=chosen,
        where=where,
        anchor=anchor_of(folder, where),
        notes=tuple(left),
        fail_on=fail_on,
    )


def _tried(
    modules: tuple[str, ...], facts: Snapshot, notes: list[Gap], *, named: bool
) -> Check | None:
    """Check modules by trying them; what nobody named and cannot be imported is left out."""
    why = why_no_trials()
    if why:
        notes.append(Gap(what="a trial of the imports", why=why))
        return check_modules(modules, facts)
    for _ in range(_MOST_TRIES):
        found = check_modules(modules, facts, run=True)
        step = found.trial.failed if found.trial is not None else None
        if named or step is None or (step.kind, step.outcome) != ("import", "error"):
            return found
        said = step.message.partition("\n")[0]
        notes.append(Gap(what=step.name, why=f"it cannot be imported: {step.error}: {said}"))
        modules = tuple(each for each in modules if each != step.name)
        if not modules:
            return None
    return found


def _of_imports(check: Check, seen: Sequence[Finding]) -> tuple[Finding, ...]:
    """Give what was seen of the imports, and what files tell beyond that."""
    own = [each for each in seen if each.code.startswith(_OF_IMPORTS)]
    codes = {each.code for each in own}
    return ranked((*own, *(each for each in check.findings if each.code not in codes)))


def _is_here(check: Check, facts: Snapshot) -> bool:
    return (check.target or "").partition("-")[0] == facts.system
