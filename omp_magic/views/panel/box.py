"""The number box of one pool, which stands in that pool's row."""

from __future__ import annotations

from typing import Any


class Box:
    """The number box of one pool.

    It follows the pool's count. A front-end sends what a person has entered with Enter, or when
    the box is left.

    Parameters
    ----------
    number
        The widget.
    """

    def __init__(self, number: Any) -> None:
        self.number = number
        self.place = 0
        self.folded = False
        self._shown: int | str = number.value
        self._asked: int | str = ""

    @property
    def known(self) -> bool:
        """Whether it is made for a count that is known."""
        return isinstance(self._shown, int)

    def show(self, count: int | str) -> None:
        """Show the pool's count, "" when it is not known."""
        self._shown = count  # first: it is asked for at each change
        self.number.value = count

    def stand(self, place: int, *, folded: bool) -> None:
        """Stand in a row of the table, which may be folded away."""
        if place != self.place:
            self.number.remove_class(f"omp-r{self.place}")
            self.number.add_class(f"omp-r{place}")
            self.place = place
        if folded != self.folded:
            self.folded = folded
            (self.number.add_class if folded else self.number.remove_class)("omp-fold")

    def entered(self, value: int | str) -> bool:
        """Tell whether a value is a person's, and not the pool's count."""
        return value not in (self._shown, "")

    def sure(self, value: int | str, most: int) -> bool:
        """Tell whether a number may be set: one that is very large must be entered twice."""
        asked, self._asked = self._asked, ""
        try:
            number = int(value)
        except ValueError:
            return True  # whoever sets it says what is wrong
        if number <= most or value == asked:
            return True
        self._asked = value
        self.show(self._shown)
        return False
