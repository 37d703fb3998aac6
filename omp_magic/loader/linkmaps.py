"""What the loader has loaded, under all names it knows it by, kept up to date between calls."""

from __future__ import annotations

import os
import time

from ..formats.procfs import Mapped, parse_maps
from ..machine import Machine
from ..machine.port.native import Native
from .loaderlist import Loaded, after, entries, head, read_names
from .needed import Glance
from .sharedobjects import Dynamic, Identity, Read, SharedObject, SharedObjects, from_memory

_NS = 1_000_000_000
_MOST_ASSUMED = 300


class LoadedObjects:
    """The loaded objects by name and by identity.

    `update` costs nothing (1.5 us) while the loader's counters stand still, or when they grew by
    what was expected to be loaded. Else it reads what was appended to the list, and all of it
    when something was unloaded. What is only expected is never taken for an answer: the loader is
    asked, or the list read, as soon as a name or file leads to it.

    Parameters
    ----------
    machine, native
        The running process.
    objects
        The files that were read already.
    """

    def __init__(self, machine: Machine, native: Native, objects: SharedObjects) -> None:
        self._machine = machine
        self._native = native
        self._objects = objects
        self._head = head()
        self._changes: tuple[int, int] | None = None
        self._subs = -1
        self._elsewhere = 0
        self._looked_ns = 0
        self._order: dict[int, Loaded] = {}
        self._last = 0
        self._expected: list[SharedObject | Glance] = []
        self._assumed: set[str | Identity | None] = set()
        self._seen: set[str] = set()
        self._glances: dict[str, Glance] = {}
        self._named = False
        self.names: dict[str, Loaded] = {}
        """By everything that a name is compared with: l_name, names asked for, SONAME."""
        self.identities: dict[Identity, Loaded] = {}

    @property
    def program(self) -> Loaded | None:
        """The program itself, the first of the list."""
        return self._order.get(self._head)

    def has_name(self, name: str) -> bool:
        """Tell whether a name leads to a loaded object without a search."""
        if name in self._assumed:
            self._read_list()
        return name in self.names

    def is_there(self, name: str) -> bool:
        """Tell the same, and read nothing where the loader itself can be asked about a name."""
        if name in self.names or name in self._seen:
            return True
        if name not in self._assumed:
            return False
        if "/" in name or not self._native.is_loaded(name):
            return self.has_name(name)
        self._seen.add(name)
        return True

    def has_file(self, identity: Identity) -> bool:
        """Tell whether a file is loaded, under whatever name."""
        if identity in self._assumed:
            self._read_list()
        return identity in self.identities

    def expect(self, objects: tuple[SharedObject, ...]) -> None:
        """Say what will probably be loaded next: the counters are then trusted for a while."""
        self._expected += objects

    def expect_alone(self, seen: Glance) -> None:
        """Say that an extension module will probably be loaded next, with nothing else."""
        self._expected.append(seen)

    def dynamic_of(self, loaded: Loaded) -> Dynamic:
        """Give all of the dynamic section of an object, of which a glance showed a part."""
        if not loaded.whole:
            with self._machine.memory() as read:
                loaded.dynamic = from_memory(read, loaded.base, loaded.section)
            loaded.whole = True
        return loaded.dynamic

    def settle(self) -> None:
        """Read the list if anything in it is only expected."""
        if self._assumed:
            self._read_list()

    def update(self) -> bool:
        """Bring the state up to date; give whether the list could be read.

        Raises
        ------
        OSError, ParseError
            When the list cannot be read to its end.
        """
        changes = self._native.loader_changes()
        if not self._head or changes is None:
            return False
        expected, self._expected = self._expected, []
        if changes == self._changes:
            return True
        if self._changes is not None and len(self._assumed) < _MOST_ASSUMED:
            adds, subs = self._changes
            if expected and changes == (adds + len(expected), subs):
                for each in expected:
                    self._assume(each)
                self._changes = changes
                return True
        self._read_list()
        return True

    def _assume(self, each: SharedObject | Glance) -> None:
        if isinstance(each, Glance):
            soname = each.soname
            # By a path alone: nobody needs such a module by another name than its SONAME.
            self._glances[each.path] = each
        else:
            soname = each.dynamic.soname
            self._named = True
        self._assumed.update((each.path, each.identity, soname))

    def _read_list(self) -> None:
        changes = self._native.loader_changes()
        now_ns = time.time_ns()
        number = changes[0] - changes[1] if changes is not None else 0
        with self._machine.memory() as read:
            same = changes is not None and changes[1] == self._subs and self._last
            if not (same and self._append(read, number - self._elsewhere)):
                self._rebuild(read)
                # dlmopen(3) has lists of its own, which the counters include.
                self._elsewhere = number - len(self._order)
        self._assumed.clear()
        self._seen.clear()
        self._glances.clear()
        self._named = False
        self._changes, self._looked_ns = changes, now_ns
        self._subs = changes[1] if changes is not None else -1

    def refresh_names(self) -> None:
        """Read the names that objects got since they were loaded.

        glibc adds one whenever a search ends at a file that is loaded already
        (add_name_to_object), which its counters do not show. 1.3 us an object, so this is
        for the rare moment before a search.

        Raises
        ------
        OSError, ParseError
            When the memory cannot be read.
        """
        if self._named:
            self.settle()
        with self._machine.memory() as read:
            for loaded in list(self._order.values()):
                if loaded.last_name:
                    for name in read_names(read, loaded):
                        self.names.setdefault(name, loaded)

    def _append(self, read: Read, number: int) -> bool:
        """Read what follows the last known entry; give whether that makes all there are."""
        fresh = list(entries(read, after(read, self._last)))
        if len(self._order) + len(fresh) != number:
            return False
        self._add(read, fresh)
        return True

    def _rebuild(self, read: Read) -> None:
        fresh = list(entries(read, self._head))
        known, self._order = self._order, {}
        self.names, self.identities = {}, {}
        new: list[Loaded] = []
        for loaded in fresh:
            old = known.get(loaded.address)
            # An entry's place is used again: the same file may be another one by now.
            if old is not None and old.same(loaded) and not self._is_doubtful(_stat(old.name)):
                loaded.dynamic, loaded.identity = old.dynamic, old.identity
                loaded.whole = old.whole
                self._index(loaded)
            else:
                new.append(loaded)
            self._order[loaded.address] = loaded
        self._add(read, new)
        self._last = next(reversed(self._order), 0)

    def _add(self, read: Read, fresh: list[Loaded]) -> None:
        stats: dict[int, os.stat_result | None] = {}
        doubtful = False
        for loaded in fresh:
            if loaded.name in self._glances:
                continue
            found = _stat(loaded.name)
            stats[loaded.address] = found
            doubtful |= "/" in loaded.name and self._is_doubtful(found)
        mapped: dict[int, Mapped] | None = None
        if doubtful:
            text = self._machine.read("/proc/self/maps")
            mapped = {start: file for file in parse_maps(text) for start in file.starts}
        for loaded in fresh:
            self._order[loaded.address] = loaded
            self._last = loaded.address
            seen = self._glances.get(loaded.name)
            if seen is not None:
                loaded.identity, loaded.whole = seen.identity, False
                loaded.dynamic = Dynamic(soname=seen.soname)
                self._index(loaded)
                continue
            found = stats[loaded.address]
            if mapped is not None and loaded.base in mapped:
                file = mapped[loaded.base]
                found = None if file.deleted else _stat(file.path)
            read_before = self._objects.known(loaded.name, found) if found is not None else None
            if read_before is not None:
                loaded.dynamic = read_before.dynamic
            else:
                loaded.dynamic = from_memory(read, loaded.base, loaded.section)
            if found is not None and loaded.address != self._head and not _is_loader(loaded):
                loaded.identity = found.st_dev, found.st_ino
            self._index(loaded)

    def _is_doubtful(self, found: os.stat_result | None) -> bool:
        """Tell a file that changed since the last look: it may be another than the loaded one."""
        return found is None or found.st_ctime_ns > self._looked_ns - _NS

    def _index(self, loaded: Loaded) -> None:
        for name in (loaded.name, loaded.dynamic.soname, *loaded.names):
            if name is not None:
                self.names.setdefault(name, loaded)
        if loaded.identity is not None:
            self.identities.setdefault(loaded.identity, loaded)


def _is_loader(loaded: Loaded) -> bool:
    """Tell the dynamic loader itself, whose file glibc does not keep in mind.

    Measured with 2.36: dlopen of another path to it maps it once more.
    """
    soname = loaded.dynamic.soname or ""
    return soname.startswith(("ld-linux", "ld64.so", "ld.so", "ld-"))


def _stat(path: str) -> os.stat_result | None:
    if "/" not in path:
        return None
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None
