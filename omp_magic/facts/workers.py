"""The facts about child processes, looked at from outside, and what they use together."""

from __future__ import annotations

from dataclasses import dataclass

from .memory import MemoryBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRuntime:
    """An OpenMP or BLAS runtime that is mapped in a child process.

    Parameters
    ----------
    family, label
        Its key in the tables, and its name for people.
    path
        Its file, as that process mapped it.
    package
        The distribution that shipped it, with its version; None where none lists it.
    num_threads
        Its threads that live there, the calling one not among them; None when not known.
    replaced
        Whether that process has an older file than lies there now.
    """

    family: str
    label: str
    path: str
    package: str | None = None
    num_threads: int | None = None
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """The CPUs that a process used.

    Parameters
    ----------
    cpus
        CPU time by time.
    over_s
        The time.
    since
        ``"last look"``, or ``"start"`` for the average since it began.
    """

    cpus: float
    over_s: float
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A child process of this one, or a child's child.

    Parameters
    ----------
    pid, parent
        Its number, and that of who started it.
    origin
        ``"fork"``, ``"forkserver"``, ``"spawn"`` (multiprocessing's), ``"loky"`` or ``"exec"``.
    command
        The start of its command line; of one that was forked, its parent's.
    num_os_threads
        Its OS threads.
    runtimes
        The runtimes that it has mapped; None when that cannot be read.
    variables
        Those of our tables that it was started with; None when that cannot be read. A process
        that was forked has those of the program that it goes on with.
    owners
        (file name, threads) of its OS threads, the most first, ``"Python"`` for Python's, another
        program's name for its own; None when not known.
    unknown_threads
        Threads whose owner is not known; None when no owner is.
    pool_threads
        Threads of its largest pool, the calling one among them; None when not known, 1 where it
        has no runtime.
    affinity
        CPUs on which its first thread may run; None where the system does not tell them.
    affinity_cpus
        How many; None when not known.
    cgroup
        Its cgroup, where that is another than this process's; None where it is the same, or when
        it is not known.
    use
        CPUs that it used; None when not known.
    rss_bytes, pss_bytes
        Its memory, see `machine.port.rows.MemoryUse`; None when not known.
    """

    pid: int
    parent: int
    origin: str
    command: str
    num_os_threads: int
    runtimes: tuple[WorkerRuntime, ...] | None = None
    variables: tuple[tuple[str, str], ...] | None = None
    owners: tuple[tuple[str, int], ...] | None = None
    unknown_threads: int | None = None
    pool_threads: int | None = None
    affinity: tuple[int, ...] | None = None
    affinity_cpus: int | None = None
    cgroup: str | None = None
    use: CpuUse | None = None
    rss_bytes: int | None = None
    pss_bytes: int | None = None

    @property
    def works(self) -> bool:
        """Whether it counts as a worker: it has a runtime, or may have one."""
        return self.runtimes is None or bool(self.runtimes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """A child process that serves others and works for nobody.

    Parameters
    ----------
    pid
        The process.
    kind
        ``"resource tracker"``, ``"fork server"`` …
    num_os_threads, rss_bytes, pss_bytes
        As in `Worker`.
    """

    pid: int
    kind: str
    num_os_threads: int
    rss_bytes: int | None = None
    pss_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """All child processes at one moment.

    Parameters
    ----------
    workers
        Those that may work, by pid.
    helpers
        Those that serve them.
    ended
        Pids of those that have ended, and that nobody has waited for.
    own_rss_bytes, own_pss_bytes
        The memory of this process.
    memory
        What bounds the memory of all; None when not known.
    unread
        Descendants that are in no list above, since they ended meanwhile, may not be read or are
        too many; each has its gap.
    """

    workers: tuple[Worker, ...] = ()
    helpers: tuple[Helper, ...] = ()
    ended: tuple[int, ...] = ()
    own_rss_bytes: int | None = None
    own_pss_bytes: int | None = None
    memory: MemoryBudget | None = None
    unread: int = 0

    @property
    def crowd(self) -> tuple[Worker, ...]:
        """Those that have a runtime, or of which that is not known."""
        return tuple(each for each in self.workers if each.works)

    @property
    def pool_threads(self) -> int:
        """Threads that their largest pools have together, as far as they are known."""
        return sum(each.pool_threads or 0 for each in self.crowd)

    @property
    def unknown_pools(self) -> int:
        """How many of them have a pool of unknown size."""
        return sum(each.pool_threads is None for each in self.crowd)

    @property
    def rss_bytes(self) -> int | None:
        """Resident memory of all with this process, shared memory in each; None when unknown."""
        found = [rss for rss, _ in self._memories()]
        return None if None in found else sum(each or 0 for each in found)

    @property
    def pss_bytes(self) -> int | None:
        """What all use together with this process; None when it is not known of each."""
        found = [pss for _, pss in self._memories()]
        return None if None in found else sum(each or 0 for each in found)

    @property
    def most_bytes(self) -> int | None:
        """The most that they can use together: PSS, and RSS where there is no PSS."""
        found = [rss if pss is None else pss for rss, pss in self._memories()]
        return None if None in found else sum(each or 0 for each in found)

    def _memories(self) -> list[tuple[int | None, int | None]]:
        rows: tuple[Worker | Helper, ...] = (*self.workers, *self.helpers)
        found = [(each.rss_bytes, each.pss_bytes) for each in rows]
        own = (self.own_rss_bytes, self.own_pss_bytes)
        return [own, *found, *([(None, None)] if self.unread else [])]
