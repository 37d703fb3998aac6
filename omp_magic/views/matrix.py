"""Checks of several systems -> a table: rows are imports, columns are systems; one glance.

Below it stands what is wrong on each; what several systems share is told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..checks import Check, Checks
from ..facts.libraries import Finding, Library
from . import foreseen
from .finding_text import finding_lines
from .lines import TONES, line, table, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns
from .systems import copies_words, listed, short_of, system_of, verdict_on
from .words import DASH, counted

if TYPE_CHECKING:
    from rich.text import Text

_MOST_ROWS = 12
_TOLD = ("error", "warning")
_TONES = {"bad": "error", "warning": "warning", "good": "fine"}
_OUTCOMES = {
    "bad": "clash on",
    "warning": "a warning for",
    "unknown": "not known for",
    "good": "fine on",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What an import maps on a system: a few words, and how they look."""

    text: str
    tone: str = "plain"
    bold: bool = False

    @property
    def mark(self) -> str:
        """How a page shows it: a class of its style."""
        return {"bad": "omp-err", "warning": "omp-warn", "good": "omp-ok"}.get(self.tone, "")

    @property
    def style(self) -> str:
        """How a terminal shows it."""
        return f"{'bold ' * self.bold}{TONES[self.tone]}".strip()


@dataclass(frozen=True, slots=True)
class Matrix:
    """The table.

    Parameters
    ----------
    systems
        Names of the columns.
    rows
        Module, and its cell on each system; those that clash or fail come first.
    folded
        How many further modules bring a runtime and clash nowhere.
    verdicts
        The last row: each system's.
    told
        Below it: systems, and the findings that are the same on them.
    """

    systems: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    folded: int
    verdicts: tuple[Cell, ...]
    told: tuple[tuple[str, tuple[Finding, ...]], ...]

    @property
    def folded_words(self) -> str:
        """Give what has no row, in words; "" where all have one."""
        if not self.folded:
            return ""
        return f"and {counted(self.folded, 'more import')} with a runtime and no clash"


def matrix_of(checks: Checks) -> Matrix:
    """Put the table together."""
    names = dict.fromkeys(name for check in checks.checks for name in check.modules)
    rows = []
    for name in names:
        cells = tuple(_cell(name, check) for check in checks.checks)
        if any(each.text != DASH for each in cells):
            rows.append((name, cells))
    rows.sort(key=lambda row: _is_plain(row[1]))
    shown = max(_MOST_ROWS, sum(not _is_plain(cells) for _, cells in rows))
    return Matrix(
        systems=tuple(map(system_of, checks.checks)),
        rows=tuple(rows[:shown]),
        folded=len(rows[shown:]),
        verdicts=tuple(Cell(copies_words(each), verdict_on(each)[1]) for each in checks.checks),
        told=_told(checks),
    )


def _is_plain(cells: tuple[Cell, ...]) -> bool:
    return all(each.tone == "plain" for each in cells)


def lead_of(checks: Checks) -> str:
    """Give the verdict on all: ``Clash on macOS arm64; fine on Linux x86_64``."""
    systems: dict[str, list[str]] = {}
    for check in checks.checks:
        tone = verdict_on(check)[1]
        if tone == "warning" and not any(each.severity in _TOLD for each in check.findings):
            tone = "unknown"
        systems.setdefault(tone, []).append(system_of(check))
    parts = (f"{_OUTCOMES[tone]} {listed(systems[tone])}" for tone in _OUTCOMES if tone in systems)
    said = "; ".join(parts)
    return said[:1].upper() + said[1:]


def tone_of(checks: Checks) -> str:
    """Give the tone of the worst of them."""
    tones = {verdict_on(each)[1] for each in checks.checks}
    return next((tone for tone in _OUTCOMES if tone in tones), "good")


def gaps_of(checks: Checks) -> tuple[str, ...]:
    """Give for each system whose answer is not whole what stops it: it is said first."""
    return tuple(foreseen.lead_of(each) for each in checks.checks if not each.whole)


def asked_of(checks: Checks) -> str:
    """Give what was asked, of the system that has the most of it."""
    most = max(checks.checks, key=lambda each: len(each.modules))
    return foreseen.asked_of(most)


