"""Answers that come in other threads, handed over in the one that asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue

from .port import Answer, Seat

_TURN_S = 0.2
"""Windows interrupts no wait of Python's lock: so none is longer."""


def late(each_s: float, why: str) -> str:
    """Give the line of a seat that has not answered in time.

    Parameters
    ----------
    each_s
        The time it had.
    why
        What may be the case there.
    """
    return f"no answer in {each_s:g} s: {why}"


class Handing:
    """Hands over one answer a seat.

    Parameters
    ----------
    seats
        Those that were asked, or are about to be.
    """

    def __init__(self, seats: Iterable[Seat]) -> None:
        self._open = {seat.address: seat for seat in seats}
        self._came: SimpleQueue[tuple[str, object, str, float]] = SimpleQueue()
        self._began_s = time.monotonic()

    def put(self, address: str, value: object = None, error: str = "") -> None:
        """Bring an answer, in any thread; a second one of a seat is left."""
        self._came.put((address, value, error, time.monotonic() - self._began_s))

    def wake(self) -> None:
        """Let `over` take its next turn now, in any thread."""
        self.put("")

    def over(
        self,
        arrived: Callable[[Answer], None],
        until_s: float,
        turn: Callable[[], object] = lambda: None,
    ) -> tuple[Seat, ...]:
        """Hand over what comes, until all have, or for so many seconds since the beginning.

        Parameters
        ----------
        arrived
            Takes an answer, in this thread.
        until_s
            Those seconds.
        turn
            Called in this thread before each wait.

        Returns
        -------
        tuple of Seat
            Those that have not answered.
        """
        while self._open:
            left_s = self._began_s + until_s - time.monotonic()
            if left_s <= 0 and self._came.empty():
                break
            turn()
            try:
                came = self._came.get(timeout=min(max(left_s, 0.001), _TURN_S))
            except Empty:
                continue
            address, value, error, took_s = came
            seat = self._open.pop(address, None)
            if seat is not None:
                gone = None if error else took_s
                arrived(Answer(seat=seat, value=value, error=error, took_s=gone))
        return tuple(self._open.values())
