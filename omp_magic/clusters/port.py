"""What an engine is asked: its seats, and to evaluate a text on each; no answer is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import OmpMagicError, RequestError


class ClusterError(OmpMagicError, RuntimeError):
    """A cluster as a whole cannot be asked; none of its workers was.

    Parameters
    ----------
    cluster
        Which one.
    why
        What its engine says.
    """

    def __init__(self, cluster: str, why: str) -> None:
        self.cluster = cluster
        self.why = why
        super().__init__(f"{cluster}: {why}")


class ClosedError(RequestError):
    """A cluster, or the client of one, that was there and runs no more.

    Parameters
    ----------
    what, how
        What it is, and what became of it: ``"Client"``, ``"closed"``.
    example
        A line that works.
    """

    def __init__(self, what: str, how: str, example: str) -> None:
        self.why = f"the {what} is {how}"
        """It, as a sentence."""
        super().__init__(f"a {what} that is {how}", "a running one", example)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A place where an engine runs code, as the engine itself knows it: nobody was asked there.

    Parameters
    ----------
    address
        Its name in the engine's own words: ``"tcp://10.0.0.7:40123"``, ``"engine 3"``.
    name
        A second name, where somebody gave it one; or "".
    host
        The host, as far as the engine knows it; or "".
    pid
        Its process; None when the engine does not know.
    tasks
        Tasks that it runs at once, each in a thread of its own.
    beside
        Whether `pid` is a process of this machine, as this process numbers them: one that does not
        answer can be looked at from outside.
    passing
        Why a limit there does not last, and what does, in one line; "" where it lasts.
    anew
        As in `facts.clusters.ClusterWorker`.
    """

    address: str
    name: str = ""
    host: str = ""
    pid: int | None = None
    tasks: int = 1
    beside: bool = False
    passing: str = ""
    anew: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from a seat: a value, or why there is none.

    Parameters
    ----------
    seat
        The seat.
    value
        What the text gave there.
    error
        Why there is none, in one line; "" when there is.
    took_s
        Time from the question to the answer; None when none came.
    """

    seat: Seat
    value: object = None
    error: str = ""
    took_s: float | None = None


class Engine(Protocol):
    """A running cluster, as its client has it.

    Three methods more are called where an engine has them: ``again() -> tuple[Seat, ...]`` gives
    its workers after one has not answered, where others may have come in the place of those that
    ended; ``besides() -> tuple[Seat, ...]`` those of the same cluster that are not meant and share
    its hosts; ``close()`` lets go of it.
    """

    @property
    def kind(self) -> str:
        """``"dask"``, ``"ipyparallel"``, ``"ray"``, ``"joblib"`` or ``"executor"``."""

    @property
    def title(self) -> str:
        """Which one it is, for people."""

    def seats(self) -> tuple[Seat, ...]:
        """Give its workers; an error of the engine's own is let through."""

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,
        arrived: Callable[[Answer], None],
    ) -> None:
        """Evaluate a text on each seat at once, by `builtins.eval`, and hand over what comes.

        A function by value is bytecode of one Python version; a text and a builtin function go to
        any. `arrived` is called in the calling thread, once for each seat, as answers come; of a
        seat that has not answered after `each_s` seconds, or that is lost, with its error. It
        returns when all were handed over. An interrupt ends it; nothing is left to run for long.
        """
