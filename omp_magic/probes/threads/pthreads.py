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
from dataclasses import dataclass

from ...formats.procfs import Segments, parse_syscall
from ...machine import Machine
from ...machine.native import Native

Memory = Callable[[int, int], bytes]
"""Reads (address, size in bytes); raises OSError."""

C_LIBRARY = re.compile(r"(ld|ld64|ld-.*|libc|libc-.*|libpthread|libpthread-.*)\.so")

_MOST_NODES = 100_000
_STACK_BYTES = 65536
# In glibc 2.17 to 2.40 on x86_64: where tid lies, and the span start_routine is looked for in.
_TID_OFFSET = 720
_START_SPAN = (736, 2368)


@dataclass(frozen=True, slots=True)
class ThreadList:
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
    def of(cls, native: Native, memory: Memory) -> ThreadList | None:
        """Read it from the running process's C library; None where it does not tell.

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
        base = native.global_symbol("_rtld_global")
        offsets = []
        for name, size in wanted:
            address = native.global_symbol(f"_thread_db_{name}")
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


def start_of_sleeping(
    machine: Machine, process: str, tid: int, memory: Memory, segments: Segments
) -> tuple[int, int] | None:
    """Give (start routine, argument) of a thread by its stack pointer; None while it runs.

    Parameters
    ----------
    machine
        The machine to read.
    process
        The process's folder below ``/proc``.
    tid
        The thread.
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
    pointer = parse_syscall(machine.read(f"/proc/{process}/task/{tid}/syscall"))
    if pointer is None:
        return None
    top = _above(memory, pointer, tid)
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
