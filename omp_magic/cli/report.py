"""``omp-magic report``: one file for a bug report."""

from __future__ import annotations

from argparse import Namespace

from ..api import report
from ..reports import REPORTED, check_report
from .asking import all_imported
from .commands import FINE, WRONG_USE
from .parser import Parser, add_modules

TOLD = "write one file for a bug report"
DEFAULT = "nothing is imported, no file is replaced"
EXAMPLE = "omp-magic report threads.html --import numpy"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("file", metavar="FILE", help="ends in .html, .txt, .md or .json")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_modules(parser)


def run(options: Namespace) -> int:
    """Write it."""
    from ..views.report import KINDS  # noqa: PLC0415 - only a report needs jinja2

    asked = {"force": options.force, "command": "omp-magic report"}
    check_report(options.file, KINDS, **asked)
    if not all_imported(options.modules):
        return WRONG_USE
    path = report(options.file, **asked)
    print(f"omp-magic report: {path} is written; {REPORTED}")
    return FINE
