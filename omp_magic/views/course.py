"""What was used together -> one line, and a card: memory first, then CPUs, processes, threads."""

from __future__ import annotations

from markupsafe import Markup

from ..facts.looks import NEAR, Course
from ..facts.memory import bound_words, bytes_words
from .course_chart import course_chart
from .usage import seconds
from .verdict import Verdict
from .words import DASH, counted, printable

_SHARED = 1.1
"""How many times the PSS the sum of RSS is from where it is worth a word."""
_NOTABLE_THROTTLING = 0.05
"""Share of the wall time from which throttled time makes the verdict a warning."""


def judged_course(course: Course) -> Verdict:
    """Give the line that comes first: the memory at its peak, against what bounds it."""
    size_bytes = course.memory_bytes
    if size_bytes is None:
        return Verdict("How much memory was used is not known", "fine")
    text = f"At most {bytes_words(size_bytes)}"
    limit, share = course.limit, course.memory_share
    if limit is not None and limit.limit_bytes and share is not None:
        text += f" of {bytes_words(limit.limit_bytes)}, {_share(share)}"
    near = share is not None and share >= NEAR
    stopped = (course.throttled_s or 0.0) >= _NOTABLE_THROTTLING * max(course.wall_s, 0.001)
    tone = "warning" if near or stopped or course.exceeded is not None else "fine"
    more = []
    if course.exceeded is not None:
        passed = bytes_words(course.exceeded.threshold_bytes)
        at = "already at the start" if course.exceeded.at_start else ""
        more.append(f"passed {passed} {at or f'after {seconds(course.exceeded.at_s)}'}")
    if course.running:
        more.append("still running")
    if limit is not None:
        more.append(f"the limit: {bound_words(limit)}")
    return Verdict(text, tone, "; ".join(more))


def render_course(course: Course) -> str:
    """Give one line, and one for each thing that could not be read."""
    parts = [_memory(course), _busy(course), _counts(course)]
    if course.throttled_s is not None:
        parts.append(f"throttled {seconds(course.throttled_s)}" if course.throttled_s else "")
    if course.exceeded is not None:
        parts.append(f"passed {bytes_words(course.exceeded.threshold_bytes)}")
    head = "omp_watch (so far)" if course.running else "omp_watch"
    lines = [f"{head}: " + " · ".join(filter(None, parts))]
    lines += [
        f"  not known: {printable(gap.what)} ({printable(gap.why)})"
        for gap in dict.fromkeys(course.gaps)
    ]
    return "\n".join(lines)


def render_card(course: Course) -> str:
    """Give the card as one fragment with its own style; every text in it is escaped."""
    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms

    return (
        environment()
        .get_template("course.html")
        .render(
            v=judged_course(course),
            numbers=numbers_of(course),
            chart=Markup(course_chart(course)),  # noqa: S704 - it escapes what it shows
            gaps=tuple(dict.fromkeys(course.gaps)),
        )
    )


def numbers_of(course: Course) -> tuple[tuple[str, str], ...]:
    """Give the numbers with what they are called, for a table."""
    rows = [
        ("memory (PSS)", _size(course.peak_pss_bytes)),
        ("before", _size(course.before_bytes)),
        ("RSS, summed", _size(course.peak_rss_bytes)),
        ("processes", _number(course.peak_processes)),
        ("threads", _number(course.peak_threads)),
        ("CPUs busy", _of_cpus(course)),
        ("wall time", seconds(course.wall_s)),
        ("CPU time", DASH if course.cpu_s is None else seconds(course.cpu_s)),
    ]
    if course.children_cpu_s:
        rows.append(("in children", seconds(course.children_cpu_s)))
    if course.throttled_s is not None:
        rows.append(("throttled", seconds(course.throttled_s)))
    return tuple(rows)


def _memory(course: Course) -> str:
    size_bytes = course.memory_bytes
    if size_bytes is None:
        return f"memory at most {DASH}"
    text = f"memory at most {bytes_words(size_bytes)}{_before(course)}"
    limit, share = course.limit, course.memory_share
    if limit is not None and limit.limit_bytes and share is not None:
        text += f" of {bytes_words(limit.limit_bytes)} ({_share(share)})"
    rss_bytes, pss_bytes = course.peak_rss_bytes, course.peak_pss_bytes
    several = (course.peak_processes or 1) > 1
    if several and rss_bytes is not None and (pss_bytes or rss_bytes) * _SHARED < rss_bytes:
        text += f", RSS {bytes_words(rss_bytes)} with shared pages in each process"
    elif several and pss_bytes is None:
        text += ", shared pages in each process"
    seen_bytes = max((look.rss_bytes or 0 for look in course.looks), default=0)
    own_bytes = course.own_peak_rss_bytes
    if own_bytes is not None and own_bytes > _SHARED * seen_bytes:
        text += f", {bytes_words(own_bytes)} in this process between two looks"
    return text


def _before(course: Course) -> str:
    """Give what was there before, in brackets; RSS, which a peak of PSS may be below."""
    before, most = course.before_bytes, course.memory_bytes
    return "" if before is None or most is None else f" ({bytes_words(min(before, most))} before)"


def _busy(course: Course) -> str:
    if course.busy_cpus is None and course.cpu_s is not None:
        return seconds(course.wall_s)  # too short for a rate
    return f"{_of_cpus(course)} CPUs busy for {seconds(course.wall_s)}"


def _of_cpus(course: Course) -> str:
    busy = DASH if course.busy_cpus is None else f"{course.busy_cpus:.2f}"
    return f"{busy} of {round(course.allowed_cpus, 2):g}"


def _counts(course: Course) -> str:
    processes, threads = course.peak_processes, course.peak_threads
    told = []
    if processes is not None and processes > 1:
        told.append(f"{processes} processes")
    told.append(f"{DASH} threads" if threads is None else counted(threads, "thread"))
    if threads is not None and course.threads_before is not None:
        told[-1] += f" (+{max(0, threads - course.threads_before)})"
    text = f"at most {' with '.join(told)}"
    seen = course.processes_seen
    if seen is not None and processes is not None and seen > processes:
        text += f", {seen} processes in all"
    return text


def _size(size_bytes: int | None) -> str:
    return DASH if size_bytes is None else bytes_words(size_bytes)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _number(number: int | None) -> str:
    return DASH if number is None else str(number)
