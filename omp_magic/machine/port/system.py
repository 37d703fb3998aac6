"""What a system is asked: one set of questions, which a file a system answers, and the tests' own.

`System` tells of a process, of its threads and CPUs; `Native` are calls into the running process
itself, which change nothing in it. What a system does not tell is an `OSError` whose text is the
reason, for a `Gap`; where a whole part of it is not told, `System.lacks` has the reason
beforehand, so that nobody asks which system it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from ...formats.procfs import Segments
from .cpusystem import CpuSystem
from .descendants import Descendants
from .native import Native, Starts, Variables
from .rows import Memory, MemoryUse, ProcessMap, ThreadRow


class System(CpuSystem, Descendants, Protocol):
    """What the operating system tells of one process."""

    long_bytes: int
    """Size of C's ``long``."""

    def native(self) -> Native:
        """Give calls into the running process.

        Raises
        ------
        OSError
            When it is not the running process, or its C library lacks a function.
        """

    def process_map(self, process: int | None = None) -> ProcessMap:
        """Give what is mapped, in this process or in a descendant.

        Raises
        ------
        OSError
            When it cannot be read.
        """

    def ships(self, path: str) -> bool:
        """Tell whether a mapped file is known to be a part of the system itself."""

    def memory(self, process: int | None = None) -> AbstractContextManager[Memory]:
        """Give a reader of memory: an address that is not mapped is an OSError, no crash."""

    def executable(self, process: int | None = None) -> str:
        """Give the program's file, as `process_map` names it; "" when not known."""

    def variables_at_start(self, process: int | None = None) -> dict[str, str]:
        """Give the environment that the process, or a descendant, was started with.

        Raises
        ------
        OSError
            When the system does not keep it, the process has ended, or may not be read.
        """

    def variables(self) -> Variables:
        """Give the C environment as a whole.

        Raises
        ------
        OSError
            When the C library does not show it.
        """

    def published(self, name: str) -> Iterator[str]:
        """Give the texts that a process left for others under a name.

        Wherever runtimes leave such: a C variable, shared memory, a file for temporary ones.
        """

    def num_threads(self) -> int:
        """Count the threads.

        Raises
        ------
        OSError, ParseError
            When the system does not tell.
        """

    def thread_counter(self) -> Callable[[], int]:
        """Give the cheapest way to count the threads again; it raises as `num_threads`."""

    def thread_ids(self) -> tuple[int, ...]:
        """Give the threads' ids; () when they cannot be listed."""

    def thread_name(self, tid: int) -> str:
        """Give the system's name for a thread.

        Raises
        ------
        OSError
            When it has ended.
        """

    def has_thread(self, tid: int) -> bool:
        """Tell whether a thread of the process still lives."""

    def threads(self) -> tuple[ThreadRow, ...]:
        """List the threads; one that ends meanwhile is left out.

        Raises
        ------
        OSError
            When they cannot be listed.
        """

    def clocks(self, left_out: Collection[int] = ()) -> dict[int, int]:
        """Give the CPU time of each thread in ns by its tid.

        Raises
        ------
        OSError
            When they cannot be listed.
        """

    def clock(self, tid: int) -> int:
        """Give the CPU time of one thread in ns, with the GIL held.

        Raises
        ------
        OSError
            When it has ended.
        """

    def clock_reader(self) -> Callable[[], dict[int, int]]:
        """Give the cheapest way to read all clocks again and again; it raises as `clocks`."""

    def starts(
        self, native: Native | None, process: int | None = None, home: Segments | None = None
    ) -> Starts:
        """Give who finds where the threads of a process began.

        Parameters
        ----------
        native
            Calls into the running process.
        process
            Another process; None for this one.
        home
            The memory of this process, needed to find things in another.
        """

    def size_mark(self, process: int | None = None) -> str:
        """Give what changes when more is mapped; "" where nothing tells.

        Raises
        ------
        OSError
            When the process has ended, or may not be read.
        """

    def code_map(self) -> tuple[object, Segments]:
        """Give what is equal as long as the same code is mapped, and which file lies where.

        For a thread of ours that looks while others run: no function of the loader is called that
        may wait for its lock with the GIL held.

        Raises
        ------
        OSError
            When it cannot be read.
        """

    def cpu_s(self, process: int | None = None) -> float:
        """Give the CPU time of the process or of a descendant; raises as `num_threads`."""

    def rss_bytes(self) -> int:
        """Give the resident memory (the working set).

        Raises
        ------
        OSError, ParseError
            When it cannot be read.
        """

    def peak_rss_bytes(self) -> int:
        """Give the largest resident memory since it began, or was reset; raises as `rss_bytes`."""

    def reset_peak_rss(self) -> None:
        """Let `peak_rss_bytes` begin anew, for everybody who asks; raises as `rss_bytes`."""

    def memory_use(self, process: int | None = None, *, shared: bool = True) -> MemoryUse:
        """Give the memory of this process or of a descendant.

        Parameters
        ----------
        process
            A descendant; this process when None.
        shared
            Whether to ask for `MemoryUse.pss_bytes`, for which the kernel walks all its pages.

        Raises
        ------
        OSError
            When the process has ended, or may not be read.
        """

    def machine_memory(self) -> tuple[int, int | None]:
        """Give (memory of the machine, what of it is available; None when not told) in bytes.

        Raises
        ------
        OSError, ParseError
            When the system does not tell.
        """

    def machine_cpu_s(self) -> float:
        """Give the CPU time that all processes of the machine have used.

        Raises
        ------
        OSError, ParseError
            When the system does not tell.
        """
