"""A check for another system -> plain text: the verdict first, then copies, branches, findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checks import Check
from ..facts.libraries import Finding, Library
from ..facts.names import is_system
from ..installed.expected import Coming
from ..knowledge.elsewhere import words_at
from .finding_text import finding_lines
from .lines import TONES, line, verdict_lines, wrapped
from .plain import terminal_columns
from .systems import brought_by, listed, stops_of, system_of, verdict_on
from .words import counted, from_of, title_of

if TYPE_CHECKING:
    from rich.text import Text

_TONES = {"bad": "error", "warning": "warning", "good": "fine"}
_MOST_MODULES, _MOST_BRINGERS = 6, 2
_REGISTERS = {
    "environment": "registers in a variable",
    "shared memory": "registers in shared memory",
    "file": "registers in a file below /tmp",
}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_ABOVE, _ALSO_ABOVE = "What is told above helps", "Or what is told above"
JUDGED = "Judged by files alone, nothing was run"


def lead_of(check: Check) -> str:
    """Give the first line: what keeps the answer from being whole, or the verdict."""
    stops = stops_of(check)
    if not stops:
        return f"{system_of(check)}: {verdict_on(check)[0]}"
    more = f" (and {len(stops) - 1} more)" if len(stops) > 1 else ""
    return f"{system_of(check)}: not the whole answer: {stops[0]}{more}"


def rest_of(check: Check) -> str:
    """Give the verdict on what could be followed where that is not the whole; else ""."""
    return "" if check.whole else f"As far as it goes: {verdict_on(check)[0]}"


def asked_of(check: Check) -> str:
    """Give what was asked: ``import torch, faiss``, and the files that were looked into."""
    names = modules_words(check.modules)
    return f"import {names} \N{MIDDLE DOT} {check.source}" if check.source else f"import {names}"


def modules_words(names: Sequence[str]) -> str:
    """Give modules by name, or many by their number."""
    return ", ".join(names) if len(names) <= _MOST_MODULES else counted(len(names), "module")


def copy_of(coming: Coming, check: Check) -> str:
    """Give a runtime in a line: what, whose, where, and who brings it."""
    library = coming.library
    whose = f"{title_of(library)}, {from_of(library)}"
    if not library.owner and is_system(library.path):
        whose = f"{title_of(library)} of {from_of(library)}"
    facts = [words_at(library.path) or whose, place_of(library, check)]
    name = library.install_name or ""
    if name and name != library.path and library.api == "openmp":
        facts.append(f"install name {name}")
    if library.registers:
        facts.append(_REGISTERS.get(library.registers, library.registers))
    names = list(dict.fromkeys(each.module for each in coming.brought_by))
    shown, more = names[:_MOST_BRINGERS], len(names) - _MOST_BRINGERS
    facts.append(f"by {listed([*shown, f'{more} more'] if more > 0 else shown)}")
    return " \N{MIDDLE DOT} ".join(facts)


def place_of(library: Library, check: Check) -> str:
    """Give a path as it is below the environment's folder of packages."""
    return inside(check)(library.path)


def inside(check: Check) -> Callable[[str], str]:
    """Give what makes texts short: paths in the environment without its folders' names."""
    sites = [each for each in check.folders if re.search("(?:site|dist)-packages/?$", each)]
    others = [each for each in check.folders if each not in sites and each.strip("/")]
    named = [(each, "") for each in sites] + [(each, f"{_ELLIPSIS}/") for each in others]
    named.sort(key=lambda each: -len(each[0]))

    def short(text: str) -> str:
        for folder, instead in named:
            text = re.sub(rf"(?<![\w./-]){re.escape(folder.rstrip('/'))}[/\\]", instead, text)
        return text

    return short


def findings_of(check: Check, told: set[str] | None = None) -> tuple[Finding, ...]:
    """Give the findings, paths short, and each remedy once: some are about the same copies.

    Parameters
    ----------
    check
        With a target.
    told
        Remedies that were told already; those of these findings are added.
    """
    short = inside(check)
    told = set() if told is None else told
    found = []
    for finding in check.findings:
        brief = replace(
            finding,
            title=short(finding.title),
            why=short(finding.why),
            evidence=tuple(map(short, finding.evidence)),
        )
        found.append(told_once(brief, told))
    return tuple(found)


def told_once(finding: Finding, told: set[str]) -> Finding:
    """Give a finding without the remedies that were told already, and add its own to them."""
    new = tuple(each for each in finding.remedies if each not in told)
    if len(new) == len(finding.remedies):
        told.update(new)
        return finding
    told.update(new)
    return replace(finding, remedies=(*new, _ALSO_ABOVE if new else _ABOVE))


def branches_of(check: Check) -> Iterable[str]:
    """Give what is otherwise without something that is only supposed to be there."""
    yield from filter(None, (branch.sentence for branch in check.branches))
    yield from brought_by(check)


def further_of(check: Check) -> Iterable[str]:
    """Give what else keeps the answer from being whole, and the notes."""
    stops = stops_of(check)
    if len(stops) > 1:
        yield from stops
    known = {f"importing {gap.what} would fail: {gap.why}" for gap in check.failing}
    short = inside(check)
    yield from (short(note) for note in check.notes if note not in known)


def layout(check: Check, *, magics: bool = True) -> list[Text]:
    """Give a check in lines.

    Parameters
    ----------
    check
        With a target.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    width = terminal_columns()
    _, tone = verdict_on(check)
    lines = verdict_lines(lead_of(check), _TONES[tone], width)
    if rest_of(check):
        lines += wrapped(rest_of(check), width, first="  ", style=TONES[_TONES[tone]])
    lines += wrapped(asked_of(check), width, first="  ", further="    ", style="dim")
    for coming in check.coming:
        lines += wrapped(copy_of(coming, check), width, first="  ", further="    ")
    for said in branches_of(check):
        lines += wrapped(said, width, first="  ", further="    ")
    for finding in findings_of(check):
        lines += [line(), *finding_lines(finding, "", width=width, magics=magics)]
    lines += [line()] * bool(check.findings)
    for text in (*further_of(check), JUDGED):
        lines += wrapped(text, width, first="  ", further="    ", style="dim")
    return lines
