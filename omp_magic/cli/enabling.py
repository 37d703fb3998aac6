"""``omp-magic enable``: IPython and its kernels load the magics by themselves."""

from __future__ import annotations

from argparse import Namespace

from ..profiles.enabling import enable
from .commands import FINE
from .parser import Parser

TOLD = "let IPython and its kernels load the magics by themselves"
DEFAULT = "the profile that is called default"
EXAMPLE = "omp-magic enable --profile default"


def add(parser: Parser) -> None:
    """Add what it takes."""
    parser.add_argument("--profile", metavar="NAME", default="default", help="IPython's")


def run(options: Namespace) -> int:
    """Do it."""
    print(enable(options.profile))
    return FINE
