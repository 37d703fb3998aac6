"""CPU time that a costly reading may take: a little at once, and a small share in the long run."""

from __future__ import annotations

SHARE = 0.01
"""What it fills by, in CPU seconds a second."""
_HOLDS_S = 0.1


class Purse:
    """Is full at first, fills slowly, and never holds much.

    So a short stretch gets a few readings where they matter, and a long one takes no more than
    `SHARE` of a CPU. A reading costs by what it reads.

    Examples
    --------
    >>> purse = Purse(0.0)
    >>> purse.pay(0.0, 1000, 0.06), purse.may(0.1, 1000), purse.may(3.0, 1000)
    (None, False, True)
    >>> purse.may(3.0, 1000, full=True), purse.may(8.1, 1000, full=True)
    (False, True)
    """

    def __init__(self, now_s: float) -> None:
        self._has_s = _HOLDS_S
        self._at_s = now_s
        self._each_s = 0.0

    def may(self, now_s: float, size: int, *, full: bool = False) -> bool:
        """Tell whether there is enough for a reading.

        Parameters
        ----------
        now_s
            A clock that never goes back.
        size
            How much is to be read, in any unit that stays the same.
        full
            Whether it is to be full: what can wait leaves the rest to what cannot.
        """
        needs_s = size * self._each_s
        holds_s = max(_HOLDS_S, 2 * needs_s)
        self._has_s = min(holds_s, self._has_s + SHARE * max(0.0, now_s - self._at_s))
        self._at_s = now_s
        return self._has_s >= (holds_s if full else needs_s)

    def pay(self, now_s: float, size: int, took_s: float) -> None:
        """Say that a reading took so much CPU time."""
        self._has_s -= took_s
        self._at_s = max(self._at_s, now_s)
        self._each_s = took_s / max(1, size)
