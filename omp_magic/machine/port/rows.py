"""What the answers of a system are made of: frozen values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...formats.procfs import Mapped, Segments

CGROUPS = "cgroups"
TASK_LIMITS = "limits on threads"
WAITING = "time spent waiting for a CPU"
CHILDREN = "child processes"
THREAD_OWNERS = "owners of threads"
THREAD_CLOCKS = "clocks of threads"
THREAD_NAMES = "names of threads"
FORKS = "forks"
AFFINITY = "CPU affinity"
SHARED_MEMORY = "shares of memory"
"""What `System.lacks` is asked for."""
THERE_IS_NONE = "there is none on this system"
"""A reason that leaves nothing unknown."""
ENDED_MEANWHILE = "ended while it was looked at"
"""How a note of `System.descendants` ends that is about a process that is no more."""

Memory = Callable[[int, int], bytes]
"""Reads (address, size in bytes); raises OSError."""
Symbols = tuple["int | None", ...]
"""Addresses, None for each that is not there."""


@dataclass(frozen=True, slots=True)
class ProcessMap:
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


@dataclass(frozen=True, slots=True)
class MemoryUse:
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


@dataclass(frozen=True, slots=True)
class ThreadRow:
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


@dataclass(frozen=True, slots=True)
class Process:
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


@dataclass(frozen=True, slots=True)
class Cores:
    """The CPUs of the machine.

    Parameters
    ----------
    online, offline
        Logical CPUs; `offline` is 0 where that is not known.
    physical
        Cores; None where that is not known.
    kinds
        Of cores that are not alike, (their name, logical CPUs) the fastest first, as
        ``(("performance", 8), ("efficiency", 4))``; () where all are alike.
    file, told_by
        What told the number online: a file or "", and in words.
    physical_told_by
        What told the cores.
    """

    online: int
    offline: int = 0
    physical: int | None = None
    kinds: tuple[tuple[str, int], ...] = ()
    file: str = ""
    told_by: str = ""
    physical_told_by: str = ""


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """A limit on the CPUs of a process that is no cgroup's.

    Parameters
    ----------
    source
        ``"job object"``, ``"taskpolicy"``.
    cpus
        CPUs that it allows.
    detail
        The text behind it.
    lowers
        Whether it lowers what a pool should use; `reason` says why not.
    is_quota
        Whether it is a share of time, not a set of CPUs.
    """

    source: str
    cpus: float
    detail: str = ""
    lowers: bool = True
    reason: str = ""
    is_quota: bool = False
