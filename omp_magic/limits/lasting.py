"""A limit that stays in a process until it is replaced or taken back, whoever asked for it."""

from __future__ import annotations

import os

from ..facts.limits import Limit
from .held import Held
from .limiter import Limiter
from .spec import LimitSpec


class Lasting:
    """One limit of this process for all its threads. A forked child has none of its own yet."""

    def __init__(self) -> None:
        self._held: Held | None = None
        self._pid = 0

    @property
    def held(self) -> Held | None:
        """What is in force."""
        return self._held if self._pid == os.getpid() else None

    def put(self, limiter: Limiter, spec: LimitSpec, told: Limit) -> Held:
        """Put a limit in force in place of the one before; the same one again is counted anew.

        Raises
        ------
        LimitError
            As `Limiter.enter` does; the one before stays.
        """
        before = self.held
        if before is not None and before.told == told:
            before.follow()
            return before
        self._held, self._pid = limiter.enter(spec, everywhere=True, told=told), os.getpid()
        if before is not None:
            before.leave()
        return self._held

    def end(self) -> Held | None:
        """Take the limit back; give it, None when there was none."""
        held, self._held = self.held, None
        if held is not None:
            held.leave()
        return held
