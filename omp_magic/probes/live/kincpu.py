"""The CPU time of descendants that come and go: of the living by their clocks, of the dead by wait.

A process that ended between two looks is told by RUSAGE_CHILDREN alone, which has all of the life
of each child that was waited for, and of its own children. What was seen of the dead before is
taken off it, so that nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping

Key = tuple[int, int]
"""A process: its pid, and what tells it from a later one of that pid."""
_MOST_GONE = 4096
"""Of the dead that a look may have missed alone: a cell can use up its files for a while."""


class KinCpu:
    """Adds up from the first look on.

    A child that was there before and is waited for in the meantime brings with it what its own
    children had used before, where those had ended.

    Parameters
    ----------
    reaped_s
        RUSAGE_CHILDREN at the beginning; None where there is no such thing.
    """

    def __init__(self, reaped_s: float | None) -> None:
        self._reaped_s = reaped_s
        self._alive: dict[Key, tuple[float, float]] | None = None
        self._gone: dict[Key, tuple[float, float]] = {}
        self._gone_s = self._gone_whole_s = 0.0
        self.met = 0
        """Processes that were met."""
        self.total_s = 0.0
        """CPU time of all since the beginning; it never goes back."""

    def note(self, clocks: Mapping[Key, float | None], reaped_s: float | None) -> None:
        """Take a look into account.

        Parameters
        ----------
        clocks
            The CPU time of each that lives, in s; None where it is not told.
        reaped_s
            RUSAGE_CHILDREN now.
        """
        first, before = self._alive is None, self._alive or {}
        alive: dict[Key, tuple[float, float]] = {}
        for key, cpu_s in clocks.items():
            known = before.pop(key, None) or self._back(key)
            if known is not None:
                alive[key] = known[0], max(known[1], cpu_s or 0.0)
            else:
                self.met += 1
                alive[key] = (cpu_s or 0.0) if first else 0.0, cpu_s or 0.0
        for key, (began_s, last_s) in before.items():
            self._gone_s += last_s - began_s
            self._gone_whole_s += last_s
            self._gone[key] = began_s, last_s
        while len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
        self._alive = alive
        unseen_s = 0.0
        if reaped_s is not None and self._reaped_s is not None:
            unseen_s = max(0.0, reaped_s - self._reaped_s - self._gone_whole_s)
        living_s = sum(last_s - began_s for began_s, last_s in alive.values())
        self.total_s = max(self.total_s, living_s + self._gone_s + unseen_s)

    def _back(self, key: Key) -> tuple[float, float] | None:
        """Give what is known of one that was missed, and is not gone after all."""
        known = self._gone.pop(key, None)
        if known is not None:
            self._gone_s -= known[1] - known[0]
            self._gone_whole_s -= known[1]
        return known
