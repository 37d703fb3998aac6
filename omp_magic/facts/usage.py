"""What a stretch of code cost."""

from __future__ import annotations

from dataclasses import dataclass

from .libraries import Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The cost of a stretch of code; our own work is not in it.

    Parameters
    ----------
    wall_s, cpu_s
        Wall time, and CPU time of the whole process.
    allowed_cpus
        CPUs the process may use.
    threads_before, peak_threads
        OS threads at the start and at most; None when unknown. Sampled every 10 ms, less often
        where that would take 1 % of a CPU or Python code keeps the GIL: a thread that came and
        went in between is missed.
    peak_rss_bytes
        Largest resident memory; exact when the code set a new record for the process,
        sampled as the threads are otherwise; None when unknown.
    throttled_s
        Time in which the cgroup was stopped, summed over CPUs; None when no quota is set. The
        group's other processes are in it.
    throttled_periods
        Enforcement periods in which that happened.
    children_cpu_s
        CPU time of child processes that were waited for in the stretch, all of their life;
        None when unknown. Not part of `cpu_s`. See RUSAGE_CHILDREN in getrusage(2).
    started_at
        Start in seconds since 1970, UTC; None when unknown.
    rss_before_bytes, rss_after_bytes
        Resident memory at the start and at the end; None when unknown.
    peak_threads_by_owner
        (Owner, threads at most at one look), most first; None when unknown. Peaks of two
        owners need not have been at the same time. The main thread is one of ``"Python"``.
    worked_by_owner
        (Owner, threads that worked, CPU time in s), most time first; None when unknown. A thread
        worked when it used a tenth of what its owner's busiest thread used; owners with less
        than 1 % of the CPU time are left out. A thread that no look met is missing, and of one
        that ended what it did after the last sample. New threads are looked for every 0.1 s,
        and when their number changes. The caller of a parallel region is ``"Python"``.
    gaps
        What could not be read.
    """

    wall_s: float
    cpu_s: float
    allowed_cpus: float
    threads_before: int | None
    peak_threads: int | None
    peak_rss_bytes: int | None
    throttled_s: float | None
    throttled_periods: int | None = None
    children_cpu_s: float | None = None
    started_at: float | None = None
    rss_before_bytes: int | None = None
    rss_after_bytes: int | None = None
    peak_threads_by_owner: tuple[tuple[str, int], ...] | None = None
    worked_by_owner: tuple[tuple[str, int, float], ...] | None = None
    gaps: tuple[Gap, ...] = ()

    @property
    def busy_cpus(self) -> float | None:
        """CPUs busy on average; None below 1 ms, where ``pass`` would keep 1.4 CPUs busy."""
        return self.cpu_s / self.wall_s if self.wall_s >= 0.001 else None
