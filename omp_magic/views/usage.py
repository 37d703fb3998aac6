"""What a cell cost -> one line."""

from __future__ import annotations

from ..meter import Usage
from .words import DASH


def render_usage(spec: str, usage: Usage) -> str:
    """Give one line: wall and CPU time, CPUs busy, threads, memory, throttled time."""
    more = ""
    if usage.peak_threads is not None and usage.threads_before is not None:
        more = f" (+{max(0, usage.peak_threads - usage.threads_before)})"
    peak_threads = DASH if usage.peak_threads is None else str(usage.peak_threads)
    parts = (
        f"wall {_seconds(usage.wall_s)}",
        f"CPU {_seconds(usage.cpu_s)}",
        f"{usage.busy_cpus:.2f} of {usage.allowed_cpus:g} CPUs busy",
        f"peak {peak_threads} threads{more}",
        f"peak {_megabytes(usage.peak_rss_bytes)}",
        "no quota, never throttled"
        if usage.throttled_s is None
        else f"throttled {_seconds(usage.throttled_s)}",
    )
    return f"omp_limit {spec}: " + " · ".join(parts)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def _megabytes(value: int | None) -> str:
    return DASH if value is None else f"{value / 1e6:.0f} MB"
