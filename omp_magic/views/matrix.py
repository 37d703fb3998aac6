"""The same imports on several systems -> one table: rows imports, columns systems.

Under it stands for each system only what is wrong there; what several systems share is told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..checks import Check, Checks
from ..facts.libraries import Finding, Library
from .finding_text import finding_lines
from .lines import TONES, line, table, wrapped
from .plain import for_display, joined, terminal_columns
from .systems import copies_words, short_of, system_of, verdict_on
from .words import DASH, counted

if TYPE_CHECKING:
    from rich.text import Text

_MOST_ROWS = 12
_TOLD = ("error", "warning")


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
        Module, and its cell on each system.
    folded
        How many further modules bring a runtime and clash nowhere.
    verdicts
        The last row: each system's.
    shared
        Findings below it, each with the systems that it is about.
    """

    systems: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    folded: int
    verdicts: tuple[Cell, ...]
    shared: tuple[tuple[str, Finding], ...]


def matrix_of(checks: Checks) -> Matrix:
    """Put the table together."""
    names = dict.fromkeys(name for check in checks.checks for name in check.modules)
    rows = []
    for name in names:
        cells = tuple(_cell(name, check) for check in checks.checks)
        if any(each.text != DASH for each in cells):
            rows.append((name, cells))
    rows.sort(key=lambda row: all(each.tone == "plain" for each in row[1]))
    verdicts = (verdict_on(each) for each in checks.checks)
    return Matrix(
        systems=tuple(map(system_of, checks.checks)),
        rows=tuple(rows[:_MOST_ROWS]),
        folded=len(rows[_MOST_ROWS:]),
        verdicts=tuple(
            Cell(copies_words(check), tone)
            for check, (_, tone) in zip(checks.checks, verdicts, strict=True)
        ),
        shared=tuple(_shared(checks)),
    )


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
    words = dict.fromkeys(_short(each, name, check) for each in brought)
    return Cell(", ".join(words), "bad" if clash else "plain")


def _short(library: Library, name: str, check: Check) -> str:
    """Give a copy in a few characters: ``own libomp``, ``torch's libomp``, ``Homebrew's``."""
    top = name.partition(".")[0]
    own = any(
        _same(who.distribution, library.owner) and who.through.partition(".")[0] == top
        for coming in check.coming
        if coming.library is library
        for who in coming.brought_by
    )
    return short_of(library, own=own)


def _same(one: str | None, other: str | None) -> bool:
    if not one or not other:
        return False
    return one.lower().replace("-", "_") == other.lower().replace("-", "_")


def _shared(checks: Checks) -> list[tuple[str, Finding]]:
    """Give findings that are errors or warnings; what is the same on several systems once."""
    told: dict[tuple[object, ...], tuple[list[str], Finding]] = {}
    for check in checks.checks:
        for finding in check.findings:
            if finding.severity in _TOLD:
                key = finding.code, finding.title, finding.remedies
                systems, _ = told.setdefault(key, ([], finding))
                systems.append(system_of(check))
    seen: set[str] = set()
    found = []
    for systems, finding in told.values():
        new = tuple(each for each in finding.remedies if each not in seen)
        seen.update(new)
        found.append((", ".join(systems), replace(finding, remedies=new)))
    return found


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
    for check in checks.checks:
        for gap in (*check.unknown, *check.lacking, *check.failing):
            said = f"{system_of(check)}: not the whole answer: {gap.what}: {gap.why}"
            lines += wrapped(said, width, further="  ", style=TONES["bad"])
    body: list[list[Cell]] = [[Cell(name), *cells] for name, cells in found.rows]
    body.append([Cell("together"), *(replace(each, bold=True) for each in found.verdicts)])
    drawn = [[(each.text, each.style) for each in row] for row in body]
    lines += table(["import", *found.systems], drawn, width, indent=0)
    if found.folded:
        said = f"{counted(found.folded, 'more import')} with a runtime, and no clash"
        lines += wrapped(said, width, style="dim")
    for check in checks.checks:
        for branch in check.branches:
            lines += wrapped(
                f"{system_of(check)}: {branch.sentence}", width, further="  ", style="dim"
            )
    for systems, finding in found.shared:
        lines += [line(), line((systems, "bold"))]
        lines += finding_lines(finding, "", width=width, magics=magics)
    for note in dict.fromkeys(note for check in checks.checks for note in check.notes):
        lines += wrapped(f"not known: {note}", width, further="  ", style="dim")
    return lines
