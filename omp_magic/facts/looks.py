"""What this process and its descendants used together while something ran, look by look."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .cpus import cpus_words
from .libraries import Gap
from .memory import MemoryBound, bound_words, bytes_words
from .names import short_command

NEAR = 0.9
"""Share of the memory limit from which it is said that the limit is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A process and its descendants at one moment; omp_magic's own threads are left out.

    Parameters
    ----------
    at_s
        When, in seconds since the beginning.
    interval_s
        Seconds since the look before; 0.0 for the first.
    threads, processes
        OS threads, and processes, this one among them; None when unknown.
    rss_bytes
        Resident memory, summed: what they share is counted in each of them. None when unknown.
    pss_bytes
        The same with each shared page counted once; None where this look did not ask for it, since
        it is costly, or the system does not tell.
    cpus
        CPUs that they used on average since the look before; None for the first, and when unknown.
    throttled_s
        Time in which the cgroup was stopped since the look before, summed over CPUs; None when no
        quota is set. The group's other processes are in it.
    """

    at_s: float
    interval_s: float
    threads: int | None
    processes: int | None
    rss_bytes: int | None
    pss_bytes: int | None
    cpus: float | None
    throttled_s: float | None


def joined(first: Look, second: Look) -> Look:
    """Give two looks as one: the larger of what is a size, the mean of what is a rate."""
    interval_s = first.interval_s + second.interval_s
    cpus = first.cpus if second.cpus is None else second.cpus
    if first.cpus is not None and second.cpus is not None and interval_s > 0:
        used_s = first.cpus * first.interval_s + second.cpus * second.interval_s
        cpus = used_s / interval_s
    return Look(
        at_s=second.at_s,
        interval_s=interval_s,
        threads=_larger(first.threads, second.threads),
        processes=_larger(first.processes, second.processes),
        rss_bytes=_larger(first.rss_bytes, second.rss_bytes),
        pss_bytes=_larger(first.pss_bytes, second.pss_bytes),
        cpus=cpus,
        throttled_s=_sum(first.throttled_s, second.throttled_s),
    )


def _larger(first: int | None, second: int | None) -> int | None:
    return max((each for each in (first, second) if each is not None), default=None)


def _sum(first: float | None, second: float | None) -> float | None:
    known = [each for each in (first, second) if each is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """More memory was used than was to be.

    Parameters
    ----------
    at_s
        When, in seconds since the beginning.
    used_bytes
        What all processes used together.
    shared
        Whether shared pages are counted once in it (PSS); else it is RSS.
    threshold_bytes
        What it passed.
    asked
        Whether somebody asked for that threshold; else it is `NEAR` of the limit.
    processes
        Processes that it is the sum of.
    pid, command, holds_bytes
        The process that holds most of it. `pid` is 0 for the one that watches.
    limit
        What bounds the memory; None when nothing is known to.
    at_start
        Whether it was so when the watch began.
    """

    at_s: float
    used_bytes: int
    shared: bool
    threshold_bytes: int
    asked: bool
    processes: int
    pid: int
    command: str
    holds_bytes: int
    limit: MemoryBound | None
    at_start: bool = False

    @property
    def sentence(self) -> str:
        """It in one line; a command in it may hold any character."""
        who = "this process uses" if self.processes == 1 else f"{self.processes} processes use"
        kind = "PSS" if self.shared else "RSS: shared pages are counted in each process"
        text = f"{who} {bytes_words(self.used_bytes)} ({kind})"
        limit = self.limit
        if self.asked:
            text += f", more than the {bytes_words(self.threshold_bytes)} that were asked for"
        elif limit is not None and limit.limit_bytes:
            text += f", {self.used_bytes / limit.limit_bytes:.0%} of the limit"
        if self.at_start:
            text += ", already when the watch began"
        if self.processes > 1:
            name = f"pid {self.pid} {short_command(self.command)}".rstrip()
            who = name if self.pid else "this process"
            text += f"; {who} holds most, {bytes_words(self.holds_bytes)}"
        if limit is None or not limit.limit_bytes:
            return f"{text}; no limit of memory is known"
        text += f"; the limit is {bytes_words(limit.limit_bytes)} ({bound_words(limit)})"
        if limit.source == "MEM_LIMIT":
            return text
        return f"{text}, where the kernel ends a process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was used from the beginning to the end, or until now.

    Parameters
    ----------
    started_at
        Start in seconds since 1970, UTC.
    wall_s
        How long it took.
    running
        Whether it still runs.
    looks
        The oldest first; of a long course two neighbours are joined to one.
    taken
        How many looks were taken.
    allowed_cpus
        CPUs that this process may use.
    limit
        What bounds the memory, the smallest limit; None when none is known.
    peak_threads, peak_processes
        The most at one look, summed over processes; None when unknown. What came and went between
        two looks is not in them.
    processes_seen
        Processes that were met, this one among them; None when unknown.
    peak_rss_bytes
        Largest sum of the resident memory. Where this process alone set a record in the meantime
        that is larger than any look's sum, that record.
    peak_pss_bytes
        The largest sum that counts shared pages once, at the looks that asked for it; None when
        no look did, or the system does not tell.
    own_peak_rss_bytes
        The record of this process alone, exact, where it was set here (VmHWM); None otherwise.
    cpu_s, children_cpu_s
        CPU time of all, and of the descendants in it; None when unknown.
    throttled_s, throttled_periods
        Time in which the cgroup was stopped, summed over CPUs, and in how many periods; None when
        no quota is set.
    exceeded
        That more memory was used than was to be; None when not.
    looking_s
        CPU time that looking took; in no other figure.
    gaps
        What could not be read.
    """

    started_at: float
    wall_s: float
    running: bool
    looks: tuple[Look, ...]
    taken: int
    allowed_cpus: float
    limit: MemoryBound | None
    peak_threads: int | None
    peak_processes: int | None
    processes_seen: int | None
    peak_rss_bytes: int | None
    peak_pss_bytes: int | None
    own_peak_rss_bytes: int | None
    cpu_s: float | None
    children_cpu_s: float | None
    throttled_s: float | None
    throttled_periods: int | None
    exceeded: Exceeded | None
    looking_s: float
    gaps: tuple[Gap, ...] = ()

    @property
    def busy_cpus(self) -> float | None:
        """CPUs busy on average; None when unknown, and below 1 ms."""
        return None if self.cpu_s is None or self.wall_s < 0.001 else self.cpu_s / self.wall_s

    @property
    def memory_bytes(self) -> int | None:
        """The peak that compares with the limit: PSS where there is one, RSS otherwise."""
        return self.peak_rss_bytes if self.peak_pss_bytes is None else self.peak_pss_bytes

    @property
    def before_bytes(self) -> int | None:
        """What was resident when it began; None when unknown."""
        return self.looks[0].rss_bytes if self.looks else None

    @property
    def threads_before(self) -> int | None:
        """The threads that were there when it began; None when unknown."""
        return self.looks[0].threads if self.looks else None

    @property
    def memory_share(self) -> float | None:
        """What of the limit the peak was, 0 to 1 and above; None when either is not known."""
        limit_bytes = self.limit.limit_bytes if self.limit is not None else None
        return self.memory_bytes / limit_bytes if self.memory_bytes and limit_bytes else None

    @property
    def allowed_words(self) -> str:
        """The CPUs allowed, with the unit."""
        return cpus_words(self.allowed_cpus)

    def with_gap(self, gap: Gap) -> Course:
        """Give the same with one gap more."""
        return replace(self, gaps=(*self.gaps, gap))
