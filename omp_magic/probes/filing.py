"""Runs a probe and files its failure: a snapshot has a Gap where a value is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import ParseError
from ..facts.libraries import Gap

_Value = TypeVar("_Value")


def filed(what: str, gaps: list[Gap], probe: Callable[[], _Value]) -> _Value | None:
    """Run a probe; file its failure as a Gap."""
    first: dict[str, Gap] = {}
    found = filed_once(what, first, probe)
    gaps.extend(first.values())
    return found


def filed_once(what: str, gaps: dict[str, Gap], probe: Callable[[], _Value]) -> _Value | None:
    """Run a probe; file its failure as a Gap, unless there is one of that name already."""
    try:
        return probe()
    except (OSError, ParseError) as error:
        gaps.setdefault(what, Gap.of(what, error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        gaps.setdefault(what, Gap(what=what, why=why))
    return None
