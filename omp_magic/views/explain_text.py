"""Explanations of codes and words -> lines of text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..rules.explain import Explanation
from .finding_text import remedy_lines, spoken
from .lines import TONES, line, wrapped
from .plain import terminal_columns

if TYPE_CHECKING:
    from rich.text import Text


def page_lines(
    explanations: Iterable[Explanation], told: Iterable[str], *, magics: bool = True
) -> list[Text]:
    """Give explanations in lines, with a line between each two.

    Parameters
    ----------
    explanations
        What is explained.
    told
        Sentences that stand before them.
    magics
        Whether it is read where there are magics; a shell has none.
    """
    width = terminal_columns()
    parts = [wrapped(spoken(text, "", magics=magics), width, further="  ") for text in told]
    parts += [list(_lines(each, width, magics=magics)) for each in explanations]
    lines: list[Text] = []
    for part in parts:
        lines += [line(), *part] if lines else part
    return lines


def list_lines(explanations: Iterable[Explanation]) -> list[Text]:
    """Give a line for each code; what follows its severity wraps below itself."""
    rules = [each.rule for each in explanations]
    width = terminal_columns()
    return [
        each
        for rule in rules
        for each in wrapped(
            rule.summary,
            width,
            first=(f"{rule.code}  {rule.severity:<7}  ", TONES[rule.severity]),
            further=" " * 17,
        )
    ]


def _lines(explanation: Explanation, width: int, *, magics: bool) -> Iterator[Text]:
    def said(text: str, indent: int = 2, style: str = "") -> list[Text]:
        text = spoken(text, sys.prefix, magics=magics)
        return wrapped(text, width, first=" " * indent, style=style)

    rule = explanation.rule
    head = f"{rule.code} · {rule.severity} · "
    tone = TONES[rule.severity]
    yield from wrapped(rule.summary, width, first=(head, tone), further="  ", style="bold")
    yield line()
    yield from said(rule.story.happens)
    yield line()
    yield from said(f"How it is found out: {rule.story.seen}")
    yield line()
    yield line(("  What to do", "bold"))
    yield from remedy_lines(rule.story.mend, sys.prefix, width, 4, magics=magics)
    for finding in explanation.findings:
        yield line()
        yield from said(f"In this kernel: {finding.title}", style=tone)
        for fact in finding.evidence:
            yield from said(fact, 4, "dim")
        yield from remedy_lines(finding.remedies, sys.prefix, width, 4, magics=magics)
    if explanation.looked and not explanation.findings:
        yield line()
        yield from said("Not the case in this kernel now.")
    yield line()
    yield from said(f"Source: {rule.source}", style="dim")
