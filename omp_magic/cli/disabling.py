"""``omp-magic disable``: what enable has written, taken out."""

from __future__ import annotations

from argparse import Namespace

from ..profiles.enabling import disable
from . import enabling
from .commands import FINE

TOLD = "take out what enable has written"
DEFAULT = enabling.DEFAULT
EXAMPLE = "omp-magic disable"

add = enabling.add


def run(options: Namespace) -> int:
    """Do it."""
    print(disable(options.profile))
    return FINE
