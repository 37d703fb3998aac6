"""``omp-magic env``: the variables for a program, in the form of the tool that starts it."""

from __future__ import annotations

import sys
from argparse import Namespace

from ..starting import environment
from ..views.envfiles.table import FORMATS
from ..views.words import printable
from .commands import FINE
from .parser import Parser
from .run import add_asked

TOLD = "write thread counts for what is installed here, in the form of the tool that starts it"
DEFAULT = "lines for the system's shell on stdout; what is set already stays"
EXAMPLE = "omp-magic env --format dockerfile --workers 2"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument(
        "--format", metavar="FORMAT", help=f"{', '.join(FORMATS)} (default: the system's shell)"
    )
    add_asked(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write this file (default: stdout)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(options: Namespace) -> int:
    """Write it."""
    made = environment(
        options.format,
        threads=options.threads,
        workers=options.workers,
        sets=options.sets,
        fix=options.codes,
        asking="omp-magic env {}",
    )
    path = ""
    if options.output is not None:
        path = made.save(options.output, force=options.force, command="omp-magic env --output")
    notes = made.beside
    if not notes and (path or sys.stdout is None or not sys.stdout.isatty()):
        notes = made.start.notes  # where they are not seen among the comments
    for line in notes:
        print(f"omp-magic env: {printable(line)}", file=sys.stderr)
    if path:
        print(f"omp-magic env: {path} is written")
    else:
        print(made.text, end="")
    return FINE
