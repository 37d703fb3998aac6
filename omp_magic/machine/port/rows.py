"""What the answers of a system are made of: frozen values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...formats.procfs import Mapped, Segments

TASK_LIMITS = "limits on threads"
WAITING = "time spent waiting for a CPU"
CHILDREN = "child processes"
THREAD_OWNERS = "owners of threads"
THREAD_CLOCKS = "clocks of threads"
THREAD_NAMES = "names of threads"
FORKS = "forks"
SHARED_MEMORY = "shares of memory"
"""What `System.lacks` is asked for."""
ENDED_MEANWHILE = "ended while it was looked at"
"""How a note of `System.descendants` ends that is about a process that is no more."""

Memory = Callable[[int, int], bytes]
"""Reads (address, size in bytes); raises OSError."""
Symbols = tuple["int | None", ...]
"""Addresses, None for each that is not there."""


class ProcessMap(NamedTuple):
    """What is mapped in a process.

    Parameters
    ----------
    mapped
        The files; paths are absolute, with ``/`` between their parts on every system.
    segments
        Which of them lies at an address.
    """

    mapped: tuple[Mapped, ...]
    segments: Segments


class MemoryUse(NamedTuple):
    """The memory of one process.

    Parameters
    ----------
    rss_bytes
        Resident memory: what it shares with others is counted in each of them.
    pss_bytes
        The same with each shared page divided by those who share it, so that the sum over
        processes is what they use together; None when it was not asked for, or is not told.
    """

    rss_bytes: int
    pss_bytes: int | None = None


class ThreadRow(NamedTuple):
    """One thread, as its system lists it.

    Parameters
    ----------
    tid
        As `threading.get_native_id` gives it.
    name, state
        Its name, and its letter of proc(5) ("R": it runs or would); "" where it has none.
    cpu_s
        CPU time so far, user and system; None when that is not told.
    """

    tid: int
    name: str = ""
    state: str = ""
    cpu_s: float | None = None


class Process(NamedTuple):
    """A process that descends from the one that is looked at.

    Parameters
    ----------
    pid, parent
        Its number, and that of who started it.
    command
        The start of its command line, or its program's name.
    num_threads
        Threads that it has.
    started
        What tells it from a later process of the same number.
    forked
        Whether it goes on in the memory of its parent, without a program of its own.
    ended
        Whether it has ended, and its parent has not waited for it yet.
    kernel
        Whether it is a thread of the kernel, without memory or a program.
    """

    pid: int
    parent: int
    command: str
    num_threads: int
    started: int
    forked: bool = False
    ended: bool = False
    kernel: bool = False
