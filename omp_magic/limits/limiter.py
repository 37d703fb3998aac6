"""Limits on the threads of every pool, and the way back.

What is in force is a list; whatever changes it, everything is brought to what the list says now
(`settlement`), so limits may nest, overlap and end in any order and on any exit. When the last
limit on a pool has ended, the pool has the count from before the first.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from ..errors import LimitError
from ..facts.limits import Limit
from ..hooks.loads import LOADS
from ..probes.cpus.budget import probe_budget
from ..probes.observe import Observer
from .held import Held, surely
from .inventory import Inventory
from .launch import on_launch
from .ledger import Failures, raise_first
from .loads import LoadsUnderLimit
from .notes import left_alone, not_given_back
from .settlement import Settlement
from .spec import EXAMPLE, LimitSpec
from .spread import SCOPE, Spread
from .variables import Variables, inherited
from .watched import Watch


class Limiter:
    """The limits of this process.

    Parameters
    ----------
    observer
        Knows the mapped runtimes.

    Raises
    ------
    LimitError
        When the libraries of this process cannot be called.
    """

    def __init__(self, observer: Observer) -> None:
        if observer.native is None:
            raise LimitError("libraries that cannot be called", "a running process", EXAMPLE)
        self._machine = observer.machine
        self.variables = Variables(observer.native)
        self.inventory = Inventory(observer, observer.native, self.variables)
        self._settlement = Settlement(self.inventory, self.variables, self._thread_ended)
        self._held: dict[int, Held] = {}
        self._spread = Spread(self)
        self._loads = LoadsUnderLimit(self, observer, observer.native)
        self.watch = Watch(
            observer, self.inventory, self._settlement.limited, lambda: self._spread.starts
        )
        self._watching = False
        self._unlaunch: dict[str, Callable[[], None]] = {}
        self._pid = os.getpid()
        self._mutex = threading.RLock()

    @property
    def holds(self) -> bool:
        """Whether any limit is in force."""
        return bool(self._held)

    @property
    def told(self) -> tuple[Limit, ...]:
        """What a status says of the limits in force."""
        return tuple(held.told for held in tuple(self._held.values()))

    @property
    def lock(self) -> threading.RLock:
        """The lock; a forked child's own, since nobody there would let go of the other."""
        if self._pid != os.getpid():
            self._pid, self._mutex = os.getpid(), threading.RLock()
        return self._mutex

    def enter(
        self,
        spec: LimitSpec,
        *,
        env: bool = True,
        everywhere: bool = False,
        told: Limit | None = None,
    ) -> Held:
        """Put a limit in force.

        Parameters
        ----------
        spec
            What is asked for.
        env
            Whether to set variables for child processes and for what is loaded meanwhile.
        everywhere
            Whether it is for every context, and not for the one that enters it alone.
        told
            What a status says of it.

        Raises
        ------
        LimitError
            When it names a file that is not loaded. Nothing was changed.
        """
        told = told or Limit(
            spec=spec.text,
            set_by=f"omp_magic.limit({spec.text!r})",
            undo="the end of its block",
        )
        held = Held(self, spec, env=env, everywhere=everywhere, told=told)
        with self.lock:
            self.inventory.refresh(limited=self.holds)
            notes = self.inventory.unmatched(spec)
            try:
                self._count(held)
                held.known_leaks = frozenset(self.inventory.leaked)
                self._held[held.number] = held
                if not everywhere:
                    SCOPE.set((*SCOPE.get(), held))
                held.notes = (*notes, *self._notes(held, self.settle()))
                self.watch.begin(held, self._held.values())
                return held  # noqa: TRY300 - an interrupt just before it must end the limit too
            except BaseException:
                self.leave(held)
                raise

    def leave(self, held: Held) -> None:
        """Take a limit back; an interrupt meanwhile is raised when that is done."""

        def end() -> None:
            if not held.ended:
                with self.lock:
                    self._end(held)

        surely(end)

    def _end(self, held: Held) -> None:
        failures: Failures = {}
        try:
            self.inventory.refresh(limited=True)
        except Exception as error:  # noqa: BLE001 - the pools known so far must be put back
            failures[""] = error
        held.overruns += self.watch.end(held)
        self._held.pop(held.number, None)
        SCOPE.set(tuple(each for each in SCOPE.get() if each.number in self._held))
        failures |= self.settle()
        held.afterwards = not_given_back(held, self.inventory, self._settlement.others())
        held.ended = True
        raise_first(failures)

    def follow(self, held: Held) -> None:
        """Count anew what a limit is for, by the budget and the pools of now; watch it anew."""
        with self.lock:
            if held.number in self._held:
                self.inventory.refresh(limited=True)
                self._count(held)
                held.notes = tuple(self._notes(held, self.settle()))
                self.watch.begin(held, self._held.values())

    def loaded(self, lifted: frozenset[str] = frozenset(), imported: str = "") -> None:
        """Limit what was loaded just now.

        Parameters
        ----------
        lifted
            Variables that had their own values meanwhile.
        imported
            A package whose import has ended, or "".
        """
        with self.lock:
            if self._held and (self.inventory.refresh(limited=True, lifted=lifted) or imported):
                for held in self._held.values():
                    self._count(held, budget=False)
                raise_first(self.settle(anew=bool(imported)))

    def launched(self) -> None:
        """Limit numba, which has launched its threads in this thread just now."""
        with self.lock:
            if self._held:
                self.inventory.refresh(limited=False)
                for held in self._held.values():
                    self._count(held, budget=False)
                raise_first(self.settle(anew=True))

    def settle(self, *, anew: bool = False) -> Failures:
        """Bring everything to the limits in force; give what failed, by pool.

        Parameters
        ----------
        anew
            As in `Settlement.settle`.
        """
        failures = self._settlement.settle(self._held.values(), anew=anew)
        self._tidy()
        return failures

    def scope(self) -> tuple[Held, ...]:
        """Give the limits in force for the code that asks, the oldest first."""
        inside, held = SCOPE.get(), tuple(self._held.values())
        return tuple(each for each in held if each.everywhere or each in inside)

    def sync(
        self, scope: tuple[Held, ...] | None = None, *, fresh: bool = False, synced: bool = True
    ) -> None:
        """Put this thread under the limits of a scope, as far as they are in force.

        Parameters
        ----------
        scope
            None for what it was under before.
        fresh
            Whether the thread has run nothing yet.
        synced
            Whether it asks again before its next task.
        """
        if scope is not None:
            SCOPE.set(scope)
        with self.lock:
            held = self._held.values()
            failures = self._settlement.settle_thread(held, fresh=fresh, synced=synced)
            self._tidy()
        raise_first(failures)

    def focus(self, scope: tuple[Held, ...]) -> None:
        """Suspend the limits of this thread's coroutines that are not among these."""
        ident, changed = threading.get_ident(), False
        for held in tuple(self._held.values()):
            if held.loop_thread == ident and held.suspended is (held in scope):
                changed = held.pause()
        if changed:
            with self.lock:
                raise_first(self.settle())

    def has_coroutines(self) -> bool:
        """Tell whether a coroutine of this thread has a limit."""
        ident = threading.get_ident()
        return any(held.loop_thread == ident for held in tuple(self._held.values()))

    def work(self, scope: tuple[Held, ...], number: int) -> None:
        """Count a task of an executor that begins (1) or ends (-1) under these limits.

        The coroutine that waits for it is suspended meanwhile; the pools of the whole process
        must stay as the task needs them.
        """
        with self.lock:
            for held in scope:
                held.tasks += number
            if any(held.suspended for held in scope):
                raise_first(self._settlement.settle_process(self._held.values()))

    def _notes(self, held: Held, failures: Failures) -> list[str]:
        mine = self.scope()
        others = [each for each in self._held.values() if each not in mine]
        return left_alone(held, self.inventory, others, failures)

    def _count(self, held: Held, *, budget: bool = True) -> None:
        if budget and held.spec.auto:
            held.budget_threads = probe_budget(self._machine).threads
        held.amounts = self.inventory.amounts(held.spec, held.budget_threads)
        own = self.variables.original
        held.variables = inherited(held.spec, held.budget_threads, own) if held.env else {}
        self.watch.allow(held)

    def _thread_ended(self) -> None:
        """Take the wrappers out when the last thread that needed them has ended."""
        # Whoever has the lock does it when he is done.
        if not self._held and self.lock.acquire(blocking=False):
            try:
                self._tidy()
            finally:
                self.lock.release()

    def _tidy(self) -> None:
        """Have the wrappers in place that are needed now, and no others."""
        if self._held:
            coroutines = any(held.loop_thread is not None for held in self._held.values())
            self._spread.install(coroutines=coroutines)
            for pool in self.inventory.to_launch:
                name, module = pool.name, sys.modules[pool.module]
                if name not in self._unlaunch:
                    # A numba without the function that we know is limited once it runs.
                    with suppress(LookupError):
                        self._unlaunch[name] = on_launch(module, self.launched)
        else:
            for name, undo in tuple(self._unlaunch.items()):
                undo()
                del self._unlaunch[name]
            if not any(each.synced for each in self._settlement.others()):
                self._spread.remove()
        if self._held and not self._watching:
            self._watching = True
            self._loads.begin()
            LOADS.add(self._loads)
        elif self._watching and not self._held:
            LOADS.remove(self._loads)
            self._watching = False
