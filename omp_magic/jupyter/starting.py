"""``%omp_env``: what cannot be written is one line for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import OmpMagicError
from ..starting import environment
from ..views.words import printable
from .asking import unquoted

if TYPE_CHECKING:
    from argparse import Namespace

    from ..starting import Environment


def environment_for(options: Namespace) -> Environment:
    """Give the variables in the form of a tool, written into a file where one is named.

    Raises
    ------
    UsageError
        In one line, when it is asked in other words, or nothing mends a finding.
    """
    try:
        made = environment(
            unquoted(options.format),
            threads=unquoted(options.threads),
            workers=unquoted(options.workers),
            sets=[unquoted(each) or "" for each in options.sets or ()],
            fix=[unquoted(each) or "" for each in options.codes or ()],
            asking="%omp_env {}",
        )
        if options.output is not None:
            path = unquoted(options.output) or ""
            path = made.save(path, force=options.force, command="%omp_env --output")
            for line in made.beside or made.start.notes:
                print(printable(line))
            print(f"{printable(path)} is written")
    except OmpMagicError as error:
        raise UsageError(f"omp_env: {error}") from None
    return made
