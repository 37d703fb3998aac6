"""A sweep -> inline SVG: speed-up by threads, with the ideal line and the fit.

Plain strings, as `panel.chart`: nothing is imported for a picture. Colours are the page's own, so
it reads in dark and light.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import escape

from ..facts.sweeps import Point, Sweep
from .tones import TONES

_WIDE, _HIGH = 560, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 14, 14, 30
_STEPS = 48
_MOST_TICKS = 8


def chart_of(sweep: Sweep) -> str:
    """Draw the speed-up of each point with its interval, the ideal line, and the best fit.

    Returns
    -------
    str
        An ``svg`` element with role ``img`` and an ``aria-label`` that says the same in words; ""
        for a single point, which has no curve.
    """
    points = [point for point in sweep.points if point.median_s > 0]
    if len(points) < 2:
        return ""
    scale = _Scale(sweep, points)
    label = str(escape(chart_words(sweep)))
    head = f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{label}" '
    parts = [
        f'{head}style="height:{_HIGH}px;max-width:{_WIDE}px">',
        *_grid(scale, points),
        *_laws(sweep, scale),
        *_measured(sweep, scale, points),
        "</svg>",
    ]
    return "".join(parts)


def chart_words(sweep: Sweep) -> str:
    """Give in words what `chart_of` draws."""
    each = ", ".join(f"{point.speedup:.2f} with {point.threads}" for point in sweep.points)
    return f"Speed-up by number of threads: {each}"


class _Scale:
    """Where a number of threads and a speed-up lie in the drawing."""

    def __init__(self, sweep: Sweep, points: Sequence[Point]) -> None:
        self.first, self.last = points[0].threads, points[-1].threads
        base = points[0].median_s
        self.base = base
        self.most = max(1.0, *(base / point.low_s for point in points if point.low_s > 0))
        self.most = max(self.most * 1.15, min(2.0, self.last / self.first))
        self.sweep = sweep

    def x(self, threads: float) -> float:
        share = (threads - self.first) / max(1, self.last - self.first)
        return _LEFT + share * (_WIDE - _LEFT - _RIGHT)

    def y(self, speedup: float) -> float:
        share = min(1.0, max(0.0, speedup / self.most))
        return _HIGH - _BOTTOM - share * (_HIGH - _BOTTOM - _TOP)


def _grid(scale: _Scale, points: Sequence[Point]) -> Iterator[str]:
    step = _step(scale.most)
    right = _WIDE - _RIGHT
    for number in range(int(scale.most / step) + 1):
        y = scale.y(number * step)
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{TONES["line"]}" stroke-width=".5"/>'
        yield _words(f"{number * step:g}", _LEFT - 5, y + 3.5, "end")
    for number in _shown([point.threads for point in points]):
        yield _words(str(number), scale.x(number), _HIGH - _BOTTOM + 14, "middle")
    yield _words("threads", right, _HIGH - 3, "end")
    yield _words("times as fast", _LEFT, _TOP - 4, "start")


def _laws(sweep: Sweep, scale: _Scale) -> Iterator[str]:
    """Draw the ideal line as far as it fits, the CPUs allowed, and the last law that was fitted."""
    end = min(float(scale.last), scale.first * scale.most)
    top = end / scale.first
    line = f"M{scale.x(scale.first):.1f} {scale.y(1):.1f}L{scale.x(end):.1f} {scale.y(top):.1f}"
    yield f'<path d="{line}" fill="none" stroke="{TONES["dim"]}" stroke-dasharray="2 4"/>'
    yield _words("ideal", scale.x(end) - 4, scale.y(top) + 12, "end")
    cpus = sweep.allowed_cpus
    if scale.first < cpus < scale.last:
        x = scale.x(cpus)
        path = f"M{x:.1f} {_TOP}V{_HIGH - _BOTTOM}"
        yield f'<path d="{path}" stroke="{TONES["err"]}" stroke-dasharray="4 3"/>'
        yield _words(f"{cpus:g} CPUs", x + 4, _HIGH - _BOTTOM - 6, "start")
    if sweep.fits:
        fit = min(sweep.fits, key=lambda each: each.residual)
        path = ""
        for n in range(_STEPS + 1):
            threads = scale.first + (scale.last - scale.first) * n / _STEPS
            speedup = scale.base / fit.seconds_at(threads)
            path += f"{'L' if path else 'M'}{scale.x(threads):.1f} {scale.y(speedup):.1f}"
        yield f'<path d="{path}" fill="none" stroke="{TONES["brand"]}" stroke-opacity=".45"/>'


def _measured(sweep: Sweep, scale: _Scale, points: Sequence[Point]) -> Iterator[str]:
    path = ""
    for point in points:
        x, y = scale.x(point.threads), scale.y(point.speedup)
        path += f"{'L' if path else 'M'}{x:.1f} {y:.1f}"
        if point.low_s > 0 and point.high_s > point.low_s:
            low, high = scale.y(scale.base / point.high_s), scale.y(scale.base / point.low_s)
            yield f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{TONES["brand"]}"/>'
    yield f'<path d="{path}" fill="none" stroke="{TONES["brand"]}" stroke-width="1.5"/>'
    for point in points:
        x, y = scale.x(point.threads), scale.y(point.speedup)
        best = point.threads == sweep.best
        colour, size = (TONES["ok"], 6) if best else (TONES["brand"], 3.5)
        title = str(escape(f"{point.threads} threads: {point.speedup:.2f} times as fast"))
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}">'
            f"<title>{title}</title></circle>"
        )
        if best:
            yield _words("best", x, y - 10, "middle")


def _shown(numbers: Sequence[int]) -> Sequence[int]:
    """Give the numbers that there is room for below the axis, the last always among them."""
    step = math.ceil(len(numbers) / _MOST_TICKS)
    return [*numbers[:-1][::step], numbers[-1]]


def _step(most: float) -> float:
    """Give the distance of the lines: 0.5, 1, 2, 5, 10 …, six lines at most."""
    for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500):
        if most / step <= 6:
            return float(step)
    return most / 5


def _words(text: str, x: float, y: float, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="10" text-anchor="{anchor}" '
        f'fill="{TONES["dim"]}">{escape(text)}</text>'
    )
