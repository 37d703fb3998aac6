"""The pools that a limit can turn at this moment, those that have not started, and new ones."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from contextlib import suppress

from ..errors import LimitError, nearest
from ..facts.libraries import Pool
from ..machine.port.native import Native
from ..probes.cpus.topology import probe_affinity, probe_topology
from ..probes.observe import Observer
from ..probes.packages.python_pools import is_whole
from ..probes.runtimes.images import Image, Scan
from ..probes.runtimes.pools import provider_of, threads_at_start
from ..probes.runtimes.startup import probe_startup
from .ceilings import lightgbm_library
from .dials import Dial, PackageDial, RuntimeDial, is_settable, names_of, reset_default
from .fixed import FIXED_AT_IMPORT, HIDDEN_AT_IMPORT, HIDDEN_WHILE_LOADED
from .pools import DIALS, PoolDial
from .spec import BORROWERS, EXAMPLE, NAMES, LimitSpec
from .variables import Variables

_TORCH, _LIGHTGBM = "torch", "lightgbm"
_TORCH_POOL = "torch intra-op"


class Inventory:
    """The pools of this process, as a limit sees them.

    Parameters
    ----------
    observer
        Knows the mapped runtimes.
    native
        The running process.
    variables
        What is set for libraries that read variables.
    """

    def __init__(self, observer: Observer, native: Native, variables: Variables) -> None:
        self._observer = observer
        self._native = native
        self._variables = variables
        self._scan: Scan | None = None
        self._packages: tuple[str, ...] = ()
        self.images: tuple[Image, ...] = ()
        self.dials: dict[Hashable, Dial] = {}
        """Pools that can be set now."""
        self.waiting: dict[int, Image] = {}
        """Runtimes that have not started, by their key."""
        self.to_launch: tuple[PoolDial, ...] = ()
        """Pools of packages that have not started."""
        self.unknown: tuple[Image, ...] = ()
        """Runtimes of which it cannot be known whether they have started."""
        self.own: dict[Hashable, int] = {}
        """Counts that pools would have had of themselves, of those made under a limit."""
        self.leaked: dict[Hashable, int] = {}
        """The same, of runtimes whose other threads start with the limit's count for good."""
        self.failures: dict[str, Exception] = {}
        """Why pools of packages cannot be turned, by their label."""
        self._known: set[int] = set()
        self._borrowed: dict[Hashable, list[tuple[str, ...]]] = {}
        self._lender: Image | None = None

    def refresh(self, *, limited: bool, lifted: frozenset[str] = frozenset()) -> bool:
        """Look what there is now; give whether that is another set of pools.

        Parameters
        ----------
        limited
            Whether a limit is in force, so that what is new took its count under it.
        lifted
            Variables that had their own values while it was loaded.
        """
        try:
            scan = self._observer.scan()
        except OSError:
            # No file may be opened any more, say; the pools known so far can still be set.
            scan = self._scan or Scan((), ())
        packages = tuple(
            pool.module
            for pool in DIALS
            if (module := sys.modules.get(pool.module)) is not None
            and is_whole(pool.module, module)
        )
        came = set(packages) - set(self._packages)
        same = scan is self._scan and packages == self._packages
        if same and not self.waiting and not self.to_launch:
            return False
        before = self.dials.keys() | self.waiting.keys()
        waited = self.waiting
        self._scan, self._packages, self.images = scan, packages, scan.images
        self._sort(scan.images)
        if limited:
            for name in came:
                # What its own import could not see tells what it has of itself.
                hidden = set(HIDDEN_AT_IMPORT.get(name, ()))
                if not hidden or not hidden <= lifted:
                    self._adopt_package(name)
            for image in scan.images:
                started = image.key in waited and image.key not in self.waiting
                if started or image.key not in self._known:
                    self._adopt(image, lifted, started=started)
        self._known = {image.key for image in scan.images}
        return before != self.dials.keys() | self.waiting.keys() or waited != self.waiting

    def _sort(self, images: tuple[Image, ...]) -> None:
        startup = probe_startup(self._observer.machine, self._observer.native, images)
        by_base = {image.base: image for image in images if image.base is not None}
        dials: dict[Hashable, Dial] = {}
        self.waiting, self._borrowed = {}, {}
        unknown = []
        for image in images:
            # A BLAS on the threads of an OpenMP runtime is limited there.
            lender = by_base.get(image.lender) if image.lender is not None else None
            if lender is not None:
                self._borrowed.setdefault(lender.key, []).append(names_of(image)[:-1])
                continue
            settable = is_settable(image, startup)
            if settable:
                known = self.dials.get(image.key)
                same = isinstance(known, RuntimeDial) and known.image is image
                dials[image.key] = known if known is not None and same else RuntimeDial(image)
            elif settable is False:
                self.waiting[image.key] = image
            elif not image.static:
                unknown.append(image)
        self.unknown = tuple(unknown)
        self._add_packages(dials, images)
        self.dials = dials

    def _add_packages(self, dials: dict[Hashable, Dial], images: tuple[Image, ...]) -> None:
        self._lender = None
        self.failures.clear()
        to_launch = []
        for pool in DIALS:
            if pool.module not in self._packages:
                continue
            module = sys.modules[pool.module]
            try:
                started = pool.started(module)
            except Exception as error:  # noqa: BLE001 - another version of the package, say
                self.failures[pool.label] = error
                continue
            if not started:
                to_launch.append(pool)
                continue
            names: tuple[str, ...] = ()
            if pool.module == _TORCH:
                openmp = [image for image in images if image.family.api == "openmp"]
                served = provider_of(self._observer.native, images)
                own = (image for image in openmp if image.owner.name == _TORCH)
                self._lender = served if served is not None else next(own, None)
                names = names_of(self._lender)[:-1] if self._lender is not None else ("openmp",)
            elif pool.module == _LIGHTGBM:
                names = self._names_called(lightgbm_library(module), images)
            dials[pool.label] = PackageDial(pool, module, names)
        self.to_launch = tuple(to_launch)

    def _names_called(self, path: str, images: tuple[Image, ...]) -> tuple[str, ...]:
        """Give the names of the OpenMP runtimes that a library was linked with or may call."""
        address = self._native.dependency_symbol(path, "omp_get_max_threads")
        base = self._native.base_of(address) if address is not None else None
        linked = next((each for each in images if base is not None and each.base == base), None)
        called = {linked, provider_of(self._native, images)} - {None}
        names = [name for image in called if image is not None for name in names_of(image)[:-1]]
        return tuple(dict.fromkeys(names)) or ("openmp",)

    def _adopt(self, image: Image, lifted: frozenset[str], *, started: bool) -> None:
        """Find out what a pool that is new under a limit would have had of itself."""
        read = set(image.family.variables)
        if image.key in self.waiting or not read & {*self._variables.names, *lifted}:
            return
        own = self.default_of(image)
        if image.key in self.dials and not reset_default(self._native, image, own):
            # Loaded with its variables as they are, its count is its own, and that of every
            # thread to come; else only the count of this thread can be mended.
            if read <= lifted and not started:
                return
            self.own[image.key] = own
            if image.family.scope == "thread":
                self.leaked[image.key] = own

    def _adopt_package(self, module: str) -> None:
        pools = [pool for pool in DIALS if pool.module == module and pool.label in self.dials]
        names = {name for pool in pools for name in pool.variables}
        self._variables.lift(names)
        try:
            for pool in pools:
                # Where it cannot be told, what the pool has is taken for its own.
                with suppress(Exception):
                    self.own[pool.label] = pool.own(sys.modules[module])
        finally:
            self._variables.lower(names)

    def default_of(self, image: Image) -> int:
        """Give the count that a runtime starts with of itself."""
        machine = self._observer.machine
        affinity_cpus = probe_affinity(machine, [])
        threads = threads_at_start(image, self._variables.original, affinity_cpus)
        if threads is None and image.family.key == "mkl":
            # MKL leaves out the second thread of a core (developer guide, MKL_NUM_THREADS).
            physical = probe_topology(machine, affinity_cpus).physical or affinity_cpus
            threads = min(physical, affinity_cpus)
        if threads is not None and image.family.key == "openblas":
            # A variable may not ask for more (driver/others/memory.c, blas_get_cpu_number).
            threads = min(threads, affinity_cpus)
        return threads or affinity_cpus

    def amounts(self, spec: LimitSpec, budget_threads: int) -> dict[Hashable, int]:
        """Give the threads that a limit is for, by pool; also for those that have not started.

        Parameters
        ----------
        spec
            The limit.
        budget_threads
            What ``auto`` is a share of.
        """
        found: dict[Hashable, int] = {}

        def add(key: Hashable, names: tuple[str, ...], *, for_io: bool = False) -> None:
            amount = spec.for_pool(names)
            if amount is None or (for_io and amount.auto and spec.for_pool(names[:-1]) is None):
                # Threads that wait for files take no CPU: "auto" has nothing to say of them.
                return
            threads = amount.threads(budget_threads)
            found[key] = min(threads, found.get(key, threads))

        for image in self.waiting.values():
            add(image.key, names_of(image))
        for key, dial in self.dials.items():
            add(key, dial.names, for_io=dial.for_io)
            for names in self._borrowed.get(key, ()):
                add(key, names)
        for pool in self.to_launch:
            add(pool.label, (pool.name, ""))
        if _TORCH_POOL in found and self._lender is not None:
            # torch's count is that of the runtime that serves it.
            threads = found[_TORCH_POOL]
            found[self._lender.key] = min(threads, found.get(self._lender.key, threads))
        self._add_borrowers(found, spec, budget_threads)
        return found

    def _add_borrowers(
        self, found: dict[Hashable, int], spec: LimitSpec, budget_threads: int
    ) -> None:
        """Limit the runtime whose threads a package uses, where the package is named."""
        named = {name: amount for name, amount in spec.amounts if name in BORROWERS}
        if not named:
            return
        paths = {image.mapped.path: image.key for image in self.images}
        for pool in self._observer.take().pools:
            if pool.family in named and pool.lender in paths:
                key, threads = paths[pool.lender], named[pool.family].threads(budget_threads)
                found[key] = min(threads, found.get(key, threads))

    def unmatched(self, spec: LimitSpec) -> list[str]:
        """Give a line for each name that fits nothing.

        Raises
        ------
        LimitError
            For a file or SONAME that fits nothing.
        """
        known = {name for image in self.images for name in names_of(image)}
        known |= {name for dial in self.dials.values() for name in dial.names}
        lines = []
        for name in (name for name, _ in spec.amounts if name and name not in known):
            if name not in NAMES:
                loaded = sorted(names_of(image)[1] for image in self.images)
                accepted = f"the SONAME of a loaded library ({', '.join(loaded) or 'none'})"
                raise LimitError(name, accepted, EXAMPLE, nearest(name, loaded))
            if name in FIXED_AT_IMPORT and name not in sys.modules:
                lines.append(f"{name}: not loaded; it can be limited in child processes only")
            elif name.partition("-")[0] not in sys.modules:
                lines.append(f"{name}: not loaded yet; limited as soon as it is")
        return lines

    def unreached(self) -> tuple[Pool, ...]:
        """Give the pools that nobody here can limit; a failure of ours is no limit's."""
        try:
            return self._observer.unreached()
        except OSError:
            return ()

    def wants(self, spec: LimitSpec, image: Image) -> bool:
        """Tell whether a limit is for a runtime."""
        return spec.for_pool(names_of(image)) is not None

    def hidden(self) -> frozenset[str]:
        """Give the variables that must be left alone for what is loaded."""
        return frozenset(
            name
            for module, names in HIDDEN_WHILE_LOADED.items()
            if module in sys.modules
            for name in names
        )
