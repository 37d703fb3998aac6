"""What the value of a variable means for people, and which of its readers cannot read it."""

from __future__ import annotations

from functools import lru_cache

from ..errors import ParseError
from .dialects import DIALECTS, HUGE


@lru_cache(maxsize=1024)
def meaning_of(name: str, text: str) -> str:
    """Give what the value of a variable says, in words: ``"4 threads, 2 in nested regions"``.

    Returns
    -------
    str
        "" for a variable whose value is a word that nobody needs explained.

    Raises
    ------
    ParseError
        When none of its readers understands the value.
    """
    dialects = [dialect for dialect in DIALECTS.get(name, ()) if dialect is not HUGE]
    words = [dialect.read(text) for dialect in dialects]
    if dialects and all(word is None for word in words):
        raise ParseError(name, text, dialects[0].accepts)
    return next((word for word in words if word), "")


def meaning_or_none(name: str, text: str | None) -> str:
    """Give what `meaning_of` does; "" too where there is no value, or one that nobody can read."""
    try:
        return "" if text is None else meaning_of(name, text)
    except ParseError:
        return ""


@lru_cache(maxsize=1024)
def problem_of(name: str, text: str, loaded: frozenset[str] = frozenset()) -> str:
    """Give which readers cannot make sense of a value, what they do then, and what they accept.

    Parameters
    ----------
    name, text
        The variable and its value.
    loaded
        Families and packages that are loaded. When none of them reads the variable, every
        runtime that reads it counts, since it may still be loaded, and a package only where no
        runtime reads it.

    Returns
    -------
    str
        A sentence for each group of readers; "" when all understand it.
    """
    dialects = DIALECTS.get(name, ())
    wanted = [each for each in dialects if loaded.intersection(each.readers)]
    wanted = wanted or [each for each in dialects if not each.packaged] or list(dialects)
    groups: dict[tuple[str, str], list[str]] = {}
    for each in wanted:
        if each.otherwise and each.read(text) is None:
            who = groups.setdefault((each.otherwise, each.accepts), [])
            who.append(each.who)
            if each is HUGE:
                break
    return "; ".join(
        f"{' and '.join(who)} cannot read {shown(text)}: it {otherwise}; accepted: {accepts}"
        for (otherwise, accepts), who in groups.items()
    )


def shown(text: str | None) -> str:
    """Give a value for a sentence: quoted, printable and short; ``not set`` for None."""
    if text is None:
        return "not set"
    quoted = repr(text) if text.isprintable() else ascii(text)
    return quoted if len(quoted) <= 40 else f"{quoted[:36]}...'"
