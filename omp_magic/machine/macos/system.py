"""macOS' answers to the questions of `port`, told by libSystem alone.

Everything is asked passively: the kernel copies memory, dyld reads its own list, and what is told
of other processes needs no right to them. Sources are Apple's: xnu-11417, dyld-1378,
libpthread-539, Libc-1725. What macOS does not tell is an OSError, or a reason of `lacks`.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.procargs import parse_procargs
from ...formats.procfs import Segments
from ..port.cpurows import AFFINITY, CGROUPS, THERE_IS_NONE, Cores, CpuLimit
from ..port.native import Native, Relatives, Starts, Variables
from ..port.rows import (
    SHARED_MEMORY,
    TASK_LIMITS,
    WAITING,
    Memory,
    MemoryUse,
    Process,
    ProcessMap,
    ThreadRow,
)
from . import cpus, processes, threads
from .calls import Calls
from .images import Images
from .layouts import MACH_TASK_BASIC_INFO, MachTaskBasicInfo
from .maps import code_of, other_map, own_map
from .native import MacNative
from .shared import published
from .variables import MacEnvironment

if TYPE_CHECKING:
    from ..port.door import Door

_LACKS = {
    CGROUPS: "macOS has no cgroups",
    # RLIMIT_NPROC counts processes there; a process may have thousands of threads
    # (bsd/kern/kern_sysctl.c, kern.num_taskthreads).
    TASK_LIMITS: THERE_IS_NONE,
    AFFINITY: THERE_IS_NONE,
    SHARED_MEMORY: "macOS does not tell who shares which memory",
    WAITING: "macOS tells how long the threads of a whole process waited, not each of them",
}
_NOT_OTHERS = "macOS gives the memory of another process to debuggers alone"


class MacSystem:
    """See `port.System`.

    Parameters
    ----------
    machine
        This process.
    library
        The library that has libSystem's functions; libSystem itself when None.

    Raises
    ------
    OSError
        When the functions are not there.
    """

    name = "macos"
    long_bytes = 8  # LP64

    def __init__(self, machine: Door, library: ctypes.PyDLL | None = None) -> None:
        self._machine = machine
        self._pid = machine.pid
        self._library = library
        self._calls = Calls(library)
        self._images = Images(self._calls)
        self._code: tuple[tuple[int, int], Segments] | None = None

    def lacks(self, what: str) -> str:
        """See `port.System.lacks`."""
        return _LACKS.get(what, "")

    def native(self) -> Native:
        """See `port.System.native`."""
        if not self._machine.live:
            raise OSError("this is not the running process")
        return MacNative(self._library)

    def process_map(self, process: int | None = None) -> ProcessMap:
        """Give dyld's images, or the files mapped in another process of the same user."""
        if process is None:
            return own_map(self._calls, self._pid, self._images.listed())
        return other_map(self._calls, process)

    def ships(self, path: str) -> bool:
        """Tell whether a path is in dyld's shared cache or of the sealed system volume."""
        return path.startswith(("/System/", "/usr/lib/"))

    @contextmanager
    def memory(self, process: int | None = None) -> Iterator[Memory]:
        """Give a reader of this process's memory.

        Raises
        ------
        OSError
            For another process: its task port is for debuggers (task_for_pid needs an entitlement
            or root, and may block; giampaolo/psutil#2885).
        """
        if process is not None:
            raise OSError(_NOT_OTHERS)
        yield self._calls.read

    def executable(self, process: int | None = None) -> str:
        """See `port.System.executable`: the first image; "" of another process."""
        return self._images.program() if process is None else ""

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        """Give the environment as exec left it; a program may have written over it."""
        try:
            return dict(parse_procargs(self._calls.arguments(process or self._pid)).environ)
        except ParseError as error:
            raise OSError(str(error)) from error

    def variables(self) -> Variables:
        """See `port.System.variables`."""
        return MacEnvironment(self._calls)

    def published(self, name: str) -> Iterator[str]:
        """See `port.System.published` and `shared`."""
        return published(self._calls, self._machine, name)

    def num_threads(self) -> int:
        """See `port.System.num_threads`."""
        return threads.num_threads(self._calls, self._pid)

    def thread_counter(self) -> Callable[[], int]:
        """See `port.System.thread_counter`."""
        return self.num_threads

    def thread_ids(self) -> tuple[int, ...]:
        """See `port.System.thread_ids`."""
        try:
            return threads.tids(self._calls, self._pid)
        except OSError:
            return ()

    def thread_name(self, tid: int) -> str:
        """See `port.System.thread_name`."""
        return threads.name_of(threads.one(self._calls, self._pid, tid))

    def has_thread(self, tid: int) -> bool:
        """See `port.System.has_thread`."""
        try:
            threads.one(self._calls, self._pid, tid)
        except OSError:
            return False
        return True

    def threads(self) -> tuple[ThreadRow, ...]:
        """See `port.System.threads`."""
        return threads.rows(self._calls, self._pid)

    def clocks(self, left_out: Collection[int] = ()) -> dict[int, int]:
        """See `port.System.clocks`."""
        return threads.clocks(self._calls, self._pid, left_out)

    def clock(self, tid: int) -> int:
        """See `port.System.clock`."""
        return threads.clock_ns(threads.one(self._calls, self._pid, tid))

    def clock_reader(self) -> Callable[[], dict[int, int]]:
        """See `port.System.clock_reader`."""
        return self.clocks

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        """Give who finds where threads began: libpthread keeps it in this process's memory."""
        del native, home
        return threads.MacStarts(self._calls, self._pid, process)

    def has_child(self) -> bool:
        """See `port.System.has_child`."""
        try:
            return bool(self._calls.children(self._pid))
        except OSError:
            return True

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        """See `port.System.descendants`: libproc tells nothing of those that have ended."""
        del ended
        return processes.descendants(self._calls, self._pid, notes)

    def relatives(self) -> Relatives:
        """See `port.System.relatives`."""
        return processes.MacRelatives(self._calls, self._pid)

    def command(self, process: int) -> str:
        """See `port.System.command`."""
        return processes.command(self._calls, process)

    def size_mark(self, process: int | None = None) -> str:
        """Give dyld's counts of this process, and the size of another's memory."""
        if process is None:
            changes = self._images.changes()
            return "" if changes is None else str(changes)
        return str(processes.size_bytes(self._calls, process))

    def code_map(self) -> tuple[object, Segments]:
        """See `port.System.code_map`: what dyld keeps for debuggers needs none of its locks."""
        changes = self._images.changes()
        if self._code is not None and changes in (None, self._code[0]):
            return self._code  # None while dyld writes: the next look will see what
        if changes is None:
            raise OSError("dyld does not tell when it last loaded something")
        self._code = changes, code_of(self._images.without_lock())
        return self._code

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        """Give None: macOS has no affinity that keeps a thread from a CPU (see `cpus`)."""
        del process
        return None

    def cores(self) -> Cores:
        """See `port.System.cores`."""
        return cpus.cores(self._calls)

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        """Give the efficiency cores when the process is in the background."""
        return cpus.limits(self._calls, self._pid)

    def notes(self, *, quota: bool) -> tuple[str, ...]:
        """Tell of Rosetta, a QoS clamp and App Nap."""
        del quota
        return cpus.notes(self._calls, self._pid)

    def cpu_s(self, process: int | None = None) -> float:
        """Ask Python: clock_gettime(CLOCK_PROCESS_CPUTIME_ID); libproc for another process."""
        return time.process_time() if process is None else processes.cpu_s(self._calls, process)

    def age_s(self, process: Process) -> float:
        """See `port.System.age_s`."""
        return processes.age_s(process)

    def rss_bytes(self) -> int:
        """See `port.System.rss_bytes`."""
        return int(self._calls.task(MACH_TASK_BASIC_INFO, MachTaskBasicInfo).resident_size)

    def peak_rss_bytes(self) -> int:
        """See `port.System.peak_rss_bytes`."""
        return int(self._calls.task(MACH_TASK_BASIC_INFO, MachTaskBasicInfo).resident_size_max)

    def reset_peak_rss(self) -> None:
        """See `port.System.reset_peak_rss`."""
        raise OSError("macOS keeps the peak of a process for its whole life")

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        """Give the resident memory; see `port.System.memory_use`."""
        del shared
        if process is None:
            return MemoryUse(self.rss_bytes())
        return MemoryUse(processes.resident_bytes(self._calls, process))

    def machine_memory(self) -> tuple[int, int | None]:
        """Give hw.memsize; what is available is a matter of opinion there, and not told."""
        return self._calls.number("hw.memsize"), None

    def machine_cpu_s(self) -> float:
        """See `port.System.machine_cpu_s`."""
        raise OSError("on macOS the CPU time of other processes is not asked for")
