"""The commands of `omp-magic`, by name, and the module of each."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from typing import Protocol, cast

from .parser import Parser

FINE, FOUND, WRONG_USE, NO_READER = 0, 1, 2, 141
"""Exit codes: nothing of the asked severity, findings, wrong use, and as after SIGPIPE."""


class Command(Protocol):
    """What a module of a command has."""

    TOLD: str
    """What it does, in a line that begins small."""
    DEFAULT: str
    """What it does where nothing is said, in a line; "" where there is nothing to say."""
    EXAMPLE: str

    def add(self, parser: Parser) -> None:
        """Add what it takes."""

    def run(self, options: Namespace) -> int:
        """Do it, and give the exit code."""


COMMANDS = {
    "status": "status",
    "top": "top",
    "check": "check",
    "scan": "scan",
    "report": "report",
    "explain": "explain",
    "enable": "enabling",
    "disable": "disabling",
}
"""The module of each command, in the order of the help."""


def command_of(name: str) -> Command:
    """Give a command's module, imported."""
    return cast("Command", import_module(f"{__package__}.{COMMANDS[name]}"))
