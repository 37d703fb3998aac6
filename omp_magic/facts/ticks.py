"""What a running process did between two looks: one `Tick` a second, for the live panel."""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerTick:
    """The threads that one file owns, or Python.

    Parameters
    ----------
    path
        The file that started them; ``"Python"`` for Python's own, the main thread among them;
        ``"unknown"`` where it is not known.
    alive
        Threads there are.
    busy
        Those that ran, or were ready to run and waited for a CPU, for a tenth of the interval or
        more. Of 48 threads that share 4 CPUs each runs for a twelfth; all 48 are busy.
    cpus
        CPUs that the living ones used on average.
    """

    path: str
    alive: int
    busy: int
    cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildTick:
    """A descendant of this process.

    Parameters
    ----------
    pid
        The process.
    command
        The start of its command line; undecodable bytes are shown as U+FFFD.
    num_os_threads
        OS threads it has; None when unknown.
    cpus
        CPUs it used on average since the tick before; None at the first tick that meets it, and
        when unknown.
    """

    pid: int
    command: str
    num_os_threads: int | None
    cpus: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What happened since the tick before; omp_magic's own threads are left out.

    Parameters
    ----------
    number
        1, 2, …; no number is given twice.
    at_s
        When, in seconds since 1970, UTC.
    interval_s
        Seconds since the tick before; since the reader was made for the first. 0.0 when the
        clock went backwards, or the first tick came within 0.1 s; then all rates are None, and
        nobody is counted as busy.
    cpus
        CPUs that this process used on average; None when unknown.
    group_cpus
        CPUs that all processes of its cgroup used; None when unknown or there is none.
    allowed_cpus
        CPUs it may use: quota, affinity, declarations. Where that cannot be read, the last that
        was, or the machine's.
    throttled
        Share (0 to 1) of the enforcement periods in which its cgroup was throttled; None when no
        quota is set, or unknown.
    waiting
        Share (0 to 1) of the time in which its threads wanted to run that they waited for a CPU,
        throttling included; None when the kernel does not account for it.
    num_threads
        OS threads; None when unknown.
    rss_bytes
        Resident memory; None when unknown.
    owners
        Its threads by owner, most first; None when owners are not known.
    children
        Its descendants by pid, 50 at most; a `Gap` counts the others.
    maps_changed
        Whether the files whose code is mapped are others than at the look before: something was
        loaded, unloaded or replaced on disk.
    gaps
        What could not be read.
    """

    number: int
    at_s: float
    interval_s: float
    cpus: float | None
    group_cpus: float | None
    allowed_cpus: float
    throttled: float | None
    waiting: float | None
    num_threads: int | None
    rss_bytes: int | None
    owners: tuple[OwnerTick, ...] | None
    children: tuple[ChildTick, ...]
    maps_changed: bool
    gaps: tuple[Gap, ...]

    @property
    def busy(self) -> int:
        """Threads at work; 0 where owners are not known."""
        return sum(owner.busy for owner in self.owners or ())

    @property
    def others_cpus(self) -> float | None:
        """CPUs that others in its cgroup used, its own child processes left out; None: unknown."""
        if self.group_cpus is None or self.cpus is None:
            return None
        ours = self.cpus + sum(child.cpus or 0.0 for child in self.children)
        return max(0.0, self.group_cpus - ours)
