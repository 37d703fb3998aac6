"""What a cell cost -> a card: a verdict in words that a person says, and the numbers below it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..facts.cpus import cpus_words, threads_for
from ..facts.mime import bundle
from ..facts.usage import Usage
from .signs import encodable
from .usage import LEAST_S, around, megabytes, owners, render_usage, seconds, throttled
from .verdict import Verdict
from .words import DASH, counted, printable

_NOTABLE_THROTTLING = 0.05
"""Share of the wall time from which the throttled time is the first thing to be said."""
_WAITING = 0.5
"""Share of one CPU, or of less where less is allowed, below which most of the time went by idly."""
_FULL = 0.8
"""Share of the CPUs allowed from which they count as busy."""
_ACCOUNTED = 0.9
"""Share of the CPU time that must be some thread's, before threads are counted in words."""


def judged_usage(usage: Usage, least: int | None = None) -> Verdict:
    """Say what a cell did with its CPUs; nothing that was not measured.

    That another number of threads would have been faster is not known from one run.

    Parameters
    ----------
    usage
        What was measured.
    least
        The smallest number of threads that the limit gives a pool; None when there is no limit.

    Examples
    --------
    >>> from omp_magic.facts.usage import Usage
    >>> idle = Usage(wall_s=2.0, cpu_s=0.02, allowed_cpus=2, threads_before=9, peak_threads=9,
    ...              peak_rss_bytes=None, throttled_s=None)
    >>> judged_usage(idle).text
    'Mostly waiting: 0.01 of 2 CPUs busy'
    """
    if usage.busy_cpus is None:
        return Verdict(f"Too short to judge: {seconds(usage.wall_s)}", "fine")
    waits = usage.busy_cpus < _WAITING * min(1.0, usage.allowed_cpus)
    if (usage.throttled_s or 0.0) >= _NOTABLE_THROTTLING * usage.wall_s:
        return _stopped(usage, waits=waits)
    children_s = usage.children_cpu_s or 0.0
    if waits and children_s > max(usage.cpu_s, LEAST_S):
        # RUSAGE_CHILDREN has all of a child's life, which may have begun before the cell.
        text = f"Child processes that ended in it had used {seconds(children_s)} of CPU time"
        return Verdict(text, "fine", f"{_busy(usage)} in this process")
    if waits:
        more = "what child processes use that still run is not counted"
        return Verdict(f"Mostly waiting: {_busy(usage)}", "fine", more)
    return _worked(usage, least)


def _worked(usage: Usage, least: int | None) -> Verdict:
    """Say how many threads kept how many CPUs busy."""
    threads = working_threads(usage)
    if threads is None:
        return Verdict(_capital(_busy(usage)), "fine", "how many threads worked is not known")
    if threads == 1:
        # Where the limit gives one thread, one thread is all there could be.
        did = "was enough" if (least or 0) > 1 else "did all the work"
        return Verdict(f"1 thread {did}: {_busy(usage)}", "fine")
    if _crowded(usage):
        cpus = cpus_words(usage.allowed_cpus)
        text = f"{threads} threads shared {cpus}: {usage.busy_cpus:.2f} busy"
        return Verdict(text, "warning", _who(usage))
    return Verdict(f"{threads} threads kept {_busy(usage)}", "fine", _who(usage))


def _stopped(usage: Usage, *, waits: bool) -> Verdict:
    """Say that the quota stopped the cgroup; who used it up is known only where this cell did."""
    ran = f"throttled {seconds(usage.throttled_s or 0.0)} in a run of {seconds(usage.wall_s)}"
    more = "throttled time is summed over CPUs, and its cgroup's other processes are in it"
    threads = working_threads(usage)
    if waits or threads is None:
        return Verdict(f"{_capital(_busy(usage))}: its cgroup was {ran}", "warning", more)
    cpus, shared = cpus_words(usage.allowed_cpus), "shared" if threads > 1 else "ran on"
    text = f"{counted(threads, 'thread')} {shared} {cpus}: {ran}"
    return Verdict(text, "warning", "; ".join(filter(None, (_who(usage), more))))


