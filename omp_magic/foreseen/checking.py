"""What imports would load in an environment of some system, and what that would do there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..checks import Check, judged
from ..facts.libraries import Finding, Gap
from ..facts.settings import EnvSetting
from ..facts.snapshots import Snapshot
from ..facts.targets import Target
from ..installed.cures import cures
from ..installed.expected import Cure, MayLoad
from ..installed.foreign import Site
from ..installed.openers import MASK
from ..knowledge.envvars import is_true
from ..knowledge.variables import VARIABLES

_DUPLICATES = frozenset(("OMP101", "OMP102", "OMP107"))


def foresee(  # noqa: PLR0913 - what is known of the environment
    modules: Sequence[str],
    site: Site,
    facts: Snapshot,
    *,
    unknown: Sequence[Gap] = (),
    notes: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    source: str = "",
    further: Sequence[Callable[[Sequence[str], MayLoad], Cure | None]] = (),
) -> Check:
    """Check modules against a process of another system that has nothing yet.

    Parameters
    ----------
    modules
        In the order of importing.
    site
        The environment that has them.
    facts
        Any snapshot: of it only what no system decides is taken.
    unknown
        Distributions of the environment that are not known.
    notes
        What could not be told of the environment itself.
    where
        Module -> the line that asks for its distribution.
    source
        Where the files are, for people; the site's own folders when "".
    further
        Other ways to one copy, tried where there are more.
    """
    from ..experiments.trial import checked_modules  # noqa: PLC0415 - with all that a trial needs

    names = checked_modules(tuple(modules))
    answer = site.may_load(names)
    tried = cures(site, names, answer)
    version = ".".join(map(str, site.target.python))
    if answer.copies > 1:
        others = (way(names, answer) for way in further)
        tried = (*tried, *(each for each in others if each is not None))
    return Check(
        modules=names,
        coming=answer.runtimes,
        findings=_findings(facts, answer, tried, site.target),
        unknown=answer.unknown,
        notes=(*notes, *answer.notes),
        target=site.target.name,
        failing=answer.failing,
        lacking=tuple(unknown),
        branches=answer.branches,
        cures=tried,
        where=dict(where or {}),
        source=f"{source or ', '.join(site.path)}, CPython {version}",
        folders=tuple(dict.fromkeys((*site.path, *site.roots))),
        masked_by=_masked_by(answer, site.target),
    )


def _masked_by(answer: MayLoad, target: Target) -> str:
    """Give who lets a second copy start, in words; "" where nobody does."""
    if is_true(target.environ.get(MASK)):
        return "it is set there"
    by = dict.fromkeys(each.partition(".")[0] for each in answer.sets.get(MASK, ()))
    return f"importing {' or '.join(by)} sets it" if by else ""


def _findings(
    facts: Snapshot, answer: MayLoad, tried: Sequence[Cure], target: Target
) -> tuple[Finding, ...]:
    blank = Snapshot(
        pid=0,
        python=".".join(map(str, target.python)),
        prefix="",
        budget=facts.budget,
        libraries=(),
        pools=(),
        num_os_threads=None,
        os_threads=None,
        environment=tuple(
            EnvSetting(name=name, python=value, native=value, at_exec=value)
            for name, value in target.environ.items()
            if name in VARIABLES
        ),
        throttling=(),
        system=target.system,
    )
    lines = tuple(f"{each.words}: {each.code}" for each in tried)
    return tuple(
        replace(each, remedies=(*lines, *each.remedies)) if each.code in _DUPLICATES else each
        for each in judged(blank, answer)
    )
