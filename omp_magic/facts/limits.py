"""The facts about limits that omp_magic itself holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit that is in force for the session.

    Parameters
    ----------
    spec
        As it was asked for.
    set_by
        The line that set it.
    undo
        The line that takes it back.
    """

    spec: str
    set_by: str
    undo: str
