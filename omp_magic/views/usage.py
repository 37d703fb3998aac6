"""What a cell cost -> a line or two."""

from __future__ import annotations

from ..facts.usage import Usage
from .words import DASH, counted, printable

LEAST_S = 0.005
"""CPU time from which an owner's work is worth a line; wake-ups of idle threads stay below."""


def render_usage(spec: str, usage: Usage) -> str:
    """Give one line: wall and CPU time, CPUs busy, threads, memory, throttled time.

    A second line, indented, says whose threads there were at most and who worked, when threads
    came or others than Python's own worked; what could not be read is a line each.
    """
    more = ""
    if usage.peak_threads is not None and usage.threads_before is not None:
        more = f" (+{max(0, usage.peak_threads - usage.threads_before)})"
    busy_cpus = DASH if usage.busy_cpus is None else f"{usage.busy_cpus:.2f}"
    peak_threads = DASH if usage.peak_threads is None else str(usage.peak_threads)
    children = ""
    if usage.children_cpu_s:
        children = f" and {seconds(usage.children_cpu_s)} in children"
    parts = (
        f"wall {seconds(usage.wall_s)}",
        f"CPU {seconds(usage.cpu_s)}{children}",
        f"{busy_cpus} of {usage.allowed_cpus:g} CPUs busy",
        f"peak {peak_threads} threads{more}",
        f"peak {megabytes(usage.peak_rss_bytes)} MB{around(usage)}"
        if usage.peak_rss_bytes is not None
        else f"peak {DASH}",
        throttled(usage),
    )
    lines = [f"omp_limit {spec}: " + " · ".join(parts), owners(usage)]
    lines.extend(f"  not known: {gap.what} ({printable(gap.why)})" for gap in usage.gaps)
    return "\n".join(line for line in lines if line)


def owners(usage: Usage) -> str:
    """Give the line about owners, indented, or "" when there is nothing to tell."""
    peaks, worked = usage.peak_threads_by_owner, usage.worked_by_owner
    if not peaks or worked is None:
        return ""
    came = (usage.peak_threads or 0) > (usage.threads_before or 0)
    workers = [row for row in worked if row[2] >= LEAST_S]
    if not came and all(name == "Python" for name, _, _ in workers):
        return ""
    line = "  threads at most: " + " · ".join(f"{printable(name)} {n}" for name, n in peaks)
    if workers:
        each = (f"{printable(name)} {n} for {seconds(s)} CPU" for name, n, s in workers)
        line += "; worked: " + " · ".join(each)
    return line


def around(usage: Usage) -> str:
    """Give the memory before and after, in brackets; "" when it is not known."""
    before, after = usage.rss_before_bytes, usage.rss_after_bytes
    if before is None or after is None:
        return ""
    return f" ({megabytes(before)} before, {megabytes(after)} after)"


def throttled(usage: Usage) -> str:
    """Give the time in which the cgroup was stopped, or that it has no quota."""
    if usage.throttled_s is None:
        return "no quota, never throttled"
    text = f"throttled {seconds(usage.throttled_s)}"
    if usage.throttled_periods:
        text += f" in {counted(usage.throttled_periods, 'period')}"
    return text


def seconds(value: float) -> str:
    """Give a time with its unit."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def megabytes(value: int) -> str:
    """Give bytes in MB."""
    return f"{value / 1e6:.0f}"
