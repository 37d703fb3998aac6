"""Kernels that have ended, and why -> lines of text and HTML."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..facts.deaths import Death, Deaths
from . import links, words
from . import postmortem_words as told
from .finding_text import remedy_lines, spoken
from .lines import line, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns

if TYPE_CHECKING:
    from rich.text import Text


def layout(found: Deaths, *, magics: bool = True) -> list[Text]:
    """Give them in lines, the newest first; `magics` is whether it is read where there are some."""
    width = terminal_columns()
    lines: list[Text] = []
    for death in found.deaths[:1]:
        lines += _death(death, width, magics=magics)
    if found.deaths[1:]:
        lines += [line(), *wrapped("Before that", width, first="  ", style="bold")]
    for death in found.deaths[1:]:
        said = spoken(told.headline_of(death), sys.prefix)
        lines += wrapped(said, width, first="    ", further="      ")
    if not found.deaths:
        lines += verdict_lines(told.verdict_of(found), "info" if found.gaps else "fine", width)
    for gap in found.gaps:
        text = f"not known: {gap.what}: {gap.why}{f' ({gap.where})' if gap.where else ''}"
        lines += wrapped(text, width, first="  ", further="    ", style="dim")
    return lines


def _death(death: Death, width: int, *, magics: bool) -> list[Text]:
    prefix = sys.prefix

    def said(text: str, indent: int, style: str = "") -> list[Text]:
        text = spoken(text, prefix, magics=magics)
        return wrapped(text, width, first=" " * indent, further=" " * (indent + 2), style=style)

    lines = verdict_lines(spoken(told.headline_of(death), prefix), death.severity, width)
    lines += said(death.why, 2)
    if death.code:
        more = f"%omp_explain {death.code}"
        lines += said(f"{told.sure_words(death)}; more: {more}", 2, "dim")
    else:
        lines += said(told.sure_words(death), 2, "dim")
    lines += remedy_lines(death.remedies, prefix, width, 2, magics=magics)
    for title, rows in told.parts_of(death):
        lines += said(title, 2, "bold")
        for row in rows:
            lines += said(row, 4, "dim")
    for gap in told.gaps_of(death):
        lines += said(gap, 2, "dim")
    return lines


def render_text(found: Deaths) -> str:
    """Give them as text without colour."""
    return joined(layout(found))


def render_display(found: Deaths) -> str:
    """Give them as IPython shows them."""
    return for_display(layout(found))


def render_html(found: Deaths) -> str:
    """Give them as HTML with its own style; every text in it is escaped."""
    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

    template = environment().get_template("postmortem.html")
    return template.render(found=found, t=told, w=words, l=links, prefix=sys.prefix)