def working_threads(usage: Usage) -> int | None:
    """Give how many threads did the work; None where that is not known.

    Threads that nobody met are missing in `Usage.worked_by_owner`: those that are there must have
    used most of the CPU time, and not less of it than so few could have.
    """
    rows = usage.worked_by_owner
    if rows is None or sum(cpu_s for _, _, cpu_s in rows) < _ACCOUNTED * usage.cpu_s:
        return None
    threads = sum(number for _, number, _ in _workers(usage))
    return threads if threads and (usage.busy_cpus or 0.0) <= threads + 0.1 else None


def _workers(usage: Usage) -> list[tuple[str, int, float]]:
    """Give the owners whose threads did some of the work: wake-ups of idle ones are none."""
    floor = min(LEAST_S, usage.cpu_s / 10)
    return [row for row in usage.worked_by_owner or () if row[2] >= floor]


def _crowded(usage: Usage) -> bool:
    """Tell whether one pool's own threads, which work at once, were more than the CPUs.

    Python's threads take turns, and those of two pools may have come one after the other.
    """
    fits = threads_for(usage.allowed_cpus)
    pools = [number for name, number, _ in _workers(usage) if name != "Python"]
    full = (usage.busy_cpus or 0.0) >= _FULL * usage.allowed_cpus
    return full and max(pools, default=0) > fits


def _who(usage: Usage) -> str:
    return ", ".join(f"{name} {number}" for name, number, _ in _workers(usage))


def _busy(usage: Usage) -> str:
    return f"{usage.busy_cpus or 0.0:.2f} of {cpus_words(usage.allowed_cpus)} busy"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


class CostCard:
    """What a limited cell cost, as Jupyter and a terminal show it.

    Parameters
    ----------
    spec
        The limit.
    usage
        What was measured.
    least
        As in `judged_usage`.
    """

    def __init__(self, spec: str, usage: Usage, least: int | None = None) -> None:
        self.spec = spec
        self.usage = usage
        self.verdict = judged_usage(usage, least)

    def __str__(self) -> str:
        """Give the plain text: the verdict, and a line or two of numbers."""
        text = f"{printable(self.verdict.text)}\n{render_usage(self.spec, self.usage)}"
        return encodable(text, sys.stdout)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Give text/plain and text/html."""
        return bundle({"text/plain": self.__str__, "text/html": self._html}, include, exclude)

    def _html(self) -> str:
        from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

        return (
            environment()
            .get_template("cost.html")
            .render(
                v=self.verdict,
                spec=self.spec,
                numbers=numbers_of(self.usage),
                owners=owners(self.usage).strip(),
                gaps=self.usage.gaps,
            )
        )


def numbers_of(usage: Usage) -> tuple[tuple[str, str], ...]:
    """Give the numbers of a cell with what they are called, for a table."""
    busy = DASH if usage.busy_cpus is None else f"{usage.busy_cpus:.2f}"
    threads = DASH if usage.peak_threads is None else str(usage.peak_threads)
    if usage.peak_threads is not None and usage.threads_before is not None:
        threads += f" (+{max(0, usage.peak_threads - usage.threads_before)})"
    memory = DASH
    if usage.peak_rss_bytes is not None:
        memory = f"{megabytes(usage.peak_rss_bytes)} MB{around(usage)}"
    rows = [
        ("wall time", seconds(usage.wall_s)),
        ("CPU time", seconds(usage.cpu_s)),
        ("CPUs busy", f"{busy} of {usage.allowed_cpus:g}"),
        ("threads at most", threads),
        ("memory at most", memory),
        ("quota", throttled(usage).removeprefix("no quota, ")),
    ]
    if usage.children_cpu_s:
        rows.insert(2, ("in children", seconds(usage.children_cpu_s)))
    return tuple(rows)
