"""What a system is asked of the processes that descend from the one that is looked at."""

from __future__ import annotations

from typing import Protocol

from .native import Relatives
from .rows import Process


class Descendants(Protocol):
    """A part of `system.System`."""

    def has_child(self) -> bool:
        """Tell whether there may be a child, cheaply."""

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        """List the children and theirs, parents first.

        Parameters
        ----------
        notes
            Receives what is left out.
        ended
            Whether to give those too that have ended and were not waited for, where the system
            lists them, and to note those that end while they are listed.

        Raises
        ------
        OSError
            When the system does not tell.
        """

    def relatives(self) -> Relatives:
        """Give who lists descendants again and again."""

    def command(self, process: int) -> str:
        """Give a descendant's command line, "" when it has none.

        Raises
        ------
        OSError
            When it has ended, or may not be read.
        """

    def age_s(self, process: Process) -> float:
        """Give how long ago a descendant began.

        Raises
        ------
        OSError, ParseError
            When the system does not tell.
        """
