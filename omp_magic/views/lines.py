"""Lines of text: sentences that wrap between words, code that never does, tables.

A line is as wide as it is told to be and not cut by whatever prints it. Sentences and cells break
between words only, so a word that is longer than the line stands out of it, as code does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.text import Text

from .words import DASH, printable

TONES = {
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "fine": "green",
    "unknown": "bold",
    "bad": "red",
    "good": "green",
    "plain": "",
}
"""The one ladder of colours: of findings, verdicts and states, in every text view."""

_MARKS = {
    "error": "\N{HEAVY MULTIPLICATION X}",
    "warning": "!",
    "info": "\N{MIDDLE DOT}",
    "fine": "\N{CHECK MARK}",
    "unknown": "?",
}
_GAP = 2
_NARROW, _MOST_ROWS = 24, 3
_WHOLE = re.compile(
    r"%%?omp_\w+(?: (?:(?:--?|OMP)[\w-]+|off|raise|warn|(?:[\w./-]+=)?(?:auto(?:/\d+)?|\d+)\b))+"
    r"|\bomp-magic \w+(?: (?:--|OMP)[\w-]+)*"
)
"""Code in the middle of a sentence: a magic or a command with its words is not broken either."""
_JOINT = "\N{WORD JOINER}"
Cell: TypeAlias = "str | tuple[str, str]"
"""Text of a cell, or text and its style."""


def line(*parts: str | tuple[str, str]) -> Text:
    """Give a line of parts, each a text or a text and its style; it is never wrapped."""
    return Text.assemble(*parts, no_wrap=True, overflow="ignore", end="\n")


def code(text: str, indent: int) -> list[Text]:
    """Give code, indented, each line of it whole: it is copied and run."""
    return [line(" " * indent, (printable(each), "not dim")) for each in text.split("\n")]


def wrapped(
    text: str, width: int, *, first: Cell = "", further: str | None = None, style: str = ""
) -> list[Text]:
    """Give a sentence in lines, broken between words.

    Parameters
    ----------
    text
        What is not printable is written as an escape.
    width
        Columns, with the indentation.
    first, further
        What stands before the first line, perhaps with a style of its own, and before those
        that follow; the same when None.
    style
        Of the words.
    """
    before = first if isinstance(first, str) else first[0]
    further = before if further is None else further
    rows = _broken(printable(text), width - cell_len(before), width - cell_len(further))
    return [line(further if n else first, (row, style)) for n, row in enumerate(rows)]


def verdict_lines(text: str, tone: str, width: int) -> list[Text]:
    """Give the line that comes first, with its mark: ``✖ This kernel will die …``."""
    style = TONES[tone] if "bold" in TONES[tone] else f"bold {TONES[tone]}"
    return wrapped(text, width, first=(f"{_MARKS[tone]} ", style), further="  ", style=style)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int, *, indent: int = 2
) -> list[Text]:
    """Lay out a table; where its words are too many for the width, each row in lines of its own.

    Parameters
    ----------
    columns
        Their names, may be ""; with ``">"`` before them numbers stand at the right.
    rows
        Their cells.
    width
        Columns that the whole may have.
    indent
        Spaces before each line.
    """
    names = [name.lstrip(">") for name in columns]
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = _widths([names, *texts], width - indent - _GAP * (len(columns) - 1))
    if widths is None and len(columns) == 1:
        named = wrapped(names[0], width, first=" " * indent, style="dim") if names[0] else []
        return named + [
            line(" " * indent, (text, _style(cell)))
            for [text], [cell] in zip(texts, rows, strict=True)
        ]
    if widths is None:
        return [each for row in rows for each in _record(names, row, width, indent)]
    right = [name.startswith(">") for name in columns]
    head = [(name, "dim") for name in names]
    lines = [] if not any(names) else _row(head, widths, right, indent)
    for row in rows:
        lines += _row(row, widths, right, indent)
    return lines


def _row(cells: Sequence[Cell], widths: list[int], right: list[bool], indent: int) -> list[Text]:
    folded = [_broken(_text(cell), size, size) for cell, size in zip(cells, widths, strict=True)]
    found = []
    for number in range(max(map(len, folded))):
        parts: list[str | tuple[str, str]] = [" " * indent]
        for column, (cell, size) in enumerate(zip(cells, widths, strict=True)):
            text = folded[column][number] if number < len(folded[column]) else ""
            space = " " * (size - cell_len(text))
            styled = (text, _style(cell))
            parts += [space, styled] if right[column] else [styled, space]
            parts.append(" " * _GAP)
        made = line(*parts)
        made.rstrip()
        found.append(made)
    return found


def _record(names: list[str], cells: Sequence[Cell], width: int, indent: int) -> list[Text]:
    """Give a row as its first cell, and the others with their names below it."""
    told = [
        f"{name} {_text(cell)}".strip()
        for name, cell in zip(names[1:], cells[1:], strict=True)
        if _text(cell) not in ("", DASH)
    ]
    before = " " * indent
    lines = wrapped(_text(cells[0]), width, first=before, further=before + "  ")
    more = wrapped(" \N{MIDDLE DOT} ".join(told), width, first=before + "  ", style="dim")
    return lines + (more if told else [])


def _widths(rows: list[list[str]], room: int) -> list[int] | None:
    """Give the columns' widths, the widest narrowed first; None where it would be no table.

    That is where words do not fit, or a narrow column has a long text, a word a line.
    """
    widest = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    least = [
        max((cell_len(word) for text in column for word in text.split(" ")), default=0)
        for column in zip(*rows, strict=True)
    ]
    if sum(least) > room:
        return None
    over = sum(widest) - room
    while over > 0:
        at = max(range(len(widest)), key=lambda n: (widest[n] > least[n], widest[n]))
        widest[at] -= 1
        over -= 1
    widths = []
    for column, size in zip(zip(*rows, strict=True), widest, strict=True):
        folded = [_broken(text, size, size) for text in column]
        if size < _NARROW and max(map(len, folded)) > _MOST_ROWS:
            return None
        widths.append(max(cell_len(row) for cell in folded for row in cell))
    return widths


def _broken(text: str, first: int, further: int) -> list[str]:
    """Break a text between words; columns are counted as a terminal does, Korean is two wide."""
    rows, row, room = [], "", first
    for part in _WHOLE.sub(lambda found: found[0].replace(" ", _JOINT), text).split(" "):
        word = part.replace(_JOINT, " ")
        longer = f"{row} {word}" if row else word
        if row.strip() and cell_len(longer) > room:
            rows.append(row)
            row, room = word, further
        else:
            row = longer
    return [*rows, row]


def _text(cell: Cell) -> str:
    return printable(cell if isinstance(cell, str) else cell[0])


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]
