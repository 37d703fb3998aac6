"""Another process of this machine, read only: a `Machine` of which nothing is called."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from .machine import Machine
from .port.others import LIMITS_OF_OTHERS
from .systems import others_of, paths_of, system_of

if TYPE_CHECKING:
    from ..formats.procfs import Segments
    from .port.cpurows import CpuLimit
    from .port.native import Native, Starts, Variables
    from .port.others import Others
    from .port.rows import Memory, MemoryUse, ProcessMap
    from .port.system import System


class OtherMachine(Machine):
    """What probes read of a process that is not the running one.

    Its files are found where they lie for it: in its container, in its cgroup. Its `environ` is the
    one it was started with, empty where that may not be read.

    Parameters
    ----------
    pid
        Its number here.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(environ={}, pid=pid, system=other_system)
        self.live, self.runs = False, True
        self._where = paths_of(pid)
        self._others: Others | None = None
        self._maps: list[dict[str, str]] = []  # shared with copies of this machine

    @property
    def others(self) -> Others:
        """What is asked about it beside what `system` tells."""
        if self._others is None:
            self._others = others_of(copy.copy(self))
        return self._others

    def path(self, name: str) -> str:
        """Give where the absolute path `name` of that process lies."""
        return self._where(name)

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """Read a map of memory once while this lasts: with 500 threads it takes the kernel 2 ms."""
        self._maps.append({})
        try:
            yield
        finally:
            self._maps.pop()

    def read(self, name: str) -> str:
        """See `Machine.read`."""
        if not self._maps or not name.endswith("/maps"):
            return super().read(name)
        texts, place = self._maps[-1], self.path(name)
        if place not in texts:
            texts[place] = super().read(name)
        return texts[place]


def other_system(machine: Machine) -> System:
    """Give what the running system tells of another process."""
    return cast("System", OtherSystem(system_of(machine), machine.pid))


class OtherSystem:
    """A system's answers with another process in the place of this one; see `port.System`.

    Linux finds all of it in that process's folder of /proc, and is only handed on. Elsewhere a
    question about "this process" is asked about that one by its number.

    Parameters
    ----------
    system
        The system.
    pid
        The process.
    """

    def __init__(self, system: System, pid: int) -> None:
        self._system = system
        self._pid = pid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def native(self) -> Native:
        """See `port.System.native`: nothing is called in another process."""
        raise OSError("this is not the running process")

    def variables(self) -> Variables:
        """See `port.System.variables`."""
        raise OSError("this is not the running process")

    def process_map(self, process: int | None = None) -> ProcessMap:
        """See `port.System.process_map`."""
        return self._system.process_map(process or self._pid)

    def memory(self, process: int | None = None) -> AbstractContextManager[Memory]:
        """See `port.System.memory`."""
        return self._system.memory(process or self._pid)

    def executable(self, process: int | None = None) -> str:
        """See `port.System.executable`."""
        return self._system.executable(process or self._pid)

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        """See `port.System.variables_at_start`."""
        return self._system.variables_at_start(process or self._pid)

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        """See `port.System.starts`."""
        return self._system.starts(native, process or self._pid, home)

    def size_mark(self, process: int | None = None) -> str:
        """See `port.System.size_mark`."""
        return self._system.size_mark(process or self._pid)

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        """See `port.System.affinity`."""
        return self._system.affinity(process or self._pid)

    def cpu_s(self, process: int | None = None) -> float:
        """See `port.System.cpu_s`."""
        return self._system.cpu_s(process or self._pid)

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        """See `port.System.memory_use`."""
        return self._system.memory_use(process or self._pid, shared=shared)

    def rss_bytes(self) -> int:
        """See `port.System.rss_bytes`."""
        return self.memory_use(shared=False).rss_bytes

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        """See `port.System.cpu_limits`.

        Raises
        ------
        OSError
            Where the system tells a process of its own limits alone.
        """
        why = self._system.lacks(LIMITS_OF_OTHERS)
        if why:
            raise OSError(why)
        return self._system.cpu_limits()
