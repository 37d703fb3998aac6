"""Where the C library keeps each thread's `struct pthread`, found without touching the thread.

The structure lies at the top of the thread's stack and holds the function that the thread was
started with and its argument (nptl/descr.h: list, tid, start_routine, arg). Two ways lead there:

* Since 2.34 glibc lists the threads in ld.so's data and exports where each field lies, as
  ``_thread_db_…``, for debuggers (nptl_db/structs.def). The list is complete, threads that are
  running included, and a new thread is put at its front, so that looking it up is one step.
* Before, on x86_64, /proc/PID/task/TID/syscall gives a sleeping thread's stack pointer, and the
  structure is the first thing above it that points to itself twice and holds the thread's id.

Elsewhere (musl, glibc before 2.34 on other machines) a thread's start is not known.

Memory is read through /proc/PID/mem, so what changes meanwhile gives an error or a thread that
does not match, never a crash.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...errors import ParseError
from ...formats.procfs import Segments
from ...formats.syscalls import parse_syscall
from ..port.native import Native
from ..port.rows import Memory
from .namespaces import own_numbers
from .symbols import FileSymbols, mapped_of

if TYPE_CHECKING:
    from ..port.door import Door

C_LIBRARY = re.compile(r"(ld|ld64|ld-.*|libc|libc-.*|libpthread|libpthread-.*)\.so")

_MOST_NODES = 100_000
_STACK_BYTES = 65536
# In glibc 2.17 to 2.40 on x86_64: where tid lies, and the span start_routine is looked for in.
_TID_OFFSET = 720
_START_SPAN = (736, 2368)


class ThreadList(NamedTuple):
    """Where glibc keeps its threads, and where the fields lie that are read.

    Parameters
    ----------
    heads
        Addresses of the lists' heads: threads on stacks of glibc's, and on others.
    tid, start
        Offsets of tid and start_routine from the list's field.
    """

    heads: tuple[int, int]
    tid: int
    start: int

    @classmethod
    def of(cls, symbol: Callable[[str], int | None], memory: Memory) -> ThreadList | None:
        """Read it from a process's C library; None where it does not tell.

        Parameters
        ----------
        symbol
            Gives the address of a symbol of the C library or of its loader.
        memory
            The process's memory.

        Raises
        ------
        OSError
            When the memory cannot be read.
        """
        wanted = (
            ("pthread_list", 16),
            ("pthread_tid", 4),
            ("pthread_start_routine", 8),
            ("list_t_next", 8),
            ("rtld_global__dl_stack_used", 16),
            ("rtld_global__dl_stack_user", 16),
        )
        base = symbol("_rtld_global")
        offsets = []
        for name, size in wanted:
            address = symbol(f"_thread_db_{name}")
            if base is None or address is None:
                return None
            # Size in bits, number of elements, offset: nptl_db/thread_dbP.h.
            bits, _, offset = struct.unpack("=3I", memory(address, 12))
            if bits != size * 8:
                return None
            offsets.append(offset)
        links, tid, start, following, used, user = offsets
        if base is None or following or not links < tid < start:
            return None
        return cls((base + used, base + user), tid - links, start - links)

    def find(
        self, memory: Memory, wanted: set[int], moved: Callable[[int], int | None]
    ) -> dict[int, tuple[int, int]]:
        """Give (start routine, argument) of the wanted threads, as far as they are listed."""
        found: dict[int, tuple[int, int]] = {}
        for head in map(moved, self.heads):
            if head is None:
                continue
            try:
                (at,) = struct.unpack("=Q", memory(head, 8))
                for _ in range(_MOST_NODES):
                    if at in (head, 0) or len(found) == len(wanted):
                        break
                    # One read a thread: next, tid, start_routine and, after it, arg.
                    data = memory(at, self.start + 16)
                    (at,) = struct.unpack_from("=Q", data)
                    (tid,) = struct.unpack_from("=I", data, self.tid)
                    if tid in wanted:
                        found[tid] = struct.unpack_from("=QQ", data, self.start)
            except (OSError, struct.error):
                continue  # The list changed under our eyes; what was found was right.
        return found


class PthreadStarts:
    """Where the threads of a process began; see `port.Starts`.

    Parameters
    ----------
    machine
        The machine to read.
    native
        Calls into the running process.
    process
        Another process, which must be allowed by ptrace(2); this one when None.
    home
        Files of this process's memory; needed with `process` and `native`, to find the list there.
    """

    def __init__(
        self, machine: Door, native: Native | None, process: int | None, home: Segments | None
    ) -> None:
        self._machine = machine
        self._native = native
        self._process = process
        self._home = home
        self._main = machine.pid if process is None else process
        self._list: ThreadList | None = None
        self._asked = False

    @property
    def main(self) -> int:
        """The first thread has the process's number."""
        return self._main

    def settle(self) -> None:
        """Ask the C library where it keeps its threads: the one step that looks symbols up."""
        if not self._asked and self._native is not None:
            with self._machine.memory() as own:
                self._list = ThreadList.of(self._native.global_symbol, own)
            self._asked = True
        elif not self._asked and self._machine.runs and not self._machine.live:
            self._list = self._list_by_files()
            self._asked = True

    def _list_by_files(self) -> ThreadList | None:
        """Find it by the files of another process's C library, which may be another than ours."""
        text = self._machine.read(f"/proc/{self._process or 'self'}/maps")
        symbols = FileSymbols(self._machine, mapped_of(text, C_LIBRARY))
        with self._machine.memory(self._process) as memory:
            return ThreadList.of(lambda name: symbols.address(name, C_LIBRARY), memory)

    def listed(self) -> list[tuple[str, int]]:
        """List /proc/PID/task: a thread is told from a later one of its tid by the folder's inode.

        The kernel gives each the next number (get_next_ino in fs/inode.c). A folder that it has
        dropped from its cache gets a new number too; its thread is then looked at again. 12 us
        for 13 threads.
        """
        return self._machine.entries(f"/proc/{self._process or 'self'}/task")

    def find(self, wanted: set[int], segments: Segments) -> dict[int, tuple[int, int] | None]:
        """See `port.Starts.find`."""
        if struct.calcsize("P") != 8:
            raise OSError("the stacks of 32-bit processes are not read")
        with self._machine.memory(self._process) as memory:
            self.settle()
            inner = own_numbers(self._machine, self._process, wanted)
            if self._list is None:
                return self._find_asleep(inner, segments, memory)
            found = self._list.find(memory, set(inner.values()), self._moved(segments))
            return {tid: found[own] for tid, own in inner.items() if own in found}

    def _moved(self, segments: Segments) -> Callable[[int], int | None]:
        if self._process is None or self._native is None:
            return lambda address: address
        return lambda address: self._home.moved(address, segments) if self._home else None

    def _find_asleep(
        self, inner: dict[int, int], segments: Segments, memory: Memory
    ) -> dict[int, tuple[int, int] | None]:
        found: dict[int, tuple[int, int] | None] = {}
        who = str(self._process or "self")
        for tid, own in inner.items():
            try:
                call = f"/proc/{who}/task/{tid}/syscall"
                found[tid] = start_of_sleeping(self._machine, call, own, memory, segments)
            except ProcessLookupError:
                found[tid] = None
            except LookupError:
                continue
            except ParseError as error:
                raise OSError(str(error)) from error
        return found


