"""Readings whose cost is not known beforehand, kept to a small share of a CPU."""

from __future__ import annotations

import time

WAITS = 500
"""A reading is not repeated before 500 times the CPU time that it took has gone by: 0.2 %."""


class Pace:
    """Says when a reading may be repeated.

    Most cost microseconds, and are then repeated at each tick. On a machine with thousands of
    processes, cgroups or mapped files they cost milliseconds.

    Parameters
    ----------
    waits
        How many times the CPU time that it took is waited; `WAITS` when None.
    """

    def __init__(self, waits: int | None = None) -> None:
        self._waits = waits
        self._last_s = self._not_before_s = float("-inf")
        self._began_s = 0.0

    def may(self, now_s: float) -> bool:
        """Tell whether it is time; if so, `done` is to follow on the same thread.

        Parameters
        ----------
        now_s
            Any clock; when it went back it is time.
        """
        back, self._last_s = now_s < self._last_s, now_s
        if now_s < self._not_before_s and not back:
            return False
        self._began_s = time.thread_time()
        return True

    def done(self, now_s: float) -> None:
        """Say that the reading has ended."""
        waits = WAITS if self._waits is None else self._waits
        self._not_before_s = now_s + waits * (time.thread_time() - self._began_s)
