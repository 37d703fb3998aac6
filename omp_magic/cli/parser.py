"""The words after the command `omp-magic`: parsed, or refused in one line."""

from __future__ import annotations

import argparse
import re

from ..errors import nearest, wrong

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

_WRONG_USE = 2
_LACKING = re.compile(r"argument (--[\w-]+): expected (?:one|at least one) argument$")


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and what was perhaps meant.

    Parameters
    ----------
    example
        A line that is right.
    default
        What is done where nothing is said, for the help; "" where there is nothing to say.
    words
        What is accepted where it is no option: the commands.
    asked
        What the keywords of `argparse.ArgumentParser` are.
    """

    def __init__(
        self, *, example: str = "", default: str = "", words: Sequence[str] = (), **asked: Any
    ) -> None:
        super().__init__(formatter_class=_unfolded, **asked)
        self.example = example
        self._default = default
        self._words = words

    def format_help(self) -> str:
        """Give the help, with the default and the example below it."""
        import textwrap  # noqa: PLC0415 - a start that is no help must not wait for it

        from ..views.plain import terminal_columns  # noqa: PLC0415 - as above

        default = textwrap.fill(f"default: {self._default}", terminal_columns() - 2)
        told = f"{default}\n" if self._default else ""
        if self.formatter_class is _unfolded:
            self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.epilog = f"{told}example:\n  {self.example}"
        return super().format_help()

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
        missing = re.search(r"required: (\w+)$", message)
        if missing:
            told = f"no {missing[1]}"
            named = (each.choices for each in self._actions if each.dest == missing[1])
            words = [*(next(named, None) or words)]
        accepted = ", ".join(words)
        lacking = _LACKING.match(message)
        if lacking:
            told, accepted = f"found {lacking[1]} alone", self._taken_by(lacking[1])
        # Without the dashes, which all of them have: --frobnicate is not like --once for them.
        bare = {each.lstrip("-"): each for each in words}
        near = bare.get(nearest(found.lstrip("-"), bare), "") if found else ""
        sentence = wrong(told, accepted, self.example, near)
        self.exit(_WRONG_USE, f"{self.prog}: {sentence}\n")

    def _taken_by(self, option: str) -> str:
        """Give what an option takes, in the words of its help."""
        action = self._option_string_actions[option]
        if action.choices:
            return f"{option} and one of {', '.join(action.choices)}"
        told = (action.help or "") % {"default": action.default}
        return f"{option} {action.metavar}, {told}"

    def _options(self) -> list[str]:
        options = (each for action in self._actions for each in action.option_strings)
        return [each for each in options if each.startswith("--")]


def _unfolded(prog: str) -> argparse.HelpFormatter:
    """Give a formatter as argparse makes one for each option, to check what it is called.

    Without a width it would import shutil, and with it all that compresses files: 4 ms.
    """
    return argparse.RawDescriptionHelpFormatter(prog, width=80)


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
