"""Where a finding's page and its sources stand, as addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PAGES = "https://github.com/omp-magic/omp_magic/blob/main/docs/findings"
_CODE = re.compile(r"OMP\d{3}")
_LAST = "Last resort"
_URL = re.compile(r"https://[\w.~/#?&=%+@:,-]+")


def page_of(code: str) -> str:
    """Give the address of a code's page; of all pages' list where it is no code."""
    return f"{_PAGES}/{code}.md" if _CODE.fullmatch(code) else f"{_PAGES}/README.md"


def url_in(source: str) -> str:
    """Give the address in a source such as ``https://x/y.cpp (function)``, or ""."""
    found = _URL.search(source)
    return found[0].rstrip(".,:") if found else ""


def split_at(remedies: Sequence[str], first: int) -> tuple[Sequence[str], Sequence[str], str]:
    """Split remedies into those that show and those that are folded away, and name the latter."""
    shown, folded = remedies[:first], remedies[first:]
    words = [] if shown or not folded else ["what to do"]
    others = [each for each in folded if not each.startswith(_LAST)]
    if shown and others:
        words.append("other ways" if len(others) > 1 else "1 other way")
    if shown and len(others) < len(folded):
        words.append("last resort")
    return shown, folded, "".join(f"{each} \N{MIDDLE DOT} " for each in words)
