"""``omp-magic explain``: codes and words at length."""

from __future__ import annotations

from argparse import Namespace

from ..rules.stories import STORIES
from ..views.explain import page_of
from ..views.meanings import MEANINGS
from ..views.plain import write_lines
from .commands import FINE
from .parser import Parser

TOLD = "explain findings' codes and words of the views, or list all codes"
DEFAULT = f"all codes, a line each; codes: {', '.join(STORIES)}; words: {', '.join(MEANINGS)}"
EXAMPLE = "omp-magic explain OMP101 waiting"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("codes", metavar="CODE", nargs="*", help="OMP101, 101, waiting ...")


def run(options: Namespace) -> int:
    """Explain."""
    from ..views.explain_text import list_lines  # noqa: PLC0415 - rich, 12 ms

    page = page_of(
        options.codes or STORIES, asking="omp-magic explain", more="omp-magic explain --help"
    )
    write_lines(page.lines(magics=False) if options.codes else list_lines(page.explanations))
    return FINE
