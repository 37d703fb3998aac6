"""Linux: what /proc, /sys and the kernel's calls tell. Under another root its files alone."""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from ...errors import ParseError
from ...formats.memoryfiles import parse_meminfo
from ...formats.procfs import Segments, parse_environ, parse_maps, parse_stat
from ..port.native import Native, Relatives, Starts, Variables
from ..port.rows import Memory, MemoryUse, Process, ProcessMap, ThreadRow
from . import clocks, sizes
from .clocks import ThreadClocks, clocks_of
from .cpus import LinuxCpus
from .lineage import descendants_of, has_child
from .pthreads import PthreadStarts
from .relatives import LinuxRelatives
from .units import ticks_per_s
from .yama import refusal

_CODE = re.compile(
    r"^[0-9a-f]+-[0-9a-f]+ ..x. [0-9a-f]+ [0-9a-f]+:[0-9a-f]+ \d+ +"
    r"/(?!memfd:|dev/zero|SYSV|anon_hugepage).*$",
    re.ASCII | re.MULTILINE,
)
"""Lines of /proc/PID/maps with code of a file; code made at run time has none, or such a name."""


class LinuxSystem(LinuxCpus):
    """See `port.System`.

    Parameters
    ----------
    machine
        The door to the files.
    """

    long_bytes = struct.calcsize("l")

    def native(self) -> Native:
        """See `port.System.native`."""
        if not self._machine.live:
            raise OSError("this is not the running process")
        from .native import LinuxNative  # noqa: PLC0415 - ctypes, which files do not need

        return LinuxNative()

    def process_map(self, process: int | None = None) -> ProcessMap:
        """Read /proc/PID/maps; see `port.System.process_map`."""
        text = self._machine.read(f"/proc/{process or 'self'}/maps")
        return ProcessMap(parse_maps(text), Segments(text))

    def ships(self, path: str) -> bool:  # noqa: ARG002 - the port's question
        """See `port.System.ships`: a distribution's libraries lie where anybody's may."""
        return False

    def memory(self, process: int | None = None) -> AbstractContextManager[Memory]:
        """Open /proc/PID/mem, which the rules of ptrace(2) guard; see `port.System.memory`."""
        return _opened_memory(self._machine.path(f"/proc/{process or 'self'}/mem"))

    def executable(self, process: int | None = None) -> str:
        """See `port.System.executable`."""
        link = os.readlink(self._machine.path(f"/proc/{process or 'self'}/exe"))
        return link.removesuffix(" (deleted)")

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        """Read /proc/PID/environ; see `port.System.variables_at_start`."""
        return parse_environ(self._machine.read(f"/proc/{process or 'self'}/environ"))

    def variables(self) -> Variables:
        """See `port.System.variables`."""
        from ..posix.environ import CEnvironment  # noqa: PLC0415 - as above

        return CEnvironment()

    def published(self, name: str) -> Iterator[str]:
        """Read /dev/shm and /tmp, with the user's number behind the name and without."""
        for folder in ("/dev/shm", "/tmp"):  # noqa: S108 - the runtimes' own choice
            for file in (f"{folder}/{name}_{os.getuid()}", f"{folder}/{name}"):
                try:
                    yield self._machine.read(file)
                except OSError:
                    continue

    def num_threads(self) -> int:
        """Read /proc/self/stat; see `port.System.num_threads`."""
        return parse_stat(self._machine.read("/proc/self/stat")).num_threads

    def thread_counter(self) -> Callable[[], int]:
        """See `port.System.thread_counter`.

        The folder's number of links is 2 and the number of threads (proc_task_getattr in the
        kernel's fs/proc/base.c), for a quarter of what reading stat costs. It is believed where
        both agree: another kernel with a /proc may not do so.
        """
        folder = self._machine.path("/proc/self/task")

        def links() -> int:
            return os.stat(folder).st_nlink - 2

        if self._machine.live:
            with suppress(OSError, ParseError):
                if links() == self.num_threads():
                    return links
        return self.num_threads

    def thread_ids(self) -> tuple[int, ...]:
        """List /proc/self/task; see `port.System.thread_ids`."""
        return tuple(map(int, self._machine.folders("/proc/self/task")))

    def thread_name(self, tid: int) -> str:
        """Read comm, which costs 10 us; see `port.System.thread_name`."""
        return self._machine.read(f"/proc/self/task/{tid}/comm").rstrip("\n")

    def has_thread(self, tid: int) -> bool:
        """See `port.System.has_thread`."""
        return os.path.exists(self._machine.path(f"/proc/self/task/{tid}"))

    def threads(self) -> tuple[ThreadRow, ...]:
        """Read /proc/self/task; see `port.System.threads`."""
        per_s = ticks_per_s()
        rows = []
        for folder in self._machine.folders("/proc/self/task"):
            try:
                stat = parse_stat(self._machine.read(f"/proc/self/task/{folder}/stat"))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
            except (OSError, ParseError):
                rows.append(ThreadRow(int(folder)))
                continue
            cpu_s = (stat.user_ticks + stat.system_ticks) / per_s
            rows.append(ThreadRow(int(folder), stat.comm, stat.state, cpu_s))
        return tuple(rows)

    def clocks(self, left_out: Collection[int] = ()) -> dict[int, int]:
        """Ask each thread's own clock; see `clocks`."""
        return clocks_of(self._machine, left_out)

    def clock(self, tid: int) -> int:
        """See `port.System.clock`; 0.5 us."""
        return time.clock_gettime_ns((~tid << 3) | 6)

    def clock_reader(self) -> Callable[[], dict[int, int]]:
        """See `port.System.clock_reader`."""
        return ThreadClocks(self._machine).read

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        """Find them in the C library's own list; see `pthreads`."""
        return PthreadStarts(self._machine, native, process, home)

    def has_child(self) -> bool:
        """Ask waitid(2), 1 us; see `port.System.has_child`."""
        return not self._machine.live or has_child()

    def descendants(self, notes: list[str], *, ended: bool = False) -> tuple[Process, ...]:
        """See `port.System.descendants`."""
        return descendants_of(self._machine, notes, ended=ended)

    def age_s(self, process: Process) -> float:
        """See `port.System.age_s`."""
        return clocks.age_s(self._machine, process)

    def relatives(self) -> Relatives:
        """See `port.System.relatives`."""
        return LinuxRelatives(self._machine)

    def command(self, process: int) -> str:
        """Read /proc/PID/cmdline; see `port.System.command`."""
        return self._machine.read(f"/proc/{process}/cmdline").replace("\0", " ").strip()

    def size_mark(self, process: int | None = None) -> str:
        """Give the size of the address space, which grows with what is loaded."""
        return self._machine.read(f"/proc/{process or 'self'}/statm").partition(" ")[0]

    def code_map(self) -> tuple[object, Segments]:
        """Read /proc/self/maps; see `port.System.code_map`."""
        text = self._machine.read("/proc/self/maps")
        return _CODE.findall(text), Segments(text)

    def cpu_s(self, process: int | None = None) -> float:
        """See `port.System.cpu_s`."""
        return clocks.cpu_s(self._machine, process)

    def rss_bytes(self) -> int:
        """See `port.System.rss_bytes`."""
        return self.memory_use(shared=False).rss_bytes

    def peak_rss_bytes(self) -> int:
        """See `port.System.peak_rss_bytes`."""
        return sizes.peak_rss_bytes(self._machine)

    def reset_peak_rss(self) -> None:
        """See `port.System.reset_peak_rss`."""
        sizes.reset_peak_rss(self._machine)

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        """See `port.System.memory_use`."""
        return sizes.memory_use(self._machine, process, shared=shared)

    def machine_memory(self) -> tuple[int, int | None]:
        """Read /proc/meminfo; see `port.System.machine_memory`."""
        return parse_meminfo(self._machine.read("/proc/meminfo"))

    def machine_cpu_s(self) -> float:
        """See `port.System.machine_cpu_s`."""
        return sizes.machine_cpu_s(self._machine)


@contextmanager
def _opened_memory(path: str) -> Iterator[Memory]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        raise refusal(error) from None
    try:
        yield lambda address, size_bytes: os.pread(handle, size_bytes, address)
    finally:
        os.close(handle)
