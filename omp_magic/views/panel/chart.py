"""Ticks -> inline SVG. Plain strings: nothing is imported for a picture.

The text lies in the outer drawing, whose unit is a pixel, and the curves in an inner one that is
stretched to the width there is: letters keep their shape at any width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import escape

from ...facts.cpus import cpus_words
from ...facts.ticks import Tick
from ..tones import TONES

MOST_BYTES = 4096
"""A chart is never larger: above it, neighbouring ticks are drawn as one."""

_WIDE, _HIGH, _PX = 480, 120, 60
"""Size of the inner drawing in its units, and its height in pixels."""
_HEADROOM = 32
"""Units above the highest value: what the dashed line means stands there, where no curve comes."""
_OUTSIDE = _HIGH + 9
_LEAST_OTHERS = 0.05
"""CPUs of others below which no band is drawn: what two clocks differ by."""
_AT_LIMIT = 0.95
"""Share of the allowed CPUs from which the words say "at the limit"."""


@dataclass(frozen=True, slots=True)
class _Step:
    x: int
    to: int
    cpus: float | None
    allowed: float
    throttled: bool
    others: float | None = None

    @property
    def together(self) -> float | None:
        """CPUs that this process and the others of its group used."""
        return None if self.cpus is None or self.others is None else self.cpus + self.others


@dataclass(frozen=True, slots=True)
class _Words:
    """What stands in the drawing, escaped."""

    label: str
    span: str
    end: str
    others: str


def cpu_chart(
    ticks: Sequence[Tick],
    allowed: float,
    *,
    window_s: float = 120.0,
    end: str = "now",
    others: str = "",
) -> str:
    """Draw the CPUs used as an area, those of others behind it, and those allowed as a line.

    A mark stands where the group was throttled.

    Parameters
    ----------
    ticks
        The newest last; the right edge is the newest's `at_s`, each is as wide as its
        interval. What lies outside of the window, or has no value, is left blank.
    allowed
        CPUs allowed, where no tick tells.
    window_s
        Seconds from the left edge to the right one.
    end
        What the right edge is called.
    others
        Who the others of the group are, where that is known.

    Returns
    -------
    str
        An ``svg`` element of at most `MOST_BYTES` bytes with role ``img`` and an
        ``aria-label`` that says the same in words.
    """
    label = str(escape(chart_words(ticks, allowed, window_s=window_s)))
    shown = [tick for tick in ticks if _inside(tick, ticks[-1].at_s, window_s)]
    svg = ""
    for most in (240, 120, 60, 30):
        steps = _steps(shown, window_s, most)
        words = _Words(label, _span(window_s), str(escape(end)), str(escape(others)))
        svg = _drawn(steps, allowed, words)
        if len(svg.encode()) <= MOST_BYTES:
            break
    return svg


def chart_words(ticks: Sequence[Tick], allowed: float, *, window_s: float = 120.0) -> str:
    """Give in words what `cpu_chart` draws."""
    words = f"CPUs used in the last {_span(window_s)}"
    shown = [tick for tick in ticks if _inside(tick, ticks[-1].at_s, window_s)]
    known = [(tick, used) for tick in shown if (used := _finite(tick.cpus)) is not None]
    allowed = shown[-1].allowed_cpus if shown else allowed
    if not known:
        return f"{words}: not known yet; {cpus_words(allowed)} allowed"
    now = _finite(shown[-1].cpus)
    words += f": now {'not known' if now is None else format(now, '.2f')}, "
    words += f"at most {max(used for _, used in known):.2f}; {cpus_words(allowed)} allowed"
    full = sum(t.interval_s for t, used in known if used >= _AT_LIMIT * t.allowed_cpus)
    others = _finite(shown[-1].others_cpus)
    if others is not None and others >= _LEAST_OTHERS:
        words += f"; others here use {others:.2f}"
    if full:
        words += f"; at the limit for {full:.0f} s"
    stopped = sum(tick.interval_s for tick in shown if tick.throttled)
    return f"{words}; throttled in {stopped:.0f} s of them" if stopped else words


def sparkline(ticks: Sequence[Tick], *, window_s: float = 120.0, columns: int = 60) -> str:
    """Give the CPUs used as a line of block characters, the newest right; "" without a value."""
    shown = [tick for tick in ticks if _inside(tick, ticks[-1].at_s, window_s)]
    highest = _highest(((_finite(t.cpus), t.allowed_cpus) for t in shown), 0.0)
    if not any(_finite(tick.cpus) is not None for tick in shown):
        return ""
    cells = [" "] * columns
    for tick in shown:
        used = _finite(tick.cpus)
        if used is not None:
            age = (ticks[-1].at_s - tick.at_s) / window_s
            at = max(0, columns - 1 - int(age * columns))
            cells[at] = "▁▂▃▄▅▆▇█"[min(7, int(8 * used / highest))]
    return "".join(cells).lstrip()


def _inside(tick: Tick, newest_s: float, window_s: float) -> bool:
    """Tell whether a tick is in the window; after the clock was set back, older ones are not."""
    return 0 <= newest_s - tick.at_s < window_s


def _steps(ticks: Sequence[Tick], window_s: float, most: int) -> list[_Step]:
    """Place the ticks, several as one where there are more than `most`."""
    if not ticks:
        return []
    newest_s = ticks[-1].at_s
    size = math.ceil(len(ticks) / most)
    steps: list[_Step] = []
    # Groups are counted from the newest back, so that the right edge is a whole one.
    first = len(ticks) % size
    starts = [0, *range(first, len(ticks), size)] if first else list(range(0, len(ticks), size))
    for start, end in zip(starts, [*starts[1:], len(ticks)], strict=True):
        part = ticks[start:end]
        cpus = _mean((tick.cpus, tick.interval_s) for tick in part)
        others = _mean((tick.others_cpus, tick.interval_s) for tick in part)
        begin = _x(newest_s - part[0].at_s + max(0.0, part[0].interval_s), window_s)
        to = _x(newest_s - part[-1].at_s, window_s)
        if steps and begin - steps[-1].to <= 2:
            begin = steps[-1].to
        if not steps and end == len(ticks) and cpus is not None:
            begin = min(begin, to - 2)  # alone it must be seen, however short it was
        if to > begin:
            throttled = any(t.throttled for t in part)
            steps.append(_Step(begin, to, cpus, part[-1].allowed_cpus, throttled, others))
    return steps


def _mean(values: Iterable[tuple[float | None, float]]) -> float | None:
    """Give the mean of values that lasted so many seconds; None when none is known."""
    known = [(u, seconds) for value, seconds in values if (u := _finite(value)) is not None]
    whole_s = sum(seconds for _, seconds in known)
    return sum(used * seconds for used, seconds in known) / whole_s if whole_s > 0 else None


def _drawn(steps: Sequence[_Step], allowed: float, words: _Words) -> str:
    most = ((step.together or step.cpus, step.allowed) for step in steps)
    highest = _highest(most, allowed)
    lines = [(step.x, step.to, _y(step.allowed, highest)) for step in steps]
    if not lines:
        lines = [(0, _WIDE, _y(allowed, highest))]
    # The line goes on to the left: a chart that has just begun shows what is allowed, too.
    line = _outlined([(0, lines[0][0], lines[0][2]), *lines] if lines[0][0] > 0 else lines)
    used = [(s.x, s.to, _y(s.cpus, highest)) for s in steps if s.cpus is not None]
    behind = [
        (s.x, s.to, _y(s.together, highest))
        for s in steps
        if s.together is not None and (s.others or 0.0) >= _LEAST_OTHERS
    ]
    marks = [(s.x, s.to, _HIGH - 3) for s in steps if s.throttled]
    now = steps[-1].allowed if steps else allowed
    brand, text = TONES["brand"], f'font-size="10" fill="{TONES["dim"]}"'
    legend = []
    if behind:
        legend.append(f'<tspan fill="{brand}">\N{BLACK SQUARE}</tspan> this kernel')
        legend.append(
            f'<tspan fill="{TONES["band"]}">\N{BLACK SQUARE}</tspan> others here{words.others}'
        )
    if marks:
        legend.append(f'<tspan fill="{TONES["warn"]}">\N{BLACK RECTANGLE}</tspan> throttled')
    below = ""
    if legend:
        below = f'<text class="omp-legend" x="50%" y="{_PX + 13}" text-anchor="middle" {text}>'
        below += f"{' '.join(legend)}</text>\n"
    # Where tags are stripped, as in a notebook that is not trusted, the words stay: hence the ends
    # of lines between them.
    return (
        f'<svg class="omp-chart" width="100%" height="{_PX + 16}" role="img" '
        f'aria-label="{words.label}">'
        f'<svg class="omp-plot" width="100%" height="{_PX}" viewBox="0 0 {_WIDE} {_HIGH}" '
        'preserveAspectRatio="none"><g fill="none">'
        + (f'<path d="{_filled(behind)}" fill="{TONES["band"]}"/>' if behind else "")
        + f'<path d="{_filled(used)}" fill="{brand}" fill-opacity=".4" stroke="{brand}" '
        'stroke-width="1.5" vector-effect="non-scaling-stroke"/>'
        f'<path d="{_outlined(marks)}" stroke="{TONES["warn"]}" stroke-width="4" '
        'vector-effect="non-scaling-stroke"/>'
        f'<path d="{line}" stroke="{TONES["err"]}" stroke-dasharray="4 3" '
        'vector-effect="non-scaling-stroke"/></g></svg>'
        f'<line x2="100%" y1="{_PX + 0.5}" y2="{_PX + 0.5}" stroke="{TONES["line"]}"/>'
        f'<path d="M2 6.5h18" stroke="{TONES["err"]}" stroke-dasharray="4 3"/>'
        f'<text x="24" y="10" {text}>{cpus_words(now)} allowed</text>\n'
        + (
            ""
            if used or steps
            else f'<text x="50%" y="40" text-anchor="middle" {text}>no sample yet</text>\n'
        )
        + below
        + f'<text x="2" y="{_PX + 13}" {text}>{words.span} ago</text>\n'
        f'<text x="100%" dx="-2" y="{_PX + 13}" text-anchor="end" class="omp-now" {text}>'
        f"{words.end}</text></svg>"
    )


def _filled(steps: Iterable[tuple[int, int, int]]) -> str:
    """Give the outline of the area; what runs outside of the drawing is cut off there."""
    path, x, y = "", -1, -1
    for begin, to, level in steps:
        if begin != x:
            path += f"{f'H{x}V{_OUTSIDE}' if path else ''}M{begin} {_OUTSIDE}V{level}"
        elif level != y:
            path += f"H{x}V{level}"
        x, y = to, level
    if not path:
        return ""
    return f"{path}H{x + 9 if x >= _WIDE else x}V{_OUTSIDE}"


def _outlined(steps: Iterable[tuple[int, int, int]]) -> str:
    """Give a line of levels; pieces that touch are one."""
    path, x, y = "", -1, -1
    for begin, to, level in steps:
        if begin != x:
            path += f"{f'H{x}' if path else ''}M{begin} {level}"
        elif level != y:
            path += f"H{x}V{level}"
        x, y = to, level
    return f"{path}H{x}" if path else ""


def _highest(values: Iterable[tuple[float | None, float]], allowed: float) -> float:
    """Give what the height of the drawing stands for: the larger of used and allowed."""
    most = max((max(used or 0.0, may) for used, may in values), default=allowed)
    return most if math.isfinite(most) and most > 0 else 1.0


def _x(age_s: float, window_s: float) -> int:
    return max(0, round(_WIDE * (1 - age_s / window_s)))


def _y(value: float, highest: float) -> int:
    return round(_HIGH - (_HIGH - _HEADROOM) * max(0.0, min(1.0, value / highest)))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def short(value: float) -> str:
    """Give a number for a drawing in as few characters as do."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _span(window_s: float) -> str:
    return f"{window_s / 60:.3g} min" if window_s >= 60 else f"{window_s:.3g} s"
