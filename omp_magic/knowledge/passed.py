"""Packages that pass their caller's number of threads to an OpenMP runtime, past its count.

A region with a ``num_threads`` clause takes that number and not the runtime's count (OpenMP 5.2,
10.1.1, Determining the Number of Threads for a parallel Region), so no count limits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Argument(NamedTuple):
    """One package whose calls name a number of threads.

    Parameters
    ----------
    module, name
        As it is imported, and for people.
    arguments
        What its callers give the number by, the usual one first.
    obeys_from
        First version that a limit holds all the same.
    """

    module: str
    name: str
    arguments: tuple[str, ...]
    obeys_from: tuple[int, ...]


ARGUMENTS: tuple[Argument, ...] = (
    Argument(
        "lightgbm",
        "LightGBM",
        ("n_jobs", "num_threads"),
        obeys_from=(4, 2),
    ),
    Argument(
        "xgboost",
        "XGBoost",
        ("n_jobs", "nthread"),
        obeys_from=(2, 1),
    ),
)
"""The table: LightGBM 4.1, and XGBoost 1.7, 2.1 and 3.2 were measured by the threads that worked.
LightGBM from 4.2 on has a ceiling, which a limit sets (`limits.ceilings`)."""

BY_MODULE: Mapping[str, Argument] = {each.module: each for each in ARGUMENTS}


def obeys(argument: Argument, version: str) -> bool:
    """Tell whether a limit holds a version of a package."""
    numbers = []
    for part in version.split(".")[: len(argument.obeys_from)]:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers) >= argument.obeys_from
