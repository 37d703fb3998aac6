"""Who of those that were asked has not answered yet."""

from __future__ import annotations

import time
from collections.abc import Callable

from .meeting import Heard, Who
from .port import Answer, Seat


class Answering:
    """Who has not answered yet.

    Parameters
    ----------
    missing
        Everybody.
    arrived
        As in `port.Engine`.
    """

    def __init__(self, missing: dict[Who, Seat], arrived: Callable[[Answer], None]) -> None:
        self.missing = missing
        self._arrived = arrived
        self._began = time.monotonic()

    def tell(self, who: Who, value: object = None, error: str = "") -> None:
        """Hand over what one gave, or why nothing came."""
        took_s = None if error else time.monotonic() - self._began
        seat = self.missing.pop(who)
        self._arrived(Answer(seat=seat, value=value, error=error, took_s=took_s))

    def heard(self, found: Heard) -> None:
        """Hand over what came, if it is of somebody who was asked."""
        if found.who in self.missing:
            self.tell(found.who, found.value, found.error)

    def give_up(self, why: str) -> None:
        """Tell of all others why nothing came."""
        for who in list(self.missing):
            self.tell(who, error=why)
