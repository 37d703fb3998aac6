"""Who owns which threads of this process, and the pools that are known by their threads alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..facts.changes import Change
from ..facts.libraries import Gap, Library, Pool
from ..facts.processes import Thread, ThreadOwner
from ..machine import Machine
from ..machine.port.native import Native
from .filing import filed
from .packages.strangers import owned_by, strange_pools, unreached_packages
from .runtimes.images import Scan
from .runtimes.owners import Owners
from .threads.masks import probe_masks, with_own_cpus
from .threads.stacks import ThreadOwners, Workers
from .threads.threads import probe_threads


class Owned(NamedTuple):
    """The owners of threads at one moment.

    Parameters
    ----------
    owners
        The files that own live threads; None where that cannot be known.
    by_module
        Threads by the module whose package owns them.
    strange
        Pools without a row of their own.
    """

    owners: tuple[ThreadOwner, ...] | None = None
    by_module: Mapping[str, int] = MappingProxyType({})
    strange: tuple[Pool, ...] = ()


class OwnedThreads:
    """Knows who owns the threads of one process, and keeps it while no thread comes or goes.

    Parameters
    ----------
    machine, native
        The process; `native` is None where it cannot be called.
    shippers
        Who shipped which file.
    """

    def __init__(self, machine: Machine, native: Native | None, shippers: Owners) -> None:
        self._machine = machine
        self._shippers = shippers
        self._threads = ThreadOwners(machine, native)
        self._seen: tuple[Workers | None, Scan | None, Owned] = (None, None, Owned())

    def counted(self, scan: Scan, gaps: list[Gap]) -> Workers | None:
        """Count the OS threads of each library; a system that does not tell is asked again."""
        segments = scan.segments
        if segments is None or not self._machine.runs:
            return None
        return filed("owners of threads", gaps, lambda: self._threads.workers(segments))

    def of(self, scan: Scan, counted: Workers | None) -> Owned:
        """Give the owners of threads; the same object while no thread came or went."""
        if counted is None:
            return Owned()
        if self._seen[0] is counted and self._seen[1] is scan:
            return self._seen[2]
        shippers = self._shippers.of(counted.by_path)
        owners = tuple(
            ThreadOwner(path=path, package=shippers[path].name, num_threads=number)
            for path, number in sorted(counted.by_path.items())
        )
        runtimes = frozenset(each.kernel_path for each in scan.images if not each.static)
        holders = frozenset(each.kernel_path for each in scan.images if each.static)
        owned = Owned(owners, owned_by(owners), strange_pools(owners, runtimes, holders))
        self._seen = counted, scan, owned
        return owned

    @property
    def why(self) -> str | None:
        """Why no owner is known, after a count that gave None."""
        return self._threads.why

    def labels(
        self, scan: Scan, libraries: tuple[Library, ...], tids: Iterable[int]
    ) -> dict[int, str | None]:
        """Give who started each thread, for people; None where it is not known."""
        wanted = tuple(tids)
        if scan.segments is None:
            return dict.fromkeys(wanted)
        named = self._titles(scan, libraries, [])
        found = self._threads.of(wanted, scan.segments, named)
        return {tid: owner.label if owner is not None else None for tid, owner in found.items()}

    def unreached(self, scan: Scan) -> tuple[Pool, ...]:
        """Give the pools that live, or whose packages are loaded, and that no limit reaches.

        Their sizes are left out. 20 us where no thread came or went.
        """
        owned = self.of(scan, self.counted(scan, []))
        return (*unreached_packages(owned.by_module), *owned.strange)

    def with_own_cpus(
        self, pools: tuple[Pool, ...], change: Change, scan: Scan
    ) -> tuple[Pool, ...]:
        """Give pools with the CPUs of their own threads, where the main thread lost some."""
        loaded_by = {image.kernel_path: image.mapped.path for image in scan.images}
        segments = scan.segments

        def owners(tids: Iterable[int]) -> dict[int, str]:
            if segments is None:
                return {}
            found = self._threads.of(tids, segments)
            paths = {tid: owner.path or "" for tid, owner in found.items() if owner is not None}
            return {tid: loaded_by.get(path, path) for tid, path in paths.items() if path}

        return with_own_cpus(pools, change, probe_masks(self._machine), owners)

    def listed(
        self, machine: Machine, scan: Scan, libraries: tuple[Library, ...], gaps: list[Gap]
    ) -> tuple[Thread, ...]:
        """Give every OS thread, each with its owner; see `probe_threads`."""
        labels = self._titles(scan, libraries, gaps)
        return probe_threads(machine, gaps, self._threads, scan.segments, labels)

    def _titles(
        self, scan: Scan, libraries: tuple[Library, ...], gaps: list[Gap]
    ) -> dict[str, str]:
        """Give what the owners of threads are called, by their files."""
        kernel_paths = {image.mapped.path: image.kernel_path for image in scan.images}
        labels = {kernel_paths.get(each.path, each.path): each.title for each in libraries}
        for owner in self.of(scan, self.counted(scan, gaps)).owners or ():
            if owner.package is not None and owner.path not in labels:
                labels[owner.path] = f"{os.path.basename(owner.path)} ({owner.package})"
        return labels


def by_runtime(scan: Scan, counted: Workers | None) -> dict[str, int] | None:
    """Give the OS threads of each runtime by the path that it was loaded by."""
    if counted is None:
        return None
    by_path = counted.by_path
    return {image.mapped.path: by_path.get(image.kernel_path, 0) for image in scan.images}
