"""``%omp_env``: what cannot be written is one line for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import OmpMagicError
from ..starting import environment
from .asking import unquoted

if TYPE_CHECKING:
    from argparse import Namespace

    from ..starting import Environment


def environment_for(options: Namespace) -> Environment:
    """Give the variables in the form of a tool.

    Raises
    ------
    UsageError
        In one line, when it is asked in other words, or nothing mends a finding.
    """
    try:
        return environment(
            unquoted(options.format),
            threads=unquoted(options.threads),
            workers=unquoted(options.workers),
            sets=[unquoted(each) or "" for each in options.sets or ()],
            fix=[unquoted(each) or "" for each in options.codes or ()],
            asking="%omp_env {}",
        )
    except OmpMagicError as error:
        raise UsageError(f"omp_env: {error}") from None
