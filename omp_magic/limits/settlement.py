"""Brings variables, pools of the process and those of a thread to what limits say now."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Collection, Hashable

from ..knowledge.inherited import CPU_COUNT
from .ceilings import forget_cpu_counts
from .held import Held
from .inventory import Inventory
from .ledger import Failures, Ledger
from .spread import SCOPE
from .variables import Variables


class ThreadLedger(Ledger):
    """The ledger of one thread.

    Parameters
    ----------
    synced
        Whether the thread asks again by itself, before its next task.
    """

    def __init__(self, *, synced: bool) -> None:
        super().__init__()
        self.synced = synced
        self.ident = threading.get_ident()
        self.tid = threading.get_native_id()
        self.scope = SCOPE.get()

    @property
    def givers(self) -> set[Held]:
        """The limits whose counts the thread has for good, where it asks no more."""
        # Of two limits on one pool the later one had its way; `_here` asks in the same order.
        last = {key: held for held in self.scope for key in held.amounts}
        return set() if self.synced else {last[key] for key in self._pages if key in last}


class Settlement:
    """What was found and set by all limits.

    Parameters
    ----------
    inventory
        The pools.
    variables
        The variables.
    ended
        Called when a thread that had a ledger has ended.
    """

    def __init__(
        self, inventory: Inventory, variables: Variables, ended: Callable[[], None]
    ) -> None:
        self._inventory = inventory
        self._variables = variables
        self._process = Ledger()
        self._own = threading.local()
        self._ledgers: set[weakref.ref[ThreadLedger]] = set()
        self._ended = ended

    def ledger(self, *, synced: bool = False, fresh: bool = False) -> ThreadLedger:
        """Give this thread's ledger.

        Parameters
        ----------
        synced
            Whether the thread asks again by itself.
        fresh
            Whether it has run nothing yet.
        """
        found: ThreadLedger | None = getattr(self._own, "ledger", None)
        if found is None:
            found = self._own.ledger = ThreadLedger(synced=synced)
            self._ledgers.add(weakref.ref(found, self._forget))
            self._own.leaked = dict(self._inventory.leaked) if fresh else {}
        found.synced = found.synced or synced
        return found

    def others(self) -> list[ThreadLedger]:
        """Give the ledgers of other threads that have counts of limits."""
        mine = self.ledger()
        ledgers = [reference() for reference in tuple(self._ledgers)]
        return [each for each in ledgers if each and each is not mine]

    def limited(self, held: Held) -> set[int]:
        """Give the OS threads that are known to be under a limit."""
        ledgers = [reference() for reference in tuple(self._ledgers)]
        return {
            each.tid
            for each in ledgers
            if each is not None and (held in each.scope or (held.everywhere and each))
        }

    def _forget(self, reference: weakref.ref[ThreadLedger]) -> None:
        self._ledgers.discard(reference)
        self._ended()

    def settle(self, held: Collection[Held], *, anew: bool = False) -> Failures:
        """Bring everything to these limits; give what failed, when all the rest is done.

        What every pool has is read before anything is set: torch's getter sets this thread's
        OpenMP count, and pyarrow's and OpenCV's make a pool that reads the variables.

        Parameters
        ----------
        held
            The limits in force.
        anew
            Whether others may have changed counts: blosc2's import sets numexpr's, and numba's
            launch this thread's count of the OpenMP runtime that it uses.
        """
        inventory, here, everywhere = self._inventory, self._here(held), self._everywhere(held)
        ledger = self.ledger()
        failures = ledger.open(here, inventory.dials, inventory.own)
        failures |= self._process.open(everywhere, inventory.dials, inventory.own)
        self._settle_variables(self._wanted_variables(held))
        failures |= self._process.settle(everywhere, inventory.dials, anew=anew)
        # A pool that read a limit's variable, and that no limit is for, gets its own count.
        while inventory.own:
            key, own = inventory.own.popitem()
            if key in inventory.dials:
                inventory.dials[key].undo(own)
        return failures | ledger.settle(here, inventory.dials, anew=anew)

    def settle_process(self, held: Collection[Held]) -> Failures:
        """Bring the pools of the process to these limits."""
        everywhere, dials = self._everywhere(held), self._inventory.dials
        return self._process.open(everywhere, dials, {}) | self._process.settle(everywhere, dials)

    def settle_thread(self, held: Collection[Held], *, fresh: bool, synced: bool) -> Failures:
        """Bring this thread to these limits; `fresh` and `synced` as in `ledger`."""
        ledger, here = self.ledger(synced=synced, fresh=fresh), self._here(held)
        failures = ledger.open(here, self._inventory.dials, self._own.leaked)
        return failures | ledger.settle(here, self._inventory.dials)

    def _here(self, held: Collection[Held]) -> dict[Hashable, int]:
        """Give the threads of the pools that have a count for every thread, for this one."""
        ident, inside = threading.get_ident(), SCOPE.get()
        found: dict[Hashable, int] = {}
        for each in held:
            mine = each.loop_thread == ident
            if each.everywhere or (not each.suspended if mine else each in inside):
                found.update(each.amounts)
        dials = self._inventory.dials
        return {key: n for key, n in found.items() if key in dials and dials[key].per_thread}

    def _everywhere(self, held: Collection[Held]) -> dict[Hashable, int]:
        """Give the threads of the pools that have one count for the process."""
        found: dict[Hashable, int] = {}
        for each in held:
            if not each.suspended or each.tasks:
                found.update(each.amounts)
        dials = self._inventory.dials
        return {key: n for key, n in found.items() if key in dials and not dials[key].per_thread}

    def _settle_variables(self, wanted: dict[str, str]) -> None:
        counted = os.environ.get(CPU_COUNT)
        self._variables.settle(wanted)
        if os.environ.get(CPU_COUNT) != counted:
            forget_cpu_counts()

    def _wanted_variables(self, held: Collection[Held]) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in held:
            if each.env and (not each.suspended or each.tasks):
                found.update(each.variables)
                for key, image in self._inventory.waiting.items():
                    if key in each.amounts:
                        found[image.family.variables[0]] = str(each.amounts[key])
        if found:
            for name in self._inventory.hidden():
                found.pop(name, None)
        return found
