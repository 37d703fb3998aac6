"""A screen of lines that is drawn again and again, and gone when it ends; rich draws it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .plain import coloured

if TYPE_CHECKING:
    from rich.text import Text

Draw = Callable[[list["Text"]], None]


@contextmanager
def screen() -> Iterator[tuple[Draw, Callable[[], tuple[int, int]]]]:
    """Give what draws lines on a screen of its own, and what tells its (columns, rows).

    The terminal's own text is back however this ends.
    """
    from rich.console import Console, Group  # noqa: PLC0415 - 30 ms that only a live view pays
    from rich.live import Live  # noqa: PLC0415 - as above

    colours = coloured(sys.stdout)
    console = Console(
        color_system="standard" if colours else None,
        no_color=not colours,
        highlight=False,
        markup=False,
        emoji=False,
    )

    def size() -> tuple[int, int]:
        return console.size.width, console.size.height

    with Live(console=console, screen=True, auto_refresh=False, transient=True) as live:

        def draw(lines: list[Text]) -> None:
            live.update(Group(*lines[: console.size.height]), refresh=True)

        yield draw, size
