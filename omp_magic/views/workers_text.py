"""All child processes -> lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lines import TONES, line, table, wrapped
from .workers import Table

if TYPE_CHECKING:
    from rich.text import Text


def worker_lines(found: Table, width: int) -> list[list[Text]]:
    """Give parts of lines: the sums, the processes, their runtimes, what differs.

    Parameters
    ----------
    found
        What is said.
    width
        Columns.
    """
    head = _said(found.headline, width, TONES.get(found.tone, found.tone))
    if found.memory:
        head += _said(found.memory, width, "dim")
    for each in found.differ:
        head += wrapped(each, width, first=("  differs  ", TONES["warning"]), further="    ")
    if found.same:
        head += _said(found.same, width)
    parts = [head]
    if found.rows:
        parts.append(table(found.columns, found.rows, width))
    if found.runtimes:
        columns = ("runtime in workers", "from", "workers", ">threads")
        lines = table(columns, [row[:4] for row in found.runtimes], width)
        files = table(("files, in the same order",), [[row[4]] for row in found.runtimes], width)
        parts.append([*lines, line(), *files])
    rest = [each for text in found.others for each in _said(text, width, "dim")]
    for pids, command in found.commands:
        rest += wrapped(command, width, first=(f"  {pids}: ", "dim"), further="    ", style="dim")
    parts.append(rest)
    return parts


def _said(text: str, width: int, style: str = "") -> list[Text]:
    return wrapped(text, width, first="  ", further="    ", style=style)
