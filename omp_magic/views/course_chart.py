"""What was used look by look -> inline SVG: memory above, CPUs below; nothing is imported."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import escape

from ..facts.looks import Course, Look
from ..facts.memory import bytes_words
from .tones import TONES
from .usage import seconds

MOST_BYTES = 8192
"""A chart is never larger: above it, neighbouring looks are drawn as one."""
_WIDE, _HIGH, _PX = 480, 120, 60
"""Size of an inner drawing in its units, and its height in pixels."""
_ROW_PX = _PX + 20
_ALL_PX = 2 * _ROW_PX + 10
_TOP = 0.92
"""Share of the height that the highest value has."""
_LIMIT_SHOWN = 0.25
"""Share of the limit from which its line is drawn; below it, the curve would be flat."""
Points = list[tuple[int, float]]


def course_chart(course: Course) -> str:
    """Draw memory and CPUs over time.

    Memory is an area where shared pages count once (PSS), and a thin line where they count in each
    process (RSS); CPUs are an area, with marks where the group was throttled. Dashed lines are the
    limits.

    Returns
    -------
    str
        An ``svg`` element of at most `MOST_BYTES` bytes with role ``img`` and an ``aria-label``
        that says the same in words.
    """
    svg = ""
    for most in (240, 120, 60, 30):
        svg = _drawn(course, most)
        if len(svg.encode()) <= MOST_BYTES:
            break
    return svg


def chart_words(course: Course) -> str:
    """Give in words what `course_chart` draws."""
    parts = [f"Over {seconds(course.wall_s)}"]
    sizes = (("PSS", course.peak_pss_bytes), ("RSS, summed", course.peak_rss_bytes))
    known = [f"{bytes_words(size)} ({kind})" for kind, size in sizes if size is not None]
    parts.append(f"memory at most {' and '.join(known)}" if known else "memory is not known")
    if course.limit is not None and course.limit.limit_bytes:
        parts.append(f"its limit {bytes_words(course.limit.limit_bytes)}")
    used = [look.cpus for look in course.looks if look.cpus is not None]
    parts.append(f"CPUs at most {max(used):.2f}" if used else "CPUs are not known")
    text = f"{', '.join(parts)} of {course.allowed_words} allowed"
    if course.throttled_s:
        text += f"; throttled {seconds(course.throttled_s)}"
    return text


def _drawn(course: Course, most: int) -> str:
    span_s = max(course.wall_s, course.looks[-1].at_s if course.looks else 0.0) or 1.0
    ink = f'font-size="10" fill="{TONES["dim"]}"'
    # Where tags are stripped, as in a notebook that is not trusted, the words stay: hence the ends
    # of lines between them.
    return (
        f'<svg class="omp-course" width="100%" height="{_ALL_PX}" '
        f'style="height:{_ALL_PX}px" role="img" '
        f'aria-label="{escape(chart_words(course))}">\n'
        f"{_memory(course, span_s, most, ink)}{_cpus(course, span_s, most, ink)}"
        f'<text x="2" y="{_ALL_PX - 4}" {ink}>0</text>\n'
        f'<text x="100%" dx="-2" y="{_ALL_PX - 4}" text-anchor="end" {ink}>'
        f"{escape(seconds(course.wall_s))}</text></svg>"
    )


def _memory(course: Course, span_s: float, most: int, ink: str) -> str:
    shares = _largest(course.looks, span_s, most, "pss_bytes")
    whole = _largest(course.looks, span_s, most, "rss_bytes")
    peak = max((size for _, size in (*shares, *whole)), default=0.0)
    limit = (course.limit.limit_bytes or 0) if course.limit is not None else 0
    shown = limit if limit and (course.memory_bytes or 0) >= _LIMIT_SHOWN * limit else 0
    top = max(peak, shown, 1.0)
    area = shares or whole
    inner = _area(area, top)
    if shares:
        inner += _line(whole, top, TONES["dim"])
    inner += _dashed(shown, top)
    label = f"memory up to {bytes_words(round(peak))}" if peak else "memory: not known"
    if limit:
        label += f", limit {bytes_words(limit)}"
    if shares:
        label += f'\n<tspan fill="{TONES["brand"]}">■</tspan> shared pages once (PSS)'
        label += f' <tspan fill="{TONES["dim"]}">─</tspan> in each process (RSS)'
    return _strip(0, inner, label, ink)


def _cpus(course: Course, span_s: float, most: int, ink: str) -> str:
    steps = _steps(course.looks, span_s, most)
    top = max([course.allowed_cpus, *(cpus for _, _, cpus, _ in steps)]) or 1.0
    path, marks, end = "", "", -1
    for begin, to, cpus, throttled in steps:
        y = _y(cpus, top)
        path += (
            f"V{y}H{to}"
            if begin == end
            else f"{f'V{_HIGH}' if path else ''}M{begin} {_HIGH}V{y}H{to}"
        )
        end = to
        if throttled:
            marks += f"M{begin} {_HIGH - 3}H{to}"
    path += f"V{_HIGH}" if path else ""
    inner = (
        f'<path d="{path}" fill="{TONES["brand"]}" fill-opacity=".4" stroke="{TONES["brand"]}" '
        'vector-effect="non-scaling-stroke"/>'
    )
    if marks:
        inner += (
            f'<path d="{marks}" stroke="{TONES["warn"]}" stroke-width="4" '
            'vector-effect="non-scaling-stroke"/>'
        )
    inner += _dashed(course.allowed_cpus, top)
    label = f"CPUs, {course.allowed_words} allowed"
    if marks:
        label += f'\n<tspan fill="{TONES["warn"]}">▬</tspan> throttled'
    return _strip(_ROW_PX, inner, label, ink)


def _strip(top_px: int, inner: str, label: str, ink: str) -> str:
    return (
        f'<text x="2" y="{top_px + 11}" {ink}>{label}</text>\n'
        f'<svg y="{top_px + 14}" width="100%" height="{_PX}" style="height:{_PX}px;margin:0" '
        f'viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none"><g fill="none">{inner}</g></svg>'
        f'<line x2="100%" y1="{top_px + 14 + _PX}" y2="{top_px + 14 + _PX}" '
        f'stroke="{TONES["line"]}"/>\n'
    )


def _largest(looks: Sequence[Look], span_s: float, most: int, name: str) -> Points:
    """Give (place, largest value) for each part of the time that has a value."""
    found: dict[int, float] = {}
    for look in looks:
        value = getattr(look, name)
        if value is not None:
            place = round(min(1.0, look.at_s / span_s) * most)
            found[place] = max(found.get(place, 0.0), float(value))
    return [(round(place * _WIDE / most), value) for place, value in sorted(found.items())]


def _steps(looks: Sequence[Look], span_s: float, most: int) -> list[tuple[int, int, float, bool]]:
    """Give (from, to, CPUs, whether throttled), neighbours as one where they fall together."""
    parts: dict[int, list[float]] = {}
    for look in looks:
        if look.cpus is not None and look.interval_s > 0:
            place = round(min(1.0, look.at_s / span_s) * most)
            row = parts.setdefault(place, [0.0, 0.0, look.at_s - look.interval_s, 0.0])
            row[0] += look.cpus * look.interval_s
            row[1] += look.interval_s
            row[3] += look.throttled_s or 0.0
    steps: list[tuple[int, int, float, bool]] = []
    for place, (used_s, whole_s, begin_s, stopped_s) in sorted(parts.items()):
        to = round(place * _WIDE / most)
        begin = max(0, round(begin_s / span_s * _WIDE))
        if steps and begin - steps[-1][1] <= _WIDE // most + 1:
            begin = steps[-1][1]
        if to > begin:
            steps.append((begin, to, used_s / whole_s, stopped_s > 0))
    return steps


def _area(points: Points, top: float) -> str:
    if not points:
        return ""
    first, last = points[0][0], points[-1][0]
    path = f"M{first} {_HIGH}L{_pairs(points, top)}L{last} {_HIGH}"
    return (
        f'<path d="{path}" fill="{TONES["brand"]}" fill-opacity=".4" stroke="{TONES["brand"]}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _line(points: Points, top: float, tone: str) -> str:
    if len(points) < 2:
        return ""
    return f'<path d="M{_pairs(points, top)}" stroke="{tone}" vector-effect="non-scaling-stroke"/>'


def _dashed(value: float, top: float) -> str:
    if not value:
        return ""
    return (
        f'<path d="M0 {_y(value, top)}H{_WIDE}" stroke="{TONES["err"]}" stroke-dasharray="4 3" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _pairs(points: Points, top: float) -> str:
    return " ".join(f"{x} {_y(value, top)}" for x, value in points)


def _y(value: float, top: float) -> int:
    return round(_HIGH - _TOP * _HIGH * max(0.0, min(1.0, value / top)))
