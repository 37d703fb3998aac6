"""The line after a magic: parsed, or one sentence about what is wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring

from ..errors import nearest, wrong

if TYPE_CHECKING:
    from argparse import Namespace


def parsed(magic: Any, line: str, accepted: str, example: str) -> Namespace | None:
    """Parse a magic's line; with --help print the help and give None.

    Raises
    ------
    UsageError
        In one line: what was found, what is accepted, what was perhaps meant, an example.
    """
    try:
        text = line.rstrip().removesuffix(";")
        options: Namespace = parse_argstring(magic, text)  # type: ignore[no-untyped-call]  # IPython has no types here
    except (UsageError, ValueError) as error:  # ValueError: a quotation that does not end
        near = nearest_option(str(error), magic.parser)
        raise UsageError(wrong_use(magic.__name__, str(error), accepted, example, near)) from None
    if options.help:
        print(magic.__doc__)
        return None
    return options


def unquoted(text: str | None) -> str | None:
    """Give an option's value without the quotes around it, which a magic's line keeps."""
    if text and len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    return text


def as_written(line: str, words: list[str]) -> str:
    """Give words of a magic's line with the spaces that stand between them there.

    Examples
    --------
    >>> as_written("clients['a  b'] --limit 1", ["clients['a", "b']"])
    "clients['a  b']"
    """
    found = re.search(r"\s+".join(map(re.escape, words)), line)
    return " ".join(words) if found is None else found[0]


def wrong_use(name: str, found: str, accepted: str, example: str, near: str = "") -> str:
    """Give a sentence in one line about a wrong use of a magic."""
    return f"{name}: {wrong(' '.join(found.split()), accepted, example, near)}"


def nearest_option(message: str, parser: Any) -> str:
    """Give the option that was perhaps meant where argparse did not know one."""
    strange = re.match(r"unrecognized arguments: (\S+)", message)
    options = (each for action in parser._actions for each in action.option_strings)  # noqa: SLF001 - argparse has no public way
    return (
        nearest(strange[1], [each for each in options if each.startswith("--")]) if strange else ""
    )
