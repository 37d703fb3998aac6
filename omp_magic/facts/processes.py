"""The facts about what runs: OS threads and child processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One OS thread of this process.

    Parameters
    ----------
    tid
        Thread id of the kernel.
    name, state
        The kernel's name for it, which pool workers inherit, and its letter of proc(5).
    cpu_s
        CPU time used so far, user and system, in seconds.
    python_name
        Name of the Python thread it runs, or None for a native thread.
    owner
        Who started it, for people: ``"OpenBLAS (numpy)"``; None when that is not known.
    owner_path
        File of the runtime or library that owns it; None for Python threads and when not known.
    """

    tid: int
    name: str
    state: str
    cpu_s: float
    python_name: str | None = None
    owner: str | None = None
    owner_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadOwner:
    """A file whose code started OS threads that live now, known or not to any table.

    Parameters
    ----------
    path
        The library or extension module, as the kernel names it.
    package
        Distribution that shipped it; None when none lists it.
    num_threads
        Its threads that live now; the thread that calls it is none of them.
    """

    path: str
    package: str | None
    num_threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonThreads:
    """The Python threads that live, the main thread among them.

    Parameters
    ----------
    alive
        How many there are; those of the kernel and of omp_magic are counted too.
    of_executors
        Those that belong to a ThreadPoolExecutor.
    """

    alive: int
    of_executors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A child process that has an OpenMP or BLAS runtime mapped: a worker.

    Parameters
    ----------
    pid
        The process.
    command
        The start of its command line.
    forked
        Whether it goes on in the memory of this process, without an exec of its own.
    num_os_threads
        OS threads it has.
    pool_threads
        Threads of its largest pool, the calling thread included; None when unreadable.
    runtimes
        File names of the runtimes mapped in it.
    helper
        What it serves as, where it is no worker: ``"resource tracker"``, ``"fork server"``; or "".
    """

    pid: int
    command: str
    forked: bool
    num_os_threads: int
    pool_threads: int | None
    runtimes: tuple[str, ...]
    helper: str = ""
