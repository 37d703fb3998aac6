"""What a code means, at length."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """What a code means, without the facts of one kernel.

    Parameters
    ----------
    happens
        What happens and why.
    seen
        How it is found out, and what may be missed.
    mend
        What to do about it, the best first; what is to be run follows ``": "``.
    """

    happens: str
    seen: str
    mend: tuple[str, ...]
