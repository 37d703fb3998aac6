"""A limit that is in force, and what one thread has under it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from itertools import count
from typing import Protocol

from ..facts.limits import Limit
from ..facts.overruns import Overrun
from .loops import isolates, running_loop
from .spec import LimitSpec
from .variables import fork_server, has_workers

_TRIES = 3


def surely(step: Callable[[], None]) -> None:
    """Run a step that may be run again to its end, and raise what came meanwhile afterwards.

    An interrupt of the user's comes between any two lines, and must not leave a limit behind.
    """
    first: BaseException | None = None
    for _ in range(_TRIES):
        try:
            step()
            break
        except BaseException as error:  # noqa: BLE001 - raised below
            first = first or error
    if first is not None:
        raise first


class Lister(Protocol):
    """Who has the list of limits."""

    def follow(self, held: Held) -> None:
        """Count anew what a limit is for."""

    def leave(self, held: Held) -> None:
        """Take a limit back."""


class Held:
    """A limit in force; `leave` takes it back.

    Parameters
    ----------
    limiter
        Whose list it is in.
    spec
        What was asked for.
    env
        Whether variables are set for child processes and libraries loaded meanwhile.
    everywhere
        Whether it is in force in every context, and not in the one that entered it alone.
    told
        What a status says of it.
    """

    _numbers = count()

    def __init__(
        self, limiter: Lister, spec: LimitSpec, *, env: bool, everywhere: bool, told: Limit
    ) -> None:
        self.spec = spec
        self.env = env
        self.everywhere = everywhere
        self.told = told
        self.number = next(self._numbers)
        self.notes: tuple[str, ...] = ()
        """One line for each thing that the limit could not do as asked."""
        self.afterwards: tuple[str, ...] = ()
        """The same, of what `leave` could not give back."""
        self.overruns: tuple[Overrun, ...] = ()
        """Pools that worked with more threads than it allows, once it has ended."""
        self.amounts: dict[Hashable, int] = {}
        """Threads by pool."""
        self.variables: dict[str, str] = {}
        """Variables for child processes and for what is loaded meanwhile."""
        self.fork_server = fork_server()
        """That of multiprocessing which was there before, None without one."""
        self.late = env and has_workers()
        """Whether it had other child processes before."""
        self.budget_threads = 1
        self.known_leaks: frozenset[Hashable] = frozenset()
        """Runtimes that had read another limit's variable before."""
        self.ended = False
        self.suspended = False
        """Whether it is a coroutine's that waits."""
        self.paused = False
        """Whether it ever waited, so that others worked without it meanwhile."""
        self.tasks = 0
        """Tasks of executors that run under it now."""
        loop = running_loop()
        self.loop_thread = threading.get_ident() if loop is not None and not everywhere else None
        self.isolated = loop is None or isolates(loop)
        self._limiter = limiter

    @property
    def least(self) -> int:
        """The smallest number of threads that it gives a pool."""
        return min(amount.threads(self.budget_threads) for _, amount in self.spec.amounts)

    def pause(self) -> bool:
        """Suspend it, or put it in force again; always True."""
        self.suspended, self.paused = not self.suspended, True
        return True

    def follow(self) -> None:
        """Follow the budget, and limit what was loaded past our eyes."""
        self._limiter.follow(self)

    def leave(self) -> None:
        """Take the limit back; a second time does nothing."""
        self._limiter.leave(self)
