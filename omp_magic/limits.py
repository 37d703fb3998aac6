"""A limit on the threads of every pool, and the way back.

Each pool has one entry in a ledger: its count before the first limit, and the limits that are
in force, the last of which holds. Limits may end in any order; when the last one on a pool
ends, the pool has its first count again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from itertools import count

from .catalog import APIS, BY_KEY
from .dials import (
    Variables,
    is_settable,
    read_at_load,
    reset_default,
    swap_count,
)
from .errors import LimitError, WrongThreadError
from .limitspec import EXAMPLE, LimitSpec
from .native import Native, call_get
from .observe import Observer
from .probes.budget import probe_budget
from .probes.libraries import Image
from .probes.pools import threads_at_start
from .probes.startup import Startup, probe_startup
from .probes.topology import probe_affinity


@dataclass(slots=True)
class _Entry:
    """The ledger's page for one pool.

    Parameters
    ----------
    former
        What to set to undo the first limit; None until the pool was set.
    variable
        Variable that was set for it because it had not started.
    default
        The count it would have started with.
    limits
        Counts of the limits in force, by limit, oldest first.
    """

    former: int | None = None
    variable: str | None = None
    default: int = 1
    limits: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Now:
    """The runtimes of this moment, and which of them have started."""

    images: tuple[Image, ...]
    startup: Startup

    def at(self, key: int) -> Image | None:
        """Give the runtime whose first segment begins at `key`; None when it is gone."""
        return next((image for image in self.images if image.key == key), None)


class Held:
    """A limit in force; `leave` takes it back.

    Parameters
    ----------
    limiter
        The ledger it is entered in.
    spec
        What was asked for.
    """

    _numbers = count()

    def __init__(self, limiter: Limiter, spec: LimitSpec) -> None:
        self.spec = spec
        self.number = next(self._numbers)
        self.notes: tuple[str, ...] = ()
        """One line for each thing that the limit could not do as asked."""
        self.keys: set[int] = set()
        """The runtimes that it holds for."""
        self.seen: frozenset[int] = frozenset()
        """The runtimes that were loaded when it was applied last."""
        self._limiter = limiter

    def cover(self) -> None:
        """Apply the limit also to runtimes that were loaded since."""
        self._limiter.apply(self)

    def missed(self) -> tuple[str, ...]:
        """Give the runtimes that were loaded since and that the limit should hold for."""
        return self._limiter.missed(self)

    def leave(self) -> None:
        """Take the limit back; a second time does nothing."""
        self._limiter.leave(self)


class Limiter:
    """Sets limits in the running process and keeps the ledger.

    Parameters
    ----------
    observer
        Knows the mapped runtimes.

    Raises
    ------
    LimitError
        When the C library cannot be called.
    """

    def __init__(self, observer: Observer) -> None:
        if observer.native is None:
            raise LimitError("a C library without dlsym", "Linux or macOS", EXAMPLE)
        self._observer = observer
        self._native: Native = observer.native
        self._variables = Variables(self._native)
        self._entries: dict[int, _Entry] = {}
        self._images: tuple[Image, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether any limit is in force."""
        return bool(self._entries)

    def enter(self, spec: LimitSpec) -> Held:
        """Put a limit in force.

        Raises
        ------
        LimitError
            When it names a SONAME that is not loaded. Nothing was changed.
        WrongThreadError
            When this is not the main thread. Nothing was changed.
        """
        held = Held(self, spec)
        self.apply(held)
        return held

    def apply(self, held: Held) -> None:
        """Put a limit in force on every runtime that it does not yet hold for."""
        _main_thread_only()
        now = self._now()
        notes = _unmatched(held.spec, now.images)
        held.seen = frozenset(image.key for image in now.images)
        try:
            for image, threads in self._wanted(held.spec, now.images):
                if image.key not in held.keys:
                    notes.extend(self._limit(held, image, threads, now))
        except BaseException:
            self.leave(held)
            raise
        held.notes = tuple(notes)

    def missed(self, held: Held) -> tuple[str, ...]:
        """Give the runtimes that were loaded since `apply` and that the limit is for."""
        wanted = self._wanted(held.spec, self._observer.scan().images)
        return tuple(_label(image) for image, _ in wanted if image.key not in held.seen)

    def leave(self, held: Held) -> None:
        """Take a limit back from every runtime that it holds for."""
        if not held.keys:
            return
        _main_thread_only()
        now = self._now()
        errors: list[Exception] = []
        # OpenBLAS on OpenMP's threads sets OpenMP's count too, so BLAS goes first.
        for key in sorted(held.keys, key=lambda key: _order(now.at(key))):
            try:
                self._leave_one(held, key, now)
            except Exception as error:  # noqa: BLE001 - the other pools must be put back
                errors.append(error)
        held.keys.clear()
        if errors:
            raise errors[0]

    def _leave_one(self, held: Held, key: int, now: _Now) -> None:
        entry = self._entries[key]
        del entry.limits[held.number]
        image = now.at(key)
        last = next(reversed(entry.limits.values()), None)
        if last is None:
            del self._entries[key]
            self._put_back(entry, key, image, now)
        elif image is not None:
            self._set(entry, image, last, now)

    def _now(self) -> _Now:
        try:
            images = self._images = self._observer.scan().images
        except OSError:
            # No file may be opened any more, say; the pools known so far can still be set.
            images = self._images
        return _Now(images, probe_startup(self._observer.machine, self._native, images))

    def _wanted(self, spec: LimitSpec, images: tuple[Image, ...]) -> list[tuple[Image, int]]:
        """Give the runtimes that a limit is for, and the count for each."""
        budget_threads = probe_budget(self._observer.machine).threads if spec.auto else 1
        by_base = {image.base: image for image in images if image.base is not None}
        counts: dict[int, tuple[Image, int]] = {}
        for image in sorted(images, key=_order):
            amount = spec.for_pool(_names(image))
            if amount is None:
                continue
            # A BLAS on the threads of an OpenMP runtime is limited there.
            owner = by_base.get(image.lender, image) if image.lender is not None else image
            threads = amount.threads(budget_threads)
            if owner.key in counts:
                threads = min(threads, counts[owner.key][1])
            counts[owner.key] = owner, threads
        return list(counts.values())

    def _limit(self, held: Held, image: Image, threads: int, now: _Now) -> list[str]:
        """Put one pool under a limit and give what is worth a line."""
        label = _label(image)
        if is_settable(image, now.startup) is None:
            return [f"{label} is left alone: whether it has started cannot be known"]
        entry = self._entries.setdefault(image.key, _Entry())
        entry.limits[held.number] = threads
        held.keys.add(image.key)
        self._set(entry, image, threads, now)
        if entry.former is not None and image.getter is not None:
            taken = call_get(image.getter)
            if taken != threads:
                return [f"{label} took {taken} threads instead of {threads}"]
        return []

    def _set(self, entry: _Entry, image: Image, threads: int, now: _Now) -> None:
        if is_settable(image, now.startup):
            former = swap_count(image, threads)
            if entry.former is None:
                # If it started under the variable, what it has now is not its own count.
                under_variable = entry.variable is not None and not image.family.resetters
                entry.former = entry.default if under_variable else former
            return
        if entry.variable is None:
            entry.variable = image.family.variables[0]
            entry.default = self._default(image)
        self._variables.want(entry.variable, image.key, threads, now.images)

    def _put_back(self, entry: _Entry, key: int, image: Image | None, now: _Now) -> None:
        """Give a pool its first count again; a library that is gone has none."""
        if entry.former is not None and image is not None:
            swap_count(image, entry.former)
        if entry.variable is None:
            return
        loaded_before = self._variables.release(entry.variable, key)
        if image is not None and is_settable(image, now.startup):
            reset_default(self._native, image, entry.default)
        if loaded_before is None:
            return
        for other in now.images:
            if other.key not in loaded_before and read_at_load(other, entry.variable):
                swap_count(other, self._default(other))

    def _default(self, image: Image) -> int:
        """Give the count that a runtime starts with of itself."""
        machine = self._observer.machine
        affinity_cpus = probe_affinity(machine, [])
        return threads_at_start(image, machine, self._native, affinity_cpus) or affinity_cpus


def _unmatched(spec: LimitSpec, images: tuple[Image, ...]) -> list[str]:
    """Give a line for each name that fits nothing; a SONAME that fits nothing is an error."""
    known = {name for image in images for name in _names(image)}
    missing = [name for name, _ in spec.amounts if name and name not in known]
    for name in missing:
        if name not in APIS and name not in BY_KEY:
            loaded = ", ".join(sorted(_names(image)[0] for image in images)) or "none"
            raise LimitError(name, f"the SONAME of a loaded library ({loaded})", EXAMPLE)
    return [f"{name}: no such library is loaded yet, nothing to limit" for name in missing]


def _label(image: Image) -> str:
    return f"{image.family.label} ({image.owner.name or image.mapped.file_name})"


def _names(image: Image) -> tuple[str, ...]:
    """Give the names a limit may use for a runtime, the most particular first."""
    particular = (image.soname or image.mapped.file_name, image.mapped.file_name)
    return (*particular, image.family.key, image.family.api, "")


def _order(image: Image | None) -> int:
    return 0 if image is not None and image.family.api == "blas" else 1


def _main_thread_only() -> None:
    thread = threading.current_thread()
    if thread is not threading.main_thread():
        raise WrongThreadError(thread.name)
