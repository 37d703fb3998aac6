"""The process that runs: its observer and its ledger of limits."""

from __future__ import annotations

import os
import threading

from .facts.limits import Limit
from .facts.overruns import Overrun
from .limits.limiter import Limiter
from .machine import Machine
from .probes.observe import Observer


class Here:
    """The running process: one observer and one ledger of limits, made when first used.

    After a fork the child gets its own: another pid has other cgroups and no pool threads.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._lock = os.getpid(), threading.RLock()
        self._observer: Observer | None = None
        self._limiter: Limiter | None = None

    @property
    def lock(self) -> threading.RLock:
        """What lets one thread look at a time: a server is asked by several.

        A forked child has its own: nobody there would let go of one that was held at the fork.
        """
        if self._lock[0] != os.getpid():
            self._lock = os.getpid(), threading.RLock()
        return self._lock[1]

    @property
    def observer(self) -> Observer:
        """The observer of this process."""
        if self._observer is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._observer = Observer(Machine.here())
            self._limiter = None
        return self._observer

    @property
    def limiter(self) -> Limiter:
        """The ledger of this process."""
        observer = self.observer
        if self._limiter is None:
            self._limiter = Limiter(observer)
        return self._limiter

    def rest(self) -> None:
        """Take back what looking needs of the system, until somebody looks again."""
        if self._observer is not None and self._pid == os.getpid():
            self._observer.rest()

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that are in force now."""
        return self._limiter.told if self._limiter is not None else ()

    def sync(self) -> None:
        """Put this thread under the limits that are in force for it, where any ever were."""
        if self._limiter is not None and self._pid == os.getpid():
            self._limiter.sync()

    @property
    def overruns(self) -> tuple[Overrun, ...]:
        """The limits that were not held."""
        return self._limiter.watch.overruns if self._limiter is not None else ()

    def cell_ended(self) -> tuple[Overrun, ...]:
        """End what is watched for one cell, and give what is to be told of it."""
        if self._limiter is None or self._pid != os.getpid():
            return ()
        with self._limiter.lock:
            return self._limiter.watch.cell_ended()

    @property
    def altered(self) -> tuple[str, ...]:
        """The variables that limits have set."""
        return self._limiter.variables.names if self._limiter is not None else ()

    def own_variable(self, name: str) -> str | None:
        """Give a variable as it is in ``os.environ`` without limits."""
        if self._limiter is None:
            return os.environ.get(name)
        return self._limiter.variables.own(name)


HERE = Here()
