"""How wide text is, whether it has colours, and lines of it as a string or on a stream."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_NARROWEST, _ELSEWHERE = 20, 100
"""Columns below which nothing is laid out, and those of what is no terminal: a file, a notebook."""


def terminal_columns() -> int:
    """Give the width that text is made for.

    It is COLUMNS where that is set, else the width of the terminal that stdout is. `shutil` would
    ask the process's own stdout, which in a kernel is the terminal that the server was started in.
    """
    try:
        columns = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        columns = 0
    if columns <= 0:
        columns = _columns_of(sys.stdout)
    return max(_NARROWEST, columns)


def _columns_of(stream: Any) -> int:
    try:
        number = stream.fileno() if stream.isatty() else -1
    except (AttributeError, OSError, ValueError):  # no stream, one without a file, a closed one
        return _ELSEWHERE
    try:
        return os.get_terminal_size(number).columns or _ELSEWHERE
    except (OSError, ValueError):
        return _ELSEWHERE


def coloured(stream: Any, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether what is written to a stream has colours.

    A terminal has them. NO_COLOR, if it is set and not empty, takes them away (no-color.org);
    FORCE_COLOR (force-color.org) and CLICOLOR_FORCE other than 0 (bixense.com/clicolors) give them
    to files too. With both, NO_COLOR wins, as in CPython's own `_colorize.can_colorize`.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return is_terminal(stream) and environ.get("TERM") != "dumb"


def is_terminal(stream: Any) -> bool:
    """Tell whether a stream is a terminal; one that is closed or strange is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def can_redraw(stream: Any, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream is a terminal that can be drawn anew: a dumb one only adds lines."""
    return is_terminal(stream) and environ.get("TERM") not in ("dumb", "unknown")


def plain_text(*parts: RenderableType) -> str:
    """Give what a rich console would print, without colour and without spaces at line ends.

    No line is cut: what must not be wrapped (`views.lines.code`) is as long as it is.
    """
    console = _console(io.StringIO(), colours=False)
    with console.capture() as capture:
        for part in parts:
            # rich joins texts into a new one, which wraps again.
            console.print(part, crop=False, soft_wrap=bool(getattr(part, "no_wrap", False)))
    return "\n".join(line.rstrip() for line in capture.get().rstrip().split("\n"))


def joined(lines: Iterable[Text]) -> str:
    """Give lines as text without colour and without spaces at line ends."""
    return "\n".join(line.plain.rstrip() for line in lines)


def painted(lines: Iterable[Text]) -> str:
    """Give lines as text with a terminal's colours."""
    console = _console(io.StringIO(), colours=True)
    with console.capture() as capture:
        _print(console, lines)
    return capture.get().rstrip("\n")


def for_display(lines: Iterable[Text]) -> str:
    """Give lines as IPython shows them: with colours where it runs in a terminal.

    A kernel's stdout is none, whatever FORCE_COLOR says there: ipykernel sets it for the programs
    that cells start, and text/plain is kept in notebooks.
    """
    colours = is_terminal(sys.stdout) and coloured(sys.stdout)
    return painted(lines) if colours else joined(lines)


def write_lines(lines: Iterable[Text]) -> None:
    """Print lines to stdout, with colours where `coloured` says so."""
    if coloured(sys.stdout):
        # rich itself knows how the terminals of Windows are coloured.
        _print(_console(sys.stdout, colours=True), lines)
    else:
        print(joined(lines))


def _print(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _console(file: Any, *, colours: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - 30 ms; whoever wants the width alone pays none

    return Console(
        file=file,
        width=terminal_columns(),
        color_system="standard" if colours else None,
        no_color=not colours,
        force_terminal=colours,
        force_jupyter=False,
        legacy_windows=None if colours else False,
        highlight=False,
        markup=False,
        emoji=False,
    )