def _cell(name: str, check: Check) -> Cell:
    if any(gap.what == name for gap in check.failing):
        return Cell("fails", "bad")
    if any(gap.what == name for gap in check.unknown):
        return Cell("not there", "bad")
    if name not in check.modules:
        return Cell(DASH)
    brought = [
        coming.library
        for coming in check.coming
        if coming.library.api == "openmp" and any(who.module == name for who in coming.brought_by)
    ]
    if not brought:
        return Cell(DASH)
    clash = check.copies > 1 and any(each.kin == "llvm" and not each.idle for each in brought)
    words = short_of([(each, _is_own(each, name, check)) for each in brought])
    return Cell(words, verdict_on(check)[1] if clash else "plain")


def _is_own(library: Library, name: str, check: Check) -> bool:
    """Tell whether a module's own distribution brings a copy, and a module of its own loads it."""
    top = name.partition(".")[0]
    return any(
        _same(who.distribution, library.owner) and who.through.partition(".")[0] == top
        for coming in check.coming
        if coming.library is library
        for who in coming.brought_by
    )


def _same(one: str | None, other: str | None) -> bool:
    if not one or not other:
        return False
    return one.lower().replace("-", "_") == other.lower().replace("-", "_")


def _told(checks: Checks) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    """Give findings that are errors or warnings; what is the same on several systems once."""
    told: set[str] = set()
    same: dict[tuple[str, ...], tuple[list[str], Finding]] = {}
    for check in checks.checks:
        plain = replace(
            check, findings=tuple(each for each in check.findings if each.severity in _TOLD)
        )
        # A system's own words first: which remedies were told is asked when they are.
        for finding in foreseen.findings_of(plain, set()):
            key = finding.code, finding.title, finding.why, *finding.remedies
            same.setdefault(key, ([], finding))[0].append(system_of(check))
    groups: dict[str, list[Finding]] = {}
    for systems, finding in same.values():
        groups.setdefault(listed(systems), []).append(foreseen.told_once(finding, told))
    return tuple((systems, tuple(findings)) for systems, findings in groups.items())


def branches_of(checks: Checks) -> tuple[str, ...]:
    """Give what is otherwise on a system without something that it is supposed to have."""
    return tuple(
        f"{system_of(check)}: {said}"
        for check in checks.checks
        for said in foreseen.branches_of(check)
    )


def further_of(checks: Checks) -> tuple[str, ...]:
    """Give the notes, each once: with its systems where it is not of all."""
    systems: dict[str, list[str]] = {}
    for check in checks.checks:
        for said in foreseen.further_of(check):
            systems.setdefault(said, []).append(system_of(check))
    return tuple(
        said if len(whose) == len(checks.checks) else f"{listed(whose)}: {said}"
        for said, whose in systems.items()
    )


def render_text(checks: Checks) -> str:
    """Give it as text without colour."""
    return joined(layout(checks))


def render_display(checks: Checks) -> str:
    """Give it as IPython shows it, with colours in a terminal."""
    return for_display(layout(checks))


def layout(checks: Checks, *, magics: bool = True) -> list[Text]:
    """Give it in lines.

    Parameters
    ----------
    checks
        One a target.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    width = terminal_columns()
    found = matrix_of(checks)
    lines: list[Text] = []
    for said in gaps_of(checks):
        lines += verdict_lines(said, "warning", width)
    lines += verdict_lines(lead_of(checks), _TONES[tone_of(checks)], width)
    lines += wrapped(asked_of(checks), width, first="  ", further="    ", style="dim")
    body: list[list[Cell]] = [[Cell(name), *cells] for name, cells in found.rows]
    body.append([Cell("together"), *(replace(each, bold=True) for each in found.verdicts)])
    drawn = [[(each.text, each.style) for each in row] for row in body]
    lines += [line(), *table(["import", *found.systems], drawn, width)]
    if found.folded:
        lines += wrapped(found.folded_words, width, first="  ", style="dim")
    branches = branches_of(checks)
    lines += [line()] * bool(branches)
    for said in branches:
        lines += wrapped(said, width, first="  ", further="    ")
    for systems, findings in found.told:
        lines += [line(), line("  ", (systems, "bold"))]
        for finding in findings:
            lines += finding_lines(finding, "", width=width, magics=magics)
    lines.append(line())
    for said in (*further_of(checks), foreseen.JUDGED):
        lines += wrapped(said, width, first="  ", further="    ", style="dim")
    return lines
