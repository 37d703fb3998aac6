"""A check for another system -> plain text: the verdict first, then copies, branches, findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checks import Check
from ..facts.libraries import Finding, Library
from ..installed.expected import Coming
from ..knowledge.elsewhere import words_at
from .finding_text import finding_lines
from .lines import line, verdict_lines, wrapped
from .plain import terminal_columns
from .systems import system_of, verdict_on
from .words import from_of, title_of

if TYPE_CHECKING:
    from rich.text import Text

_TONES = {"bad": "error", "warning": "warning", "good": "fine"}
_MOST_NAMED = 2
_REGISTERS = {
    "environment": "registers in a variable",
    "shared memory": "registers in shared memory",
    "file": "registers in a file below /tmp",
}
JUDGED = "Judged by files alone, nothing was run"


def lead_of(check: Check) -> str:
    """Give the first line: what keeps the answer from being whole, then the verdict."""
    said, _ = verdict_on(check)
    stops = [f"importing {gap.what} stops: {gap.why}" for gap in check.failing]
    stops += [f"{gap.what}: {gap.why}" for gap in (*check.unknown, *check.lacking)]
    lead = system_of(check)
    if stops:
        more = f" and {len(stops) - 1} more" if len(stops) > 1 else ""
        lead += f", not the whole answer ({stops[0]}{more})"
    return f"{lead}: {said}"


def copy_of(coming: Coming) -> tuple[str, str]:
    """Give a runtime in two sentences: what and whose it is, and where and who brings it."""
    library = coming.library
    whose = words_at(library.path) or f"{title_of(library)}, from {from_of(library)}"
    facts = [place_of(library)]
    name = library.install_name or ""
    if name and not library.path.endswith(name.rpartition("@rpath")[2].lstrip("@")):
        facts.append(f"calls itself {name}")
    if library.registers:
        facts.append(_REGISTERS.get(library.registers, library.registers))
    names = list(dict.fromkeys(each.module for each in coming.brought_by))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    facts.append(f"brought by {', '.join(names[:_MOST_NAMED])}{more}")
    return whose, " \N{MIDDLE DOT} ".join(facts)


def place_of(library: Library) -> str:
    """Give a path inside of the packages' folder, where it is in one."""
    for folder in ("site-packages/", "dist-packages/"):
        inside = library.path.replace("\\", "/").rpartition(folder)[2]
        if inside != library.path.replace("\\", "/"):
            return inside
    return library.path


def findings_of(check: Check) -> tuple[Finding, ...]:
    """Give the findings, each remedy once: two findings about the same copies share theirs."""
    seen: set[str] = set()
    found = []
    for finding in check.findings:
        new = tuple(each for each in finding.remedies if each not in seen)
        seen.update(new)
        found.append(replace(finding, remedies=new))
    return tuple(found)


def further_of(check: Check) -> Iterable[str]:
    """Give what keeps the answer from being whole, what the lead has no room for included."""
    for gap in check.failing:
        yield f"importing {gap.what} would stop: {gap.why}"
    for gap in (*check.unknown, *check.lacking):
        yield f"not known: {gap.what}: {gap.why}"
    known = {f"importing {gap.what} would fail: {gap.why}" for gap in check.failing}
    for note in check.notes:
        if note not in known:
            yield f"not known: {note}"


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
    for coming in check.coming:
        whose, facts = copy_of(coming)
        lines += wrapped(whose, width, first="  ", further="    ")
        lines += wrapped(facts, width, first="    ", style="dim")
    for branch in check.branches:
        lines += wrapped(branch.sentence, width, first="  ", further="    ")
    for finding in findings_of(check):
        lines += [line(), *finding_lines(finding, "", width=width, magics=magics)]
    further = [*further_of(check), JUDGED]
    lines += [line()] * bool(check.findings)
    for text in further:
        lines += wrapped(text, width, first="  ", further="    ", style="dim")
    return lines
