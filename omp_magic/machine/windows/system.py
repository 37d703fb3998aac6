"""Windows: what Win32 tells of this process. Each function's page is at learn.microsoft.com."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...formats.procfs import Mapped, Segments
from ..port.cpurows import CGROUPS, THERE_IS_NONE, Cores, CpuLimit
from ..port.native import Native, Relatives, Starts, Variables
from ..port.others import LIMITS_OF_OTHERS
from ..port.rows import (
    FORKS,
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
from .calls import calls, failed
from .modules import Module, loaded_modules, opened, reader
from .native import own_native
from .variables import EnvironmentBlock

if TYPE_CHECKING:
    from ..port.door import Door

_LACKS = {
    CGROUPS: "Windows has no cgroups",
    TASK_LIMITS: THERE_IS_NONE,
    WAITING: "Windows does not tell how long a thread waited",
    FORKS: "Windows has no fork",
    SHARED_MEMORY: "Windows does not tell who shares which memory",
    LIMITS_OF_OTHERS: "Windows tells a process of its own job object alone",
}


class _Sizes(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of psapi.h."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("faults", ctypes.c_uint32),
        ("peak", ctypes.c_size_t),
        ("resident", ctypes.c_size_t),
        *((f"more_{index}", ctypes.c_size_t) for index in range(6)),
    )


class _Status(ctypes.Structure):
    """MEMORYSTATUSEX of sysinfoapi.h."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("available", ctypes.c_uint64),
        *((f"more_{index}", ctypes.c_uint64) for index in range(5)),
    )


