"""An explanation of a code -> text, HTML, and the Markdown of its page in docs/findings."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator

from ..facts.mime import bundle
from ..rules.explain import Explanation
from .plain import terminal_columns
from .words import printable, shortened, split_remedy


class Page:
    """Explanations as Jupyter and a terminal show them.

    Parameters
    ----------
    explanations
        What is explained, in this order.
    intro
        A line to stand before them, or "".
    """

    def __init__(self, explanations: Iterable[Explanation], intro: str = "") -> None:
        self.explanations = tuple(explanations)
        self.intro = intro

    def __repr__(self) -> str:
        return f"<Page of {', '.join(each.rule.code for each in self.explanations) or 'nothing'}>"

    def __str__(self) -> str:
        """Give the plain text, no line wider than the terminal."""
        width = terminal_columns()
        parts = [printable(self.intro)] if self.intro else []
        parts.extend("\n".join(_lines(each, width)) for each in self.explanations)
        return "\n\n".join(parts)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {"text/plain": self.__str__, "text/html": self._html}
        return bundle(makers, include, exclude)

    def _html(self) -> str:
        from .html import render_page  # noqa: PLC0415 - jinja2, 20 ms

        return render_page(self.explanations, self.intro, sys.prefix)


def _lines(explanation: Explanation, width: int) -> Iterator[str]:
    rule = explanation.rule
    yield f"{rule.code} · {rule.severity} · {rule.summary}"
    yield ""
    yield from _wrapped(rule.story.happens, width)
    yield ""
    yield from _wrapped(f"How it is found out: {rule.story.seen}", width)
    yield ""
    yield "  What to do"
    yield from _remedies(rule.story.mend, width)
    for finding in explanation.findings:
        yield ""
        yield from _wrapped(f"In this kernel: {shortened(finding.title, sys.prefix)}", width)
        for fact in finding.evidence:
            yield from _wrapped(shortened(fact, sys.prefix), width, "    ")
        yield from _remedies(finding.remedies, width)
    if explanation.looked and not explanation.findings:
        yield ""
        yield "  Not the case in this kernel now."
    yield ""
    yield from _wrapped(f"Source: {rule.source}", width)


def _remedies(remedies: tuple[str, ...], width: int) -> Iterator[str]:
    """Give each remedy, what is to be run on a line of its own: it must be copied whole."""
    for remedy in remedies:
        says, run = split_remedy(remedy, sys.prefix)
        yield from _wrapped(f"\N{RIGHTWARDS ARROW} {says}", width, "    ", "      ")
        if run:
            yield f"        {printable(run)}"


def _wrapped(text: str, width: int, first: str = "  ", further: str | None = None) -> list[str]:
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=first,
        subsequent_indent=first if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_markdown(explanation: Explanation) -> str:
    """Give the page of a code, for docs/findings."""
    rule = explanation.rule
    parts = [f"# {rule.code}: {_marked(rule.summary)}", f"Severity: {rule.severity}."]
    parts.extend(("## What happens", _marked(rule.story.happens)))
    parts.extend(("## How it is found out", _marked(rule.story.seen)))
    parts.append("## What to do")
    for says, run in (split_remedy(each, "") for each in rule.story.mend):
        parts.append(_marked(says))
        if run:
            parts.append(f"```{'python' if run.startswith('import ') else 'text'}\n{run}\n```")
    parts.append(f"In a kernel: `%omp_explain {rule.code}`. Source: {_linked(rule.source)}")
    return "\n\n".join(part if "```" in part else _filled(part) for part in parts) + "\n"


def render_index(explanations: Iterable[Explanation]) -> str:
    """Give the page that lists all codes, for docs/findings."""
    rows = (
        f"| [{rule.code}]({rule.code}.md) | {rule.severity} | {_marked(rule.summary)} |"
        for rule in (each.rule for each in explanations)
    )
    return "\n".join(
        ("# Findings", "", "| code | severity | finding |", "|---|---|---|", *rows, "")
    )


def _marked(text: str) -> str:
    """Set names of variables, functions and files as code."""
    code = r"%?%omp_\w+(?: --\w+| OMP\d+)?|\b[A-Z]+_[A-Z_]+(?:=\w+)?\b|\b\w+(?:\.\w+)+\b|__\w+"
    return re.sub(code, lambda found: f"`{found[0]}`", text)


def _linked(source: str) -> str:
    address, _, rest = source.partition(" ")
    return f"<{address}> {rest}".rstrip()


def _filled(text: str) -> str:
    if text.startswith("#"):
        return text
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
