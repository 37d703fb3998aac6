"""take(machine) -> Snapshot: every probe once; what failed is filed as a Gap."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Collection
from dataclasses import replace

from ..facts.changes import Change, narrowed
from ..facts.cpus import Budget
from ..facts.libraries import Gap, Library, Pool
from ..facts.limits import Limit
from ..facts.processes import PythonThreads
from ..facts.sends import Sending
from ..facts.snapshots import Snapshot
from ..facts.tasks import wants_of
from ..machine import Machine
from ..machine.port.native import Native
from .cpus.budget import probe_budget, unknown_budget, with_reason
from .cpus.load import LoadProbe
from .cpus.measure import measure_cpus
from .cpus.tasks import TaskProbe
from .cpus.throttling import probe_throttling
from .environment import probe_at_exec, probe_environment
from .filing import filed
from .offspring import Offspring
from .owned import Owned, OwnedThreads, by_runtime
from .packages.python_pools import PythonPools
from .runtimes.images import Scan
from .runtimes.libraries import LibraryProbe
from .runtimes.owners import Owners
from .runtimes.pools import pools_of, probe_libraries
from .runtimes.replaced import PackageProbe
from .state import STATE
from .threads.children import probe_notebook, probe_start_method
from .threads.masks import probe_narrowing
from .threads.threads import count_threads, probe_python_threads


def take(machine: Machine) -> Snapshot:
    """Give the facts of a machine once; an `Observer` is faster from the second time on."""
    return Observer(machine).take()


class Observer:
    """Takes snapshots of one process and keeps what cannot have changed between them.

    Parameters
    ----------
    machine
        The machine to read.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.native: Native | None = None
        self.opened: set[str] = set()
        """Files that were opened to be called through their handle; the guard sees that."""
        self.sendings: list[Callable[[], Sending | None]] = []
        """What pools of processes were given and cannot send, None once one has ended; as above."""
        self._lasting: list[Gap] = []
        if machine.live:
            try:
                self.native = machine.native()
            except OSError as error:
                self._lasting.append(Gap.of("calls into libraries", error))
        self._libraries = LibraryProbe(machine, self.native)
        self._packages = PackageProbe(machine, self.native)
        self._owned = OwnedThreads(machine, self.native, self._libraries.owners)
        self._python_pools = PythonPools(machine, self.native)
        self._offspring = Offspring(machine, self.native, self._libraries.owners)
        self._load = LoadProbe()
        self._tasks = TaskProbe()
        self._at_exec: dict[str, str] = {}
        self._conda = machine.live and os.path.isdir(os.path.join(sys.prefix, "conda-meta"))
        try:
            self._at_exec = probe_at_exec(machine)
        except OSError as error:
            self._lasting.append(Gap.of("environment at start", error))

    def rest(self) -> None:
        """Take back what looking needs of the system: on Windows its word of each load."""
        if self.native is not None:
            self.native.close()

    @property
    def owners(self) -> Owners:
        """Who shipped which file."""
        return self._libraries.owners

    def as_opened(
        self, libraries: tuple[Library, ...], present: tuple[Library, ...]
    ) -> tuple[Library, ...]:
        """Give libraries, with those that are called through their handle as not idle.

        libiomp5 behind a global libomp stays as it is: it hangs either way (OMP103).
        """
        if not self.opened:
            return libraries
        hanging = any(each.serves and each.family == "libomp" for each in present)
        return tuple(
            replace(each, idle=False)
            if each.idle
            and each.path in self.opened
            and not (hanging and each.family == "libiomp5")
            else each
            for each in libraries
        )

    @property
    def packages_mapped(self) -> Collection[str]:
        """Packages of which native files were mapped at the last look; it follows each look."""
        return self._packages.by_module

    def was_touched(self, module: str) -> bool:
        """Tell whether a loaded package was changed on disk since the last look."""
        return self._packages.was_touched(module)

    def scan(self) -> Scan:
        """Give the runtimes that are mapped now; see `LibraryProbe.scan`."""
        return self._libraries.scan()

    def unreached(self) -> tuple[Pool, ...]:
        """Give the pools that no limit reaches; see `OwnedThreads.unreached`."""
        return self._owned.unreached(self.scan())

    def take(  # noqa: PLR0913 - each is asked for by itself
        self,
        *,
        threads: bool = False,
        measure: bool = False,
        workers: bool = False,
        shown: frozenset[str] = frozenset(),
        limits: tuple[Limit, ...] = (),
        altered: tuple[str, ...] = (),
    ) -> Snapshot:
        """Take a snapshot. What cannot be read becomes a `Gap`; nothing is raised for it.

        Parameters
        ----------
        threads
            Also list every OS thread (10 us each).
        measure
            Also keep threads busy for half a second and count the CPUs they get.
        workers
            Also look at every child process (1 to 2 ms each).
        shown
            Parts that views should open.
        limits
            The limits that are in force, under which counts do not tell what variables did.
        altered
            Variables that these limits have set.
        """
        gaps = list(self._lasting)
        machine = self.machine.once()
        budget = filed("budget", gaps, lambda: probe_budget(machine)) or unknown_budget()
        if measure:
            got = filed("measured CPUs", gaps, lambda: measure_cpus(budget.affinity_cpus))
            budget = replace(budget, bounds=(*budget.bounds, *((got,) if got else ())))
        scan = filed("libraries", gaps, self.scan) or Scan((), ())
        counted = self._owned.counted(scan, gaps)
        started = by_runtime(scan, counted)
        busy = counted.by_path if counted is not None else ()
        libraries = (
            filed(
                "libraries",
                gaps,
                lambda: probe_libraries(
                    machine,
                    self.native,
                    scan.images,
                    budget.affinity_cpus,
                    gaps,
                    workers=started,
                    all_known=counted is not None and not counted.unknown,
                ),
            )
            or ()
        )
        libraries = self.as_opened(libraries, libraries)
        owned = filed("owners of threads", gaps, lambda: self._owned.of(scan, counted)) or Owned()
        packaged = filed(
            "pools of packages",
            gaps,
            lambda: self._python_pools.pools(
                libraries,
                gaps,
                quota_cpus=budget.quota_cpus,
                physical_cpus=_physical(budget),
                machine_cpus=budget.machine_cpus,
                busy=busy,
                owned=owned.by_module,
            ),
        )
        pools = (*pools_of(libraries), *(packaged or ()), *owned.strange)
        changes = filed("changes", gaps, lambda: self._changes(budget, libraries)) or ()
        bound = narrowed(changes)
        if bound is not None:
            budget = with_reason(budget, bound)
            own = filed(
                "bound threads", gaps, lambda: self._owned.with_own_cpus(pools, bound, scan)
            )
            pools = own or pools
        environment = filed(
            "environment",
            gaps,
            lambda: probe_environment(
                machine,
                self.native,
                self._at_exec,
                libraries=libraries,
                pools=pools,
                affinity_cpus=budget.affinity_cpus,
                limited=bool(limits),
                altered=altered,
                changes=changes,
            ),
        )
        listed = (
            filed("threads", gaps, lambda: self._owned.listed(machine, scan, libraries, gaps))
            if threads
            else None
        )
        tasks = filed(
            "limit on threads",
            gaps,
            lambda: self._tasks.look(machine, wants_of(libraries, pools), gaps),
        )
        children, every_child = self._offspring.look(scan, gaps, every=workers)
        throttling = filed("throttling", gaps, lambda: probe_throttling(machine, budget)) or ()
        load = filed("load", gaps, lambda: self._load.look(machine, throttling, gaps, budget))
        return Snapshot(
            pid=machine.pid,
            python=platform.python_version(),
            prefix=sys.prefix,
            budget=budget,
            conda=self._conda,
            system=machine.system.name,
            libraries=libraries,
            pools=pools,
            num_os_threads=filed("thread count", gaps, lambda: count_threads(machine)),
            os_threads=listed,
            thread_owners=owned.owners,
            environment=environment or (),
            tasks=tasks,
            python_threads=self._python_threads(gaps),
            throttling=throttling,
            packages=filed("packages", gaps, lambda: self._packages.look(scan.mapped)) or (),
            children=children,
            workers=every_child,
            start_method=filed("start method", gaps, probe_start_method),
            notebook=bool(filed("the main module", gaps, self._is_notebook)),
            stranded=filed("what pools were given", gaps, self._stranded) or (),
            load=load,
            changes=changes,
            limits=limits,
            gaps=tuple(dict.fromkeys((*gaps, *scan.gaps, *budget.gaps))),
            shown=shown,
        )

    def _changes(self, budget: Budget, libraries: tuple[Library, ...]) -> tuple[Change, ...]:
        """Give what changed; also what OpenMP took from the main thread before anybody looked."""
        if not self.machine.live:
            return ()
        changes = STATE.changes()
        known = any(each.what == "affinity" for each in changes)
        if known or self.native is None or budget.affinity_cpus >= budget.machine_cpus:
            return changes
        before = probe_narrowing(self.machine, self.native.getenv, libraries)
        return changes if before is None else (*changes, before)

    def _python_threads(self, gaps: list[Gap]) -> PythonThreads | None:
        if not self.machine.live:
            return None
        return filed("Python's threads", gaps, probe_python_threads)

    def _is_notebook(self) -> bool:
        return self.machine.live and probe_notebook()

    def _stranded(self) -> tuple[Sending, ...]:
        told = {ask: ask() for ask in self.sendings}
        self.sendings[:] = [ask for ask, sending in told.items() if sending is not None]
        return tuple(sending for sending in told.values() if sending is not None)


def _physical(budget: Budget) -> int | None:
    found = (each.cpus for each in budget.bounds if each.source == "physical cores" and each.cpus)
    return next((int(cpus) for cpus in found), None)
