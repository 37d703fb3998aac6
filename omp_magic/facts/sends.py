"""The facts about what a session gives to other processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Something of the session's own code that was given to another process, which lacks it.

    Parameters
    ----------
    kind
        Who sends it: ``"Pool"``, ``"ProcessPoolExecutor"``, ``"DataLoader"`` or ``"Process"``.
    method
        How that process is started: ``"spawn"`` or ``"forkserver"``.
    names
        The functions and classes of ``__main__`` that it will not find there.
    """

    kind: str
    method: str
    names: tuple[str, ...]
