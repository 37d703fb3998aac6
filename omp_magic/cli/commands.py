"""The commands of `omp-magic`, by name, and the module of each."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any, Protocol

    from .parser import Parser

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
            """Do it, and give the exit code; an `OmpMagicError` becomes a line and wrong use."""


FINE, FOUND, WRONG_USE, NO_READER = 0, 1, 2, 141
"""Exit codes: nothing of the asked severity, findings, wrong use, and as after SIGPIPE."""
NOT_STARTED, NOT_FOUND = 126, 127
"""As a shell's, and env(1)'s: a program that cannot be started, one that is not there."""
NOT_WRITTEN = 74
"""What sysexits.h has for it, EX_IOERR: stdout leads to a file system that is full."""


COMMANDS = {
    "status": "status",
    "top": "top",
    "check": "check",
    "ci": "ci",
    "scan": "scan",
    "report": "report",
    "explain": "explain",
    "run": "run",
    "env": "env",
    "kernel": "kernel",
    "postmortem": "postmortem",
    "enable": "enabling",
    "disable": "disabling",
}
"""The module of each command, in the order of the help."""


def command_of(name: str) -> Command:
    """Give a command's module, imported."""
    module: Any = import_module(f"{__package__}.{COMMANDS[name]}")
    command: Command = module
    return command
