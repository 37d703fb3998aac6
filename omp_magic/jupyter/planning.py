"""``%omp_plan``: what cannot be planned is one line for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import PlanError
from ..planning import plan
from .asking import unquoted

if TYPE_CHECKING:
    from argparse import Namespace

    from ..facts.plans import Plan


def planned(options: Namespace) -> Plan:
    """Divide the CPUs between workers and their pools.

    Raises
    ------
    UsageError
        In one line, when it is no number of workers or no size.
    """
    try:
        asking = "%omp_plan --workers 4 --memory {}"
        return plan(options.workers, unquoted(options.memory), asking=asking)
    except PlanError as error:
        raise UsageError(f"omp_plan: {error}") from None
