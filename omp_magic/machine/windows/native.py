"""Calls into the running process on Windows: modules, exports, environments."""

from __future__ import annotations

import struct
import threading
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache

from ..port.native import ExitMark
from ..port.rows import Memory, Symbols
from .calls import calls
from .events import LoaderEvents
from .modules import Modules, loaded_modules, module_bases, reader
from .tables import Tables
from .variables import Environments

_MOST_FORWARDS = 8
_MOST_DEPENDENCIES = 1000


class WindowsNative:
    """See `native.Native`."""

    has_global_scope = False

    def __init__(self) -> None:
        self._counting: tuple[LoaderEvents, tuple[int, int]] | None = None
        self._no_events = False
        self._before = (0, 0)
        self._lock = threading.RLock()
        self._modules: tuple[object, Modules] | None = None
        self._tables: dict[int, Tables] = {}
        self._environments = Environments()
        self._read = reader(calls().GetCurrentProcess())

    def loader_changes(self) -> tuple[int, int] | None:
        """Give how many modules were loaded and unloaded since the first question; 0.5 us.

        Where the loader cannot be counted, the number of modules and a sum over their places:
        another module in just the place of one that went would go unseen.
        """
        counting = self._counting or self._counted()
        if counting is not None:
            now, before = counting[0].read(), counting[1]
            return before[0] + now[0], before[1] + now[1]
        bases = module_bases()
        return len(bases), hash(bases)

    def _counted(self) -> tuple[LoaderEvents, tuple[int, int]] | None:
        """Begin to count, once: other threads may look at the same time."""
        with self._lock:
            if self._counting is None and not self._no_events:
                try:
                    events = LoaderEvents()
                except OSError:
                    self._no_events = True
                    return None
                if self._counting is None:
                    self._counting = events, self._before
                else:  # what a signal's handler or a finalizer has done meanwhile
                    events.close()
            return self._counting

    def blas_threading(self) -> str | None:
        """See `native.Native.blas_threading`: Windows has no BLAS of its own."""
        return None

    def mark_exit(self, path: str) -> ExitMark:
        """See `port.Native.mark_exit`."""
        del path
        raise OSError("Windows' C libraries each have an exit of their own")

    def close(self) -> None:
        """See `native.Native.close`."""
        with self._lock:
            if self._counting is not None:
                events, before = self._counting
                self._counting = None
                events.close()
                # What is counted after the next question is no pair that was given before.
                adds, subs = events.read()
                self._before = before[0] + adds + 1, before[1] + subs
        self._modules = None
        self._tables.clear()

    def load_order(self, read_memory: Memory) -> tuple[int, ...]:
        """See `native.Native.load_order`."""
        del read_memory  # the list is read by the system's own functions
        return tuple(each.base for each in self.modules().all)

    def modules(self) -> Modules:
        """Give what is loaded now, read anew when the loader has changed it.

        Raises
        ------
        OSError
            When the modules cannot be listed.
        """
        # Before the list: what comes meanwhile makes another pair.
        changes = self.loader_changes()
        known = self._modules
        if known is None or known[0] != changes:
            known = self._modules = changes, Modules(loaded_modules())
            self._tables.clear()
        return known[1]

    def getenv(self, name: str) -> str | None:
        """Give Win32's variable; see `variables`."""
        return self._environments.get(name)

    def set_others(self, name: str, value: str) -> None:
        """Set it in every environment that can be reached; see `variables`."""
        self._environments.set(name, value, self.modules())

    def kept_env(self, name: str) -> tuple[str | None, ...]:
        """See `native.Native.kept_env`."""
        return self._environments.kept(name, self.modules())

    def give_back_env(self, name: str, kept: tuple[str | None, ...], *, now: str | None) -> None:
        """See `native.Native.give_back_env`."""
        del now
        if self.kept_env(name) != kept:
            self._environments.give_back(name, kept, self.modules())

    def is_loaded(self, name: str) -> bool:
        """See `native.Native.is_loaded`."""
        return self.modules().called(name) is not None

    def symbols(
        self, path: str, starts: tuple[int, ...], wanted: tuple[tuple[str, ...], ...]
    ) -> Symbols | None:
        """See `native.Native.symbols`; `path` is not needed, a module is its place."""
        del path
        base = starts[0]
        if self.modules().at(base) is None:
            return None
        return tuple(self._first(base, names) for names in wanted)

    def _first(self, base: int, names: tuple[str, ...]) -> int | None:
        found = (self._exported(base, name) for name in names)
        return next((address for address in found if address is not None), None)

    def dependency_symbol(self, path: str, name: str) -> int | None:
        """Look in a module and in what it imports, level by level, among what is loaded."""
        modules = self.modules()
        first = modules.called(path)
        if first is None:
            return None
        waiting, seen = [first], {first.base}
        while waiting and len(seen) < _MOST_DEPENDENCIES:
            module = waiting.pop(0)
            address = self._exported(module.base, name)
            if address is not None:
                return address
            with suppress(OSError):
                for needed, _ in self._table(module.base).needed():
                    other = modules.by_name.get(needed.lower())
                    if other is not None and other.base not in seen:
                        seen.add(other.base)
                        waiting.append(other)
        return None

    def bindings(self, names: Collection[str]) -> dict[tuple[int, str], int]:
        """Read the import tables in memory, where the loader put the addresses; see `native`."""
        wanted = {name.lower() for name in names}
        found: dict[tuple[int, str], int] = {}
        modules = self.modules()
        for module in modules.all:
            with suppress(OSError, struct.error):
                for needed, addresses in self._table(module.base).needed():
                    if needed.lower() in wanted:
                        there = modules.at(self._table(module.base).bound_to(addresses))
                        if there is not None:
                            found[module.base, needed.lower()] = there.base
        return found

    def global_symbol(self, name: str) -> int | None:
        """Windows has no global scope: each import names its DLL."""
        del name
        return None

    def base_of(self, address: int) -> int | None:
        """See `native.Native.base_of`."""
        found = self.modules().at(address)
        return None if found is None else found.base

    def path_of(self, address: int) -> str | None:
        """See `native.Native.path_of`."""
        found = self.modules().at(address)
        return None if found is None else found.path

    def _exported(self, base: int, name: str) -> int | None:
        """Give an export's address, forwarded ones followed through what is loaded."""
        for _ in range(_MOST_FORWARDS):
            try:
                found = self._table(base).address(name)
            except OSError:
                return None
            if not isinstance(found, str):
                return found
            library, _, name = found.rpartition(".")
            module = self.modules().called(library if library[-4:] == ".dll" else f"{library}.dll")
            if module is None or name.startswith("#"):
                return None
            base = module.base
        return None

    def _table(self, base: int) -> Tables:
        known = self._tables.get(base)
        if known is None:
            known = self._tables[base] = Tables(self._read, base)
        return known


@lru_cache(maxsize=1)
def own_native() -> WindowsNative:
    """Give the calls into this process, one object for all: the loader tells one of each load."""
    return WindowsNative()