class WindowsSystem:
    """See `port.System`.

    Parameters
    ----------
    machine
        The process.
    """

    name = "windows"
    long_bytes = 4  # LLP64

    def __init__(self, machine: Door) -> None:
        self._pid = machine.pid
        self._folder = ""

    def lacks(self, what: str) -> str:
        """See `port.System.lacks`."""
        return _LACKS.get(what, "")

    def native(self) -> Native:
        """See `port.System.native`."""
        return own_native()

    def process_map(self, process: int | None = None) -> ProcessMap:
        """List the modules; see `modules`."""
        return _as_map(loaded_modules(process))

    def ships(self, path: str) -> bool:
        """Tell whether a file is in Windows' own folder."""
        if not self._folder:
            buffer = ctypes.create_unicode_buffer(_LONGEST_FOLDER)
            calls().GetSystemWindowsDirectoryW(buffer, len(buffer))
            self._folder = (buffer.value or "C:\\Windows").replace("\\", "/").lower() + "/"
        return path.lower().startswith(self._folder)

    @contextmanager
    def memory(self, process: int | None = None) -> Iterator[Memory]:
        """See `port.System.memory`."""
        with opened(process) as handle:
            yield reader(handle)

    def executable(self, process: int | None = None) -> str:
        """See `port.System.executable`: the first module."""
        return next((each.path for each in loaded_modules(process)), "")

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        """See `port.System.variables_at_start`."""
        del process
        raise OSError("Windows does not keep it")

    def variables(self) -> Variables:
        """See `port.System.variables`."""
        return EnvironmentBlock()

    def published(self, name: str) -> Iterator[str]:
        """See `port.System.published`: on Windows variables alone are used."""
        del name
        yield from ()

    def num_threads(self) -> int:
        """See `port.System.num_threads`."""
        return len(threads.thread_ids(self._pid))

    def thread_counter(self) -> Callable[[], int]:
        """See `port.System.thread_counter`."""
        return self.num_threads

    def thread_ids(self) -> tuple[int, ...]:
        """See `port.System.thread_ids`."""
        try:
            return threads.thread_ids(self._pid)
        except OSError:
            return ()

    def thread_name(self, tid: int) -> str:
        """See `port.System.thread_name`."""
        return threads.thread_name(tid)

    def has_thread(self, tid: int) -> bool:
        """See `port.System.has_thread`."""
        return threads.is_alive(tid)

    def threads(self) -> tuple[ThreadRow, ...]:
        """See `port.System.threads`."""
        return threads.thread_rows(self._pid)

    def clocks(self, left_out: Collection[int] = ()) -> dict[int, int]:
        """See `port.System.clocks`."""
        return threads.clocks(self._pid, left_out)

    def clock(self, tid: int) -> int:
        """See `port.System.clock`."""
        return threads.thread_clock(tid)[1]

    def clock_reader(self) -> Callable[[], dict[int, int]]:
        """See `port.System.clock_reader`."""
        return self.clocks

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        """See `port.System.starts`."""
        del native, home
        return threads.WindowsStarts(process or self._pid, own=process is None)

    def has_child(self) -> bool:
        """See `port.System.has_child`: only the list of all processes tells it."""
        return True

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        """See `port.System.descendants`: what has ended is in no list."""
        del notes, ended
        return processes.descendants(self._pid)

    def relatives(self) -> Relatives:
        """See `port.System.relatives`."""
        return processes.WindowsRelatives(self._pid)

    def command(self, process: int) -> str:
        """See `port.System.command`."""
        return processes.command_line(process)

    def size_mark(self, process: int | None = None) -> str:
        """Give what the loader has counted in this process; see `port.System.size_mark`."""
        return "" if process is not None else str(self.native().loader_changes())

    def code_map(self) -> tuple[object, Segments]:
        """See `port.System.code_map`: modules are listed without the loader's lock."""
        modules = loaded_modules()
        return modules, _as_map(modules).segments

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        """See `port.System.affinity`."""
        with opened(process, processes.QUERY_PROCESS) as handle:
            return cpus.affinity(handle)

    def cores(self) -> Cores:
        """See `port.System.cores`."""
        return cpus.cores()

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        """See `port.System.cpu_limits`."""
        return cpus.cpu_limits(cpus.cores().online)

    def notes(self, *, quota: bool) -> tuple[str, ...]:
        """See `port.System.notes`."""
        del quota
        return ()

    def cpu_s(self, process: int | None = None) -> float:
        """See `port.System.cpu_s`."""
        return processes.cpu_s_of(process)

    def age_s(self, process: Process) -> float:
        """See `port.System.age_s`."""
        return processes.age_s(process)

    def rss_bytes(self) -> int:
        """Give the working set; see `port.System.rss_bytes`."""
        return self.memory_use().rss_bytes

    def peak_rss_bytes(self) -> int:
        """Give its peak; see `port.System.peak_rss_bytes`."""
        return int(_sizes(None).peak)

    def reset_peak_rss(self) -> None:
        """See `port.System.reset_peak_rss`."""
        raise OSError("Windows keeps the peak of a process for its whole life")

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        """Give the working set; see `port.System.memory_use`."""
        del shared
        return MemoryUse(int(_sizes(process).resident))

    def machine_memory(self) -> tuple[int, int | None]:
        """Ask GlobalMemoryStatusEx; see `port.System.machine_memory`."""
        status = _Status(size=ctypes.sizeof(_Status))
        if not calls().GlobalMemoryStatusEx(ctypes.byref(status)):
            raise failed("GlobalMemoryStatusEx")
        return int(status.total), int(status.available)

    def machine_cpu_s(self) -> float:
        """Ask GetSystemTimes, whose kernel time has the idle time in it."""
        idle, kernel, user = (ctypes.c_uint64() for _ in range(3))
        if not calls().GetSystemTimes(*map(ctypes.byref, (idle, kernel, user))):
            raise failed("GetSystemTimes")
        return (kernel.value + user.value - idle.value) * threads.HUNDREDS_OF_NS / 1e9


_LONGEST_FOLDER = 1024


def _sizes(process: int | None) -> _Sizes:
    sizes = _Sizes(size=ctypes.sizeof(_Sizes))
    with opened(process, processes.QUERY_PROCESS) as handle:
        if not calls().K32GetProcessMemoryInfo(handle, ctypes.byref(sizes), ctypes.sizeof(sizes)):
            raise failed("GetProcessMemoryInfo")
    return sizes


def _as_map(modules: tuple[Module, ...]) -> ProcessMap:
    mapped = tuple(Mapped(each.path, "", 0, (each.base,), deleted=False) for each in modules)
    return ProcessMap(mapped, Segments.of_images((m.base, m.size_bytes, m.path) for m in modules))
