"""How NumExpr sizes its pool, as its code does: a refused number leaves it one thread.

Source: numexpr/utils.py, _init_num_threads, and numexpr/module.cpp, which takes
NUMEXPR_MAX_THREADS by atoi and prints an error for a number above it; tried with 2.14.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NUM, MAX, OMP = "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "OMP_NUM_THREADS"
BUILT_IN = 64
"""The most threads it may have without NUMEXPR_MAX_THREADS."""
SAFE = 16
"""The most it takes of itself, for the CPUs online."""


def most_threads(text: str | None) -> int:
    """Give the most threads it may have; an empty text, or one that is no number, is 0."""
    if text is None:
        return BUILT_IN
    match = re.match(r"\s*([+-]?\d{1,9})", text, re.ASCII)
    return int(match[1]) if match is not None else 0


def asked_threads(values: Mapping[str, str | None]) -> tuple[str, int | None]:
    """Give the variable that says how many, and how many; ("", None) where none does.

    The number is None where int() raises, and so the import.
    """
    for name in (NUM, OMP):
        text = values.get(name)
        if text:
            try:
                return name, int(text[:100])
            except ValueError:
                return name, None
    return "", None


def threads_of(values: Mapping[str, str | None], cpus: int, most: int) -> tuple[int, ...]:
    """Give the counts that these variables lead to, of which the pool has one.

    Parameters
    ----------
    values
        The variables.
    cpus
        CPUs of the affinity mask: it counts those online, of which there may be more.
    most
        The most threads it may have: `most_threads`.
    """
    name, asked = asked_threads(values)
    if name:
        return (asked,) if asked is not None and 1 <= asked <= most else (1,)
    if values.get(MAX):
        return (most,) if most >= 1 else (1,)
    usual = range(min(SAFE, cpus), SAFE + 1)
    return tuple(each if each <= most else 1 for each in usual)
