"""What a runner runs, and what measures it: protocols."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..facts.sweeps import Run


class NotRunError(Exception):
    """A case that is not to be run, as it finds when it is to be put in force.

    Parameters
    ----------
    why
        The reason, in words.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Meter(Protocol):
    """Makes one run after the other."""

    def settle(self) -> None:
        """Wait until threads of the run before sleep; with no limit of the next in force yet."""

    def run(
        self,
        call: Callable[[], object],
        calls: int,
        lead: int,
        before: Callable[[], object] | None,
    ) -> Run:
        """Call something `lead` times, then `calls` times, and give what the latter cost."""


class Case(Protocol):
    """One number of threads, or one way to share the work."""

    @property
    def at_once(self) -> int:
        """Threads that work at once."""

    @property
    def label(self) -> str:
        """Its name for people: ``"2 threads"``."""

    @property
    def before(self) -> Callable[[], object] | None:
        """What is called before each call and not timed."""

    def is_more_than(self, other: Any) -> bool:
        """Tell whether it can only be slower where another, before it, was far too slow."""

    def ready(self) -> AbstractContextManager[Callable[[], object]]:
        """Put it in force, and give what is to be timed; leaving takes it back.

        Raises
        ------
        NotRunError
            When it is to be left out.
        """
