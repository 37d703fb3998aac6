"""take(machine) -> Snapshot: every probe once; what failed is filed as a Gap."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .errors import ParseError
from .facts import Gap, Limit
from .machine import Machine
from .native import Native
from .probes.budget import probe_budget, probe_throttling, unknown_budget
from .probes.environment import probe_at_exec, probe_environment
from .probes.libraries import LibraryProbe, Scan
from .probes.load import LoadProbe
from .probes.measure import measure_cpus
from .probes.pools import pools_of, probe_libraries
from .probes.threads import count_threads, probe_threads
from .snapshots import Snapshot

_Value = TypeVar("_Value")


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
        self._lasting: list[Gap] = []
        if machine.live:
            try:
                self.native = Native()
            except OSError as error:
                self._lasting.append(Gap.of("calls into libraries", error))
        self._libraries = LibraryProbe(machine, self.native)
        self._load = LoadProbe()
        self._at_exec: dict[str, str] = {}
        try:
            self._at_exec = probe_at_exec(machine)
        except OSError as error:
            self._lasting.append(Gap.of("environment at start", error))

    def scan(self) -> Scan:
        """Give the runtimes that are mapped now; see `LibraryProbe.scan`."""
        return self._libraries.scan()

    def take(
        self,
        *,
        threads: bool = False,
        measure: bool = False,
        shown: frozenset[str] = frozenset(),
        limits: tuple[Limit, ...] = (),
    ) -> Snapshot:
        """Take a snapshot. What cannot be read becomes a `Gap`; nothing is raised for it.

        Parameters
        ----------
        threads
            Also list every OS thread (10 us each).
        measure
            Also keep threads busy for half a second and count the CPUs they get.
        shown
            Parts that views should open.
        limits
            Limits that are held for the session.
        """
        gaps = list(self._lasting)
        machine = self.machine.once()
        budget = _filed("budget", gaps, lambda: probe_budget(machine)) or unknown_budget()
        if measure:
            got = _filed("measured CPUs", gaps, lambda: measure_cpus(budget.affinity_cpus))
            budget = replace(budget, bounds=(*budget.bounds, *((got,) if got else ())))
        scan = _filed("libraries", gaps, self.scan) or Scan((), ())
        libraries = _filed(
            "libraries",
            gaps,
            lambda: probe_libraries(machine, self.native, scan.images, budget.affinity_cpus, gaps),
        )
        environment = _filed(
            "environment", gaps, lambda: probe_environment(machine, self.native, self._at_exec)
        )
        listed = _filed("threads", gaps, lambda: probe_threads(machine, gaps)) if threads else None
        throttling = _filed("throttling", gaps, lambda: probe_throttling(machine, budget)) or ()
        load = _filed("load", gaps, lambda: self._load.look(machine, throttling, gaps))
        return Snapshot(
            pid=machine.pid,
            python=platform.python_version(),
            prefix=sys.prefix,
            budget=budget,
            libraries=libraries or (),
            pools=pools_of(libraries or ()),
            num_os_threads=_filed("thread count", gaps, lambda: count_threads(machine)),
            os_threads=listed,
            environment=environment or (),
            throttling=throttling,
            load=load,
            limits=limits,
            gaps=(*gaps, *scan.gaps, *budget.gaps),
            shown=shown,
        )


def _filed(what: str, gaps: list[Gap], probe: Callable[[], _Value]) -> _Value | None:
    """Run a probe; file its failure as a Gap."""
    try:
        return probe()
    except (OSError, ParseError) as error:
        gaps.append(Gap.of(what, error))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
        gaps.append(Gap(what=what, why=f"a fault in omp_magic: {type(error).__name__}: {error}"))
    return None