def start_of_sleeping(
    machine: Door, call: str, tid: int, memory: Memory, segments: Segments
) -> tuple[int, int] | None:
    """Give (start routine, argument) of a thread by its stack pointer; None while it runs.

    Parameters
    ----------
    machine
        The machine to read.
    call
        Its file of /proc that tells of its system call and stack pointer.
    tid
        The thread, as its process knows it.
    memory
        The process's memory.
    segments
        Files of that memory.

    Raises
    ------
    LookupError
        When no `struct pthread` is found above the stack pointer.
    OSError, ParseError
        When the stack pointer cannot be read; `ProcessLookupError` when the thread has ended.
    """
    if os.uname().machine != "x86_64" or sys.byteorder != "little":
        raise OSError("this C library does not tell where it keeps its threads")
    waiting = parse_syscall(machine.read(call))
    if waiting is None:
        return None
    top = _above(memory, waiting.stack_pointer, tid)
    number = max(0, len(top) - _START_SPAN[0]) // 8
    words = struct.unpack_from(f"={number}Q", top, _START_SPAN[0]) if number else ()
    for at, word in enumerate(words[:-1]):
        path = segments.file_at(word, code=True)
        if path is not None and not C_LIBRARY.match(os.path.basename(path)):
            return word, words[at + 1]
    raise LookupError(tid)


def _above(memory: Memory, pointer: int, tid: int) -> bytes:
    """Give the `struct pthread` above a stack pointer; b"" when there is none in reach."""
    try:
        data = memory(pointer, _STACK_BYTES)
    except OSError:
        return b""
    wanted = struct.pack("=I", tid)
    found = data.find(wanted, _TID_OFFSET)
    while found >= 0:
        at = found - _TID_OFFSET
        if not (pointer + at) % 16 and len(data) >= at + 24:
            first, _, third = struct.unpack_from("=3Q", data, at)
            if first == third == pointer + at:
                return data[at : at + _START_SPAN[1]]
        found = data.find(wanted, found + 1)
    return b""
