"""The threads of a pool -> a row of squares as inline SVG, with a line where the CPUs end."""

from __future__ import annotations

import math

from markupsafe import escape

from ..tones import TONES
from .chart import short

_BAR, _SQUARE = 240, 10
_SMALLEST = 3.0
"""Below this width a square and its gap are drawn as a solid bar."""


def squares(  # noqa: PLR0913 - each is a number of its own
    wanted: int, alive: int | None, busy: int | None, *, full: int, allowed: float, label: str
) -> str:
    """Draw threads as squares: busy ones, then those that are alive, then the wanted ones.

    Busy ones beyond the CPUs allowed have another colour, and a line stands before them.

    Parameters
    ----------
    wanted
        Threads the pool is set to.
    alive, busy
        OS threads it has, and those at work; None when unknown.
    full
        Threads that fill the width; the same for all bars that stand below each other.
    allowed
        CPUs allowed; a line stands after so many squares.
    label
        What the bar says, in words.

    Returns
    -------
    str
        An ``svg`` element of less than 1 KB without its label, however many threads there are.
    """
    unit = min(_SQUARE, _BAR / max(1, full))
    gap = 2.0 if unit >= 6 else 1.0 if unit >= _SMALLEST else 0.0
    working = min(busy or 0, full)
    living = max(working, min(alive or 0, full))
    missing = max(living, min(wanted, full))
    side = short(unit - gap)
    dash = f' stroke-dasharray="{side} {short(gap)}"' if gap else ""
    parts = [
        f'<svg class="omp-q" width="{_BAR}" height="12" viewBox="0 0 {_BAR} 12" role="img"',
        f' aria-label="{escape(label)}">',
    ]
    fit = min(working, max(0, math.ceil(allowed)))
    for start, end, tone in ((0, fit, "brand"), (fit, working, "warn"), (working, living, "idle")):
        if end > start:
            line = f"M{short(start * unit)} 6h{short((end - start) * unit)}"
            parts.append(f'<path d="{line}" stroke="{TONES[tone]}" stroke-width="8"{dash}/>')
    if missing > living:
        left, length = short(living * unit), short((missing - living) * unit)
        # An outline: upper and lower edges in one path, left and right ones as two short dashes.
        parts.append(
            f'<g stroke="{TONES["dim"]}"><path d="M{left} 2.5h{length}M{left} 9.5h{length}"'
        )
        parts.append(f"{dash}/>")
        if gap:
            edges = f"1 {short(unit - gap - 2)} 1 {short(gap)}"
            parts.append(f'<path d="M{left} 6h{length}" stroke-width="6" ')
            parts.append(f'stroke-dasharray="{edges}"/>')
        parts.append("</g>")
    if allowed < full:
        at = short(allowed * unit - gap / 2)
        parts.append(f'<path d="M{at} 0v12" stroke="{TONES["err"]}" stroke-width="1.5"/>')
    parts.append("</svg>")
    return "".join(parts)
