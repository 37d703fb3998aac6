"""A Difference -> text and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.differences import Difference
from .deltas import rows_of
from .plain import plain_text
from .words import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {"bad": "red", "notable": "yellow", "good": "green", "plain": ""}


def headline(difference: Difference) -> str:
    """Give the first line: what was compared, or that nothing changed."""
    since = f" since {difference.since}" if difference.since else ""
    if not difference:
        known = " of what is known" if difference.gaps else ""
        return f"Nothing{known} changed{since}"
    return f"What changed in pid {difference.pid_after}{since}"


def render_text(difference: Difference) -> str:
    """Give a difference as text without colour."""
    from rich.padding import Padding  # noqa: PLC0415 - rich, 12 ms
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    parts: list[RenderableType] = [Text(printable(headline(difference)), style="bold")]
    rows = rows_of(difference)
    if rows:
        table = Table.grid(padding=(0, 2, 0, 0))
        for column in range(4):
            table.add_column(no_wrap=column < 2, overflow="fold")
        for row in rows:
            cells = (row.sign, row.kind, row.name, row.text)
            table.add_row(*(Text(printable(cell), style=_STYLES[row.tone]) for cell in cells))
        parts.append(Padding(table, (0, 0, 0, 2)))
    lines = [Text(printable(f"  {line}"), style="dim") for line in unknown_of(difference)]
    return plain_text(*parts, *lines)


def render_html(difference: Difference) -> str:
    """Give a difference as one HTML fragment with its own style."""
    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

    template = environment().get_template("difference.html")
    return template.render(
        headline=headline(difference), rows=rows_of(difference), unknown=unknown_of(difference)
    )


def unknown_of(difference: Difference) -> tuple[str, ...]:
    """Give what could not be compared, a line for each."""
    return tuple(f"not compared: {gap.what}, {gap.why}" for gap in difference.gaps)
