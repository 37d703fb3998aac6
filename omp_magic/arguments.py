"""The words after the command `omp-magic`: parsed, or refused in one line."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from .errors import nearest, wrong
from .facts.targets import TARGETS
from .knowledge.elsewhere import KEYS
from .rules.rule import SEVERITIES
from .rules.stories import STORIES
from .views.meanings import MEANINGS
from .views.plain import terminal_columns

_WRONG_USE = 2
FORMATS = ("text", "json", "sarif", "github")
_EXAMPLES = {
    "": "omp-magic status --import numpy sklearn",
    "status": "omp-magic status --import numpy sklearn --cpus",
    "check": "omp-magic check torch faiss --run",
    "scan": "omp-magic scan dist/package-1.0-cp312-cp312-linux_x86_64.whl",
    "report": "omp-magic report threads.html --import numpy",
    "enable": "omp-magic enable --profile default",
    "disable": "omp-magic disable",
    "explain": "omp-magic explain OMP101 waiting",
}


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, and what was perhaps meant."""

    def error(self, message: str) -> NoReturn:
        """Print the line on stderr and exit with 2."""
        command = self.prog.partition(" ")[2]
        words: Sequence[str] = [*_EXAMPLES][1:] if not command else self._options()
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
        sentence = wrong(told, ", ".join(words), _EXAMPLES[command], nearest(found, words))
        self.exit(_WRONG_USE, f"{self.prog}: {sentence}\n")

    def _options(self) -> list[str]:
        options = (each for action in self._actions for each in action.option_strings)
        return [each for each in options if each.startswith("--")]


def _add_places(checking: _Parser) -> None:
    """Add the options for other systems."""
    elsewhere = checking.add_argument_group("another system or environment")
    elsewhere.add_argument(
        "--target",
        metavar="SYSTEM-CPU",
        action="append",
        default=[],
        help=f"{', '.join(TARGETS)}; several: with a comma (default: this machine)",
    )
    elsewhere.add_argument(
        "--site",
        metavar="FOLDER",
        action="append",
        default=[],
        help="another environment: its site-packages, its prefix, an unpacked image",
    )
    elsewhere.add_argument(
        "--requirements",
        metavar="FILE",
        help="what this would install: a requirements.txt, pylock.toml, uv.lock, poetry.lock, "
        "pixi.lock, environment.yml",
    )
    elsewhere.add_argument(
        "--wheels", metavar="FOLDER", help="take wheels from here and fetch none"
    )
    elsewhere.add_argument(
        "--no-fetch", action="store_true", help="take only wheels that are in the cache"
    )
    elsewhere.add_argument("--cache", metavar="FOLDER", help="keep fetched wheels here")
    elsewhere.add_argument(
        "--versions",
        action="store_true",
        help="where copies clash, also fetch and try other versions",
    )
    elsewhere.add_argument(
        "--whole", action="store_true", help="exit with 1 also where the answer is not whole"
    )
    elsewhere.add_argument("--python", metavar="3.N", help="the target's Python")
    elsewhere.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a variable of the target",
    )
    for name, told in (("has", "surely has"), ("lacks", "surely lacks")):
        elsewhere.add_argument(
            f"--{name}",
            metavar="WHAT",
            action="append",
            default=[],
            help=f"what the target {told}: {', '.join(KEYS)}",
        )


def elsewhere(options: argparse.Namespace) -> bool:
    """Tell whether a check is about another system or environment than this process."""
    lists = ("target", "site", "env", "has", "lacks")
    texts = ("requirements", "wheels", "python", "cache")  # an empty one is wrong, and is told so
    return any(getattr(options, name) for name in (*lists, "no_fetch", "versions")) or any(
        getattr(options, name) is not None for name in texts
    )


