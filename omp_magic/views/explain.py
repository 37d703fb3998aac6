"""An explanation of a code -> text, HTML, and the Markdown of its page in docs/findings."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import UnknownCodeError
from ..facts.mime import bundle
from ..rules.explain import Explanation, explain
from .meanings import MEANINGS
from .words import split_remedy

if TYPE_CHECKING:
    from rich.text import Text

    from ..facts.libraries import Finding


class Page:
    """Explanations as Jupyter and a terminal show them.

    Parameters
    ----------
    explanations
        What is explained, in this order.
    intro
        A line to stand before them, or "".
    words
        Words of the views that are explained before them, from `meanings.MEANINGS`.
    """

    def __init__(
        self, explanations: Iterable[Explanation], intro: str = "", words: Iterable[str] = ()
    ) -> None:
        self.explanations = tuple(explanations)
        self.intro = intro
        self.words = tuple(words)

    def __repr__(self) -> str:
        told = (*self.words, *(each.rule.code for each in self.explanations))
        return f"<Page of {', '.join(told) or 'nothing'}>"

    def __str__(self) -> str:
        """Give the plain text; sentences are no wider than the terminal."""
        from .plain import joined  # noqa: PLC0415 - rich, 12 ms
        from .signs import encodable  # noqa: PLC0415 - as above

        return encodable(joined(self.lines()), sys.stdout)

    def lines(self, *, magics: bool = True) -> list[Text]:
        """Give it in lines; `magics` is whether it is read where there are some."""
        from .explain_text import page_lines  # noqa: PLC0415 - as above

        return page_lines(self.explanations, self.told(), magics=magics)

    def told(self) -> tuple[str, ...]:
        """Give what stands before the explanations, a sentence each."""
        meanings = (f"{word}: {MEANINGS[word]}" for word in self.words)
        return (*([self.intro] if self.intro else []), *meanings)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        makers = {"text/plain": self._shown, "text/html": self._html}
        return bundle(makers, include, exclude)

    def _shown(self) -> str:
        from .plain import for_display  # noqa: PLC0415 - rich, 12 ms

        return for_display(self.lines())

    def _html(self) -> str:
        from .html import render_page  # noqa: PLC0415 - jinja2, 20 ms

        *before, last = self.told() or ("",)
        parts = [render_page((), text, sys.prefix) for text in before]
        return "".join((*parts, render_page(self.explanations, last, sys.prefix)))


_ARTICLES = ("its", "the", "a", "an")


def page_of(
    asked: Iterable[str],
    findings: tuple[Finding, ...] | None = None,
    intro: str = "",
    *,
    asking: str = "%omp_explain",
    more: str = "%omp_explain?",
) -> Page:
    """Explain codes, and words of the views.

    Parameters
    ----------
    asked
        ``"OMP101"``, ``"waiting"``.
    findings
        What was found in the process that was looked at, or None.
    intro
        A line to stand before them, or "".
    asking, more
        How a code is asked for, and where all are listed, for the error's sentence.

    Raises
    ------
    UnknownCodeError
        When something asked for is neither a code nor a word.
    """
    asked = tuple(each for each in asked if each not in _ARTICLES) or tuple(asked)
    whole = _word_of(" ".join(asked))
    if whole:
        return Page((), intro, (whole,))
    words = tuple(filter(None, map(_word_of, asked)))
    try:
        found = [explain(each, findings) for each in asked if not _word_of(each)]
    except UnknownCodeError as error:
        told = tuple(MEANINGS)
        told = ("waiting", *(each for each in told if each != "waiting"))
        raise UnknownCodeError(error.found, error.codes, told, asking, more) from None
    return Page(found, intro, words)


def _word_of(text: str) -> str:
    """Give the word of `meanings.MEANINGS` that a person may write otherwise, or ""."""
    word = text.strip().lower()
    forms = (word, f"{word}s", word.removesuffix("s"))
    return next((each for each in forms if each in MEANINGS), "")


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
