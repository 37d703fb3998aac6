"""``omp-magic enable``: IPython and its kernels load the magics by themselves."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from ..errors import OmpMagicError
from ..profiles.enabling import enable
from .commands import FINE, WRONG_USE
from .parser import Parser

TOLD = "let IPython and its kernels load the magics by themselves"
DEFAULT = "the profile that is called default"
EXAMPLE = "omp-magic enable --profile default"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("--profile", metavar="NAME", default="default", help="IPython's")


def run(options: Namespace) -> int:
    """Do it."""
    return changed("enable", enable, options)


def changed(name: str, change: Callable[[str], str], options: Namespace) -> int:
    """Change a profile, and say what was done."""
    try:
        print(change(options.profile))
    except OmpMagicError as error:
        print(f"omp-magic {name}: {error}", file=sys.stderr)
        return WRONG_USE
    return FINE