def parsed(arguments: Sequence[str] | None, version: str) -> argparse.Namespace:
    """Give the words after the command, parsed; a wrong one ends the process with 2.

    Parameters
    ----------
    arguments
        The words; those of the process when None.
    version
        What ``--version`` says.
    """
    parser = _parser(version)
    options, strange = parser.parse_known_args(arguments)
    if strange:
        commands = next(each.choices for each in parser._actions if each.dest == "command")  # noqa: SLF001 - argparse has no public way to its subcommands
        dict(commands or {})[options.command].error(f"unrecognized arguments: {' '.join(strange)}")
    return options


def parser_of(version: str) -> argparse.ArgumentParser:
    """Give the parser, for whoever writes its help down."""
    return _parser(version)


def _parser(version: str) -> _Parser:
    parser = _Parser(
        prog="omp-magic",
        description="Show the OpenMP and BLAS runtimes of a Python process, and its CPUs.",
        epilog=f"example:\n  {_EXAMPLES['']}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"omp-magic {version}")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, told: str, default: str) -> _Parser:
        filled = textwrap.fill(f"default: {default}", terminal_columns() - 2)
        return commands.add_parser(
            name,
            help=told,
            description=f"{told}.".capitalize(),
            epilog=f"{filled}\nexample:\n  {_EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    status = command(
        "status",
        "show this process, after importing modules",
        "nothing is imported, text in short, exit code 1 from an error on",
    )
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--cpus", action="store_true", help="also list all that bounds the CPUs")
    status.add_argument("--probe", action="store_true", help="also measure the CPUs one gets")
    status.add_argument("--env", action="store_true", help="also list environment variables")
    status.add_argument("--threads", action="store_true", help="also list every OS thread")
    checking = command(
        "check",
        "say what importing modules may load",
        "files are read and nothing is run, exit code 1 from an error on",
    )
    checking.add_argument(
        "modules",
        metavar="MODULE",
        nargs="*",
        help="in the order of importing; none with --requirements: all that it asks for",
    )
    checking.add_argument("--run", action="store_true", help="try the imports in a child process")
    checking.add_argument("--order", action="store_true", help="search an order that works")
    checking.add_argument("--json", action="store_true", help="one JSON object on stdout")
    checking.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="sarif for code scanning, github for annotations of a workflow (default: %(default)s)",
    )
    _add_places(checking)
    scanning = command(
        "scan", "say which runtimes a wheel or a folder ships", "exit code 1 from an error on"
    )
    scanning.add_argument("file", help="a wheel, a folder or a file, of any platform")
    scanning.add_argument("--json", action="store_true", help="one JSON object on stdout")
    reporting = command(
        "report", "write one file for a bug report", "nothing is imported, no file is replaced"
    )
    reporting.add_argument("file", metavar="FILE", help="ends in .html, .txt, .md or .json")
    reporting.add_argument("--force", action="store_true", help="replace a file that is there")
    for each in (status, reporting):
        each.add_argument(
            "--import",
            dest="modules",
            metavar="MODULE",
            nargs="+",
            action="extend",
            default=[],
            help="import these first, in this order: numpy sklearn, or numpy,sklearn "
            "(default: none)",
        )
    for each in (status, checking, scanning):
        each.add_argument(
            "--fail-on",
            choices=SEVERITIES,
            default="error",
            help="exit with 1 when there is a finding of this severity or a worse one "
            "(default: %(default)s)",
        )
    explaining = command(
        "explain",
        "explain findings' codes and words of the views, or list all codes",
        f"all codes, a line each; codes: {', '.join(STORIES)}; words: {', '.join(MEANINGS)}",
    )
    explaining.add_argument("codes", metavar="CODE", nargs="*", help="OMP101, 101, waiting ...")
    for name, does in (
        ("enable", "let IPython and its kernels load the magics by themselves"),
        ("disable", "take out what enable has written"),
    ):
        profile = command(name, does, "the profile that is called default")
        profile.add_argument("--profile", metavar="NAME", default="default", help="IPython's")
    return parser
