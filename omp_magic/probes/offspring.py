"""The child processes of this process: at each look the workers, when asked for all of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ..facts.libraries import Gap
from ..facts.processes import Child
from ..machine import Machine
from ..machine.port.native import Native
from .filing import filed
from .runtimes.images import Scan
from .runtimes.owners import Owners
from .threads.children import ChildProbe

if TYPE_CHECKING:
    from ..facts.workers import Workers
    from .threads.workers import WorkerProbe


class Offspring:
    """Looks at the children of one process, and keeps what it knows of them.

    Parameters
    ----------
    machine
        The machine to read.
    native
        Calls into this process; None where there are none.
    owners
        Who shipped which file.
    """

    def __init__(self, machine: Machine, native: Native | None, owners: Owners) -> None:
        self._machine = machine
        self._owners = owners
        self._children = ChildProbe(machine, native)
        self._workers: WorkerProbe | None = None

    def look(
        self, scan: Scan, gaps: list[Gap], *, every: bool = False
    ) -> tuple[tuple[Child, ...], Workers | None]:
        """Give the children with a runtime and, when `every` is set, all of them.

        Parameters
        ----------
        scan
            What is mapped in this process.
        gaps
            Receives what could not be read.
        every
            Whether to look at every child from outside (1 to 2 ms each).
        """
        if every:
            return self._all(scan, gaps)
        home = scan.segments
        if home is None:
            return (), None
        return filed("workers", gaps, lambda: self._children.look(home, gaps)) or (), None

    def _all(self, scan: Scan, gaps: list[Gap]) -> tuple[tuple[Child, ...], Workers]:
        from ..facts.workers import Workers  # noqa: PLC0415 - 10 ms that only who asks for all pays
        from .memory import probe_memory  # noqa: PLC0415 - as above
        from .threads.outside import MOST_THREADS  # noqa: PLC0415 - as above
        from .threads.workers import WorkerProbe  # noqa: PLC0415 - as above

        home = scan.segments
        if home is None:
            return (), Workers(unread=1)
        probe = self._workers = self._workers or WorkerProbe(self._machine, self._children)
        found = filed(
            "workers", gaps, lambda: self._children.look(home, gaps, most_threads=MOST_THREADS)
        )
        more = filed("child processes", gaps, lambda: probe.look(home, gaps, self._packages))
        memory = filed("memory limit", gaps, lambda: probe_memory(self._machine))
        if memory is not None:
            gaps.extend(memory.gaps)
        return found or (), replace(more or Workers(unread=1), memory=memory)

    def _packages(self, paths: Collection[str]) -> dict[str, str | None]:
        found = self._owners.of(paths)
        return {
            path: " ".join(filter(None, (each.name, each.version))) or None
            for path, each in found.items()
        }
