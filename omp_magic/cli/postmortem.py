"""``omp-magic postmortem``: which of this user's kernels have died, and why."""

from __future__ import annotations

from argparse import Namespace

from ..inquest import asked_about, deaths_in
from ..machine import Machine
from ..machine.python.runtimefolder import runtime_folder
from .commands import FINE, FOUND
from .parser import Parser

TOLD = "say which Jupyter kernels have died, and why"
DEFAULT = "those of this user that nobody has asked about, exit code 1 when there is one"
EXAMPLE = "omp-magic postmortem --all"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--all", action="store_true", help="also those that were asked about")


def run(options: Namespace) -> int:
    """Say it."""
    found = deaths_in(
        Machine.here(),
        runtime_folder(),
        when=lambda each: options.all or not each.asked,
        whose="this user's" if options.all else "this user's, not asked about before",
    )
    if options.json:
        print(found.to_json())
    else:
        from ..views.plain import write_lines  # noqa: PLC0415 - rich, 12 ms
        from ..views.postmortem import layout  # noqa: PLC0415 - as above

        write_lines(layout(found, magics=False))
    asked_about(found)
    return FOUND if found.deaths else FINE
