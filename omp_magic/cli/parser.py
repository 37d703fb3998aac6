"""The words after the command `omp-magic`: parsed, or refused in one line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import nearest, wrong

_WRONG_USE = 2


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and what was perhaps meant.

    Parameters
    ----------
    example
        A line that is right.
    words
        What is accepted where it is no option: the commands.
    asked
        What the keywords of `argparse.ArgumentParser` are.
    """

    def __init__(self, *, example: str = "", words: Sequence[str] = (), **asked: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **asked)
        self.example = example
        self._words = words

    def error(self, message: str) -> NoReturn:
        """Print the line on stderr and exit with 2."""
        words: Sequence[str] = self._words or self._options()
        strange = re.match(
            r"(?:argument \S+: )?(?:unrecognized arguments|invalid choice): (.+)", message
        )
        choices = re.search(r"\(choose from (.*)\)", message)
        if choices:
            words = re.findall(r"[\w-]+", choices[1])
        found = strange[1].split(" (choose")[0].split()[0].strip("',") if strange else ""
        told = f"found {found!r}" if found else message
        if message.endswith("required: command"):
            told = "no command"
        sentence = wrong(told, ", ".join(words), self.example, nearest(found, words))
        self.exit(_WRONG_USE, f"{self.prog}: {sentence}\n")

    def _options(self) -> list[str]:
        options = (each for action in self._actions for each in action.option_strings)
        return [each for each in options if each.startswith("--")]


def add_fail_on(parser: Parser, severities: Sequence[str]) -> None:
    """Add ``--fail-on``."""
    parser.add_argument(
        "--fail-on",
        choices=severities,
        default="error",
        help="exit with 1 when there is a finding of this severity or a worse one "
        "(default: %(default)s)",
    )


def add_modules(parser: Parser) -> None:
    """Add ``--import``."""
    parser.add_argument(
        "--import",
        dest="modules",
        metavar="MODULE",
        nargs="+",
        action="extend",
        default=[],
        help="import these first, in this order: numpy sklearn, or numpy,sklearn (default: none)",
    )
