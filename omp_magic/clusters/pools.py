"""Engines of pools that cannot address a worker: processes, threads, and what is not known."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import RequestError
from .answering import Answering
from .handing import late
from .meeting import BUSY, Came, Heard, Ways, Who, here, meet
from .port import Answer, Seat

_MEET_S = 2.0
_ENDING_S = 2.0


class Crew(Ways, Protocol):
    """A pool of processes of this machine."""

    @property
    def title(self) -> str:
        """Which one it is, for people."""

    def processes(self) -> tuple[Any, ...]:
        """Give the `multiprocessing.Process` of each worker.

        Raises
        ------
        RequestError
            When the pool is of no use.
        """

    def refuses(self) -> str:
        """Give why no worker is asked; "" when each is."""

    def passing(self) -> str:
        """Give why a limit there does not last, as in `Seat`."""


class Here:
    """Threads of this process: it is the one worker, and no task is needed to ask it.

    Parameters
    ----------
    kind, title
        As in `port.Engine`.
    tasks
        Its threads.
    """

    def __init__(self, kind: str, title: str, tasks: int) -> None:
        self.kind = kind
        self.title = title
        self._tasks = tasks

    def seats(self) -> tuple[Seat, ...]:
        """See `port.Engine`."""
        pid = os.getpid()
        return (Seat(address=f"process {pid}", host=here(), pid=pid, tasks=self._tasks),)

    def ask(
        self,
        text: str,
        seats: Sequence[Seat],
        each_s: float,  # noqa: ARG002 - there is nobody to wait for
        arrived: Callable[[Answer], None],
    ) -> None:
        """See `port.Engine`."""
        for seat in seats:
            began = time.monotonic()
            value: object = None
            error = ""
            try:
                value = eval(text, {})  # noqa: S307 - the text that goes to workers, see `port`
            except Exception as failed:  # noqa: BLE001 - as in a worker, whatever it is
                error = f"{type(failed).__name__}: {failed}"
            took_s = None if error else time.monotonic() - began
            arrived(Answer(seat=seat, value=value, error=error, took_s=took_s))


class Processes:
    """A pool of processes of this machine.

    Parameters
    ----------
    kind
        As in `port.Engine`.
    crew
        The pool.
    title
        As in `port.Engine`; "" for the pool's own.
    """

    def __init__(self, kind: str, crew: Crew, title: str = "") -> None:
        self.kind = kind
        self.title = title or crew.title
        self._crew = crew
        self._known: dict[int, Any] = {}

    def seats(self) -> tuple[Seat, ...]:
        """See `port.Engine`.

        Raises
        ------
        RequestError
            When the pool is shut down or broken, or has no worker yet.
        """
        self._known = {each.pid: each for each in self._crew.processes()}
        passing = self._crew.passing()
        return tuple(
            Seat(
                address=f"process {pid}",
                name=each.name,
                host=here(),
                pid=pid,
                beside=True,
                passing=passing,
            )
            for pid, each in self._known.items()
        )

    def ask(
        self, text: str, seats: Sequence[Seat], each_s: float, arrived: Callable[[Answer], None]
    ) -> None:
        """See `port.Engine`; of a worker that has ended it is told at once, and how."""
        why = self._crew.refuses()
        if why:
            for seat in seats:
                arrived(Answer(seat=seat, error=why))
            return
        asked = Answering({(here(), seat.pid or 0): seat for seat in seats}, arrived)

        def missing() -> int:
            for who in list(asked.missing):
                ended = _ended(self._known.get(who[1]))
                if ended:
                    asked.tell(who, error=ended)
            return len(asked.missing)

        lost = meet(
            self._crew,
            text,
            tuple(asked.missing),
            missing,
            asked.heard,
            seconds=each_s,
            one_clock=True,
        )
        # A pool that broke ends all its workers, which takes a moment.
        end = time.monotonic() + _ENDING_S
        while lost and missing() and time.monotonic() < end:
            time.sleep(0.01)
        asked.give_up(_why(lost, each_s))


class Unknown:
    """An executor of which submit() alone is known: its workers are whoever comes.

    Parameters
    ----------
    title
        As in `port.Engine`.
    ways
        Puts a question to it.
    number
        How many workers it says that it has; 0 when it does not say.
    """

    kind = "executor"

    def __init__(self, title: str, ways: Ways, number: int) -> None:
        self.title = title
        self._ways = ways
        self._number = number
        self._whose: dict[str, Who] = {}

    def seats(self) -> tuple[Seat, ...]:
        """See `port.Engine`: who comes within 2 seconds, and those of its number who did not.

        Raises
        ------
        RequestError
            When it takes no task.
        """
        came = Came()
        found = came.who

        def missing() -> int:
            if _is_this_one(found) or (came.are_all() and not self._number):
                return 0
            return max(self._number, len(found) + (not self._number)) - len(found)

        lost = meet(self._ways, "0", None, missing, came.heard, seconds=_MEET_S, one_clock=False)
        if lost and not found:
            words, accepted = f"{self.title}: {lost}", "an executor that takes tasks"
            raise RequestError(words, accepted, "omp_magic.cluster(ProcessPoolExecutor(4))")
        found.sort()
        self._whose = {f"process {pid} on {node}": (node, pid) for node, pid in found}
        known = [
            Seat(address=address, host=node, pid=pid)
            for address, (node, pid) in self._whose.items()
        ]
        first = len(known) + 1
        last_one = len(known) if _is_this_one(found) else max(self._number, 1)
        return (*known, *(Seat(address=f"worker {n}") for n in range(first, last_one + 1)))

    def ask(
        self, text: str, seats: Sequence[Seat], each_s: float, arrived: Callable[[Answer], None]
    ) -> None:
        """See `port.Engine`; a worker that was not met yet takes one of the places left."""
        known = {self._whose[each.address]: each for each in seats if each.address in self._whose}
        free = [each for each in seats if each.address not in self._whose]
        asked = Answering(known, arrived)

        def heard(found: Heard) -> None:
            if free and found.who not in self._whose.values():
                seat = free.pop()
                self._whose[seat.address] = found.who
                asked.missing[found.who] = seat
            asked.heard(found)

        lost = meet(
            self._ways,
            text,
            None if free else tuple(known),
            lambda: len(asked.missing) + len(free),
            heard,
            seconds=each_s,
            one_clock=False,
        )
        for seat in free:
            asked.missing["", -len(asked.missing)] = seat
        asked.give_up(_why(lost, each_s))


def _why(lost: str, each_s: float) -> str:
    if lost:
        return f"the pool did not take the question: {lost}"
    return late(each_s, BUSY)


def _is_this_one(found: Sequence[Who]) -> bool:
    """Tell whether this process is the only worker: tasks are its threads, however many."""
    return list(found) == [(here(), os.getpid())]


def _ended(process: Any) -> str:
    """Give how a worker ended, or ""."""
    if process is None or process.is_alive():
        return ""
    code = process.exitcode
    if code is None:
        return "it has ended"
    if code >= 0:
        return f"it has ended with exit code {code}"
    if code == -signal.SIGTERM:
        return "it was ended by SIGTERM: a pool that breaks ends its workers so"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"it was ended by signal {-code}"
