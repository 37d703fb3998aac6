"""The omp-magic command. JSON and views on stdout, messages on stderr."""

from __future__ import annotations

import errno
import io
import os
import sys

from .. import __version__
from ..errors import OmpMagicError
from ..views.signs import ERRORS
from .commands import COMMANDS, NO_READER, NOT_WRITTEN, WRONG_USE, command_of
from .parser import Parser

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import Any

    from .commands import Command

_EXAMPLE = "omp-magic status --import numpy sklearn"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        The words after the command; those of the process when None.

    Returns
    -------
    int
        0 when there is no finding of the asked severity or a worse one, 1 when there is,
        2 for wrong use or a module that cannot be imported; 141, as for a program that SIGPIPE
        ended, when the reader of stdout is gone (``| head``).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command, options = _parsed(words)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ERRORS)  # a terminal may know ASCII only
    try:
        code = command.run(options)
        if sys.stdout is not None:  # as it is where it was closed before the start
            sys.stdout.flush()
    except OmpMagicError as error:
        print(f"omp-magic {words[0]}: {error}", file=sys.stderr)
        return WRONG_USE
    except BrokenPipeError:
        _stop_writing()
        return NO_READER
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        print(f"omp-magic: stdout: {error.strerror}", file=sys.stderr)
        _stop_writing()
        return NOT_WRITTEN
    return code


def _stop_writing() -> None:
    """Let stdout lead nowhere.

    Python flushes once more at its end, and would complain then; its documentation of the module
    signal, "Note on SIGPIPE".
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parsed(words: list[str]) -> tuple[Command, Namespace]:
    """Give the command that the words begin with, and what they say; a wrong one ends with 2.

    Nothing is imported for the other commands: `omp-magic run` stands before a server's start.
    """
    if words and words[0] in COMMANDS:
        command = command_of(words[0])
        parser = Parser(prog=f"omp-magic {words[0]}", **_asked(command))
        command.add(parser)
        return command, parser.parse_args(words[1:])
    options = whole_parser(__version__).parse_args(words)
    raise AssertionError(
        options
    )  # no words, a wrong one or --help: the parser has ended the process


def _asked(command: Command) -> dict[str, Any]:
    """Give a command's description, its default and its example, as `Parser` takes them."""
    return {
        "description": f"{command.TOLD[:1].upper()}{command.TOLD[1:]}.",
        "default": command.DEFAULT,
        "example": command.EXAMPLE,
    }


def whole_parser(version: str) -> Parser:
    """Give the parser of all commands, for the help and for whoever writes it down.

    Parameters
    ----------
    version
        What ``--version`` says.
    """
    parser = Parser(
        prog="omp-magic",
        example=_EXAMPLE,
        words=[*COMMANDS],
        description="Show the OpenMP and BLAS runtimes of a Python process, and its CPUs.",
    )
    parser.add_argument("--version", action="version", version=f"omp-magic {version}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = command_of(name)
        command.add(commands.add_parser(name, help=command.TOLD, **_asked(command)))
    return parser
