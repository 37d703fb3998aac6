"""What schedulers and users declare about CPUs in variables, and which of it may lower a pool.

The kernel enforces affinity and quota; what stands in a variable is a promise or a wish. This
table decides once which of them count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import ParseError
from ..facts.cpus import Bound

_NEVER, _ALWAYS, _WITHOUT_QUOTA = "never", "always", "without a visible quota"


class Declaration(NamedTuple):
    """One variable that declares a number of CPUs.

    Parameters
    ----------
    variable
        Its name.
    lowers
        When it may lower the threads of a pool.
    reason
        Why it may or may not.
    """

    variable: str
    lowers: str
    reason: str


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration(
        "SLURM_CPUS_PER_TASK",
        _ALWAYS,
        "Slurm's allocation for this task; without task/cgroup nothing else enforces it",
    ),
    Declaration(
        "SLURM_CPUS_ON_NODE",
        _ALWAYS,
        "Slurm's allocation on this node; without task/cgroup nothing else enforces it",
    ),
    Declaration(
        "CPU_LIMIT",
        _WITHOUT_QUOTA,
        "JupyterHub's promise; a quota that can be read says what is enforced",
    ),
    Declaration(
        "LOKY_MAX_CPU_COUNT",
        _NEVER,
        "limits what joblib counts, for its workers and not for a pool's threads",
    ),
    Declaration(
        "PYTHON_CPU_COUNT",
        _NEVER,
        "changes what os.cpu_count() answers, and native libraries do not ask it",
    ),
)
"""The table. Sources: sbatch(1); JupyterHub, Spawner.cpu_limit; loky, cpu_count; CPython issue
109595 for PYTHON_CPU_COUNT."""


def parse_declared(
    environ: Mapping[str, str], *, quota_known: bool
) -> tuple[tuple[Bound, ...], tuple[ParseError, ...]]:
    """Give a bound for each declaration that is set, and an error for each that is no number.

    Parameters
    ----------
    environ
        The environment.
    quota_known
        Whether a cgroup's quota could be read, so that a promise does not count.

    Returns
    -------
    (bounds, errors)
        ``PYTHON_CPU_COUNT=default`` is no bound and no error.
    """
    bounds, errors = [], []
    for declaration in DECLARATIONS:
        text = environ.get(declaration.variable)
        if text is None or text.strip() in ("", "default"):
            continue
        try:
            cpus = float(text)
        except ValueError:
            cpus = math.nan
        if not (math.isfinite(cpus) and cpus > 0):
            errors.append(ParseError(declaration.variable, text, "a number of CPUs such as '4'"))
            continue
        lowers = declaration.lowers == _ALWAYS or (
            declaration.lowers == _WITHOUT_QUOTA and not quota_known
        )
        bounds.append(
            Bound(
                source=declaration.variable,
                cpus=cpus,
                detail=f"{declaration.variable}={text.strip()}",
                lowers=lowers,
                reason=declaration.reason,
            )
        )
    return tuple(bounds), tuple(errors)
