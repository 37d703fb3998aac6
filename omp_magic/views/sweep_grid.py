"""A sweep of workers -> a heat map: workers by threads of each, a number in each cell.

Inline SVG of plain strings, as `sweep_chart`. The shade is one colour, let through by the page's
own ground, so that the text on it reads in dark and light; the number says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import escape

from ..facts.sweeps import Point, Sweep
from .tones import TONES
from .words import counted

_WIDE, _LEFT, _TOP = 560, 104, 34
_CELL_WIDE, _CELL_HIGH, _GAP = 92, 38, 3
_FAINT, _FULL = 0.06, 0.55
_DIM = f'font-size="10" fill="{TONES["dim"]}"'
_STRONG = 'font-size="12" fill="var(--fg,currentColor)"'
_SMALL = 'font-size="9" fill="var(--fg,currentColor)"'
HERE = "this process"


def column_of(point: Point) -> str:
    """Give the words above a point's column."""
    return str(point.workers) if point.workers else HERE


def rows_of(sweep: Sweep) -> list[tuple[str, dict[int, Point]]]:
    """Give the rows: their words, and the points by number of workers; 0 is this process.

    A row is a number of threads, or, where each number of workers had one alone, a kind of pool;
    with both, each has its rows.
    """
    points = [point for point in sweep.points if point.workers]
    kinds = list(dict.fromkeys(point.kind for point in points))
    alone = len({(point.kind, point.workers) for point in points}) == len(points)
    rows: dict[tuple[int, int], dict[int, Point]] = {}
    for point in points:
        key = (kinds.index(point.kind), 0 if alone else point.threads)
        rows.setdefault(key, {})[point.workers] = point
    found = []
    for (kind, threads), row in sorted(rows.items()):
        each = f"{threads} thread{'' if threads == 1 else 's'} each" if threads else ""
        name = kinds[kind] if len(kinds) > 1 or not each else ""
        found.append((" ".join(part for part in (name, each) if part) or "workers", row))
    here = next((point for point in sweep.points if not point.workers), None)
    if here is not None and found:
        at = next((n for n, (_, row) in enumerate(found) if _has(row, here.threads)), 0)
        found[at][1][0] = here
    return found


def _has(row: dict[int, Point], threads: int) -> bool:
    return any(point.threads == threads for point in row.values())


def grid_of(sweep: Sweep) -> str:
    """Draw the grid.

    Returns
    -------
    str
        An ``svg`` element with role ``img`` and an ``aria-label`` that says the same in words; ""
        where no workers were run.
    """
    rows = rows_of(sweep)
    if not rows:
        return ""
    columns = sorted({number for _, row in rows for number in row})
    wide = min(_CELL_WIDE, (_WIDE - _LEFT) // len(columns))
    high = _TOP + len(rows) * _CELL_HIGH + 4
    label = str(escape(grid_words(sweep)))
    head = f'<svg viewBox="0 0 {_WIDE} {high}" role="img" aria-label="{label}" '
    parts = [f'{head}style="height:{high}px;max-width:{_WIDE}px">', *_head(columns, wide)]
    most = max(point.speedup for _, row in rows for point in row.values())
    for number, (name, row) in enumerate(rows):
        y = _TOP + number * _CELL_HIGH
        parts.append(_words(name, _LEFT - 8, y + _CELL_HIGH / 2 + 3, "end"))
        for place, workers in enumerate(columns):
            parts += _cell(row.get(workers), sweep, (_LEFT + place * wide, y, wide), most)
    return "".join([*parts, "</svg>"])


def grid_words(sweep: Sweep) -> str:
    """Give in words what `grid_of` draws."""
    told = []
    for point in sweep.points:
        kind = f"{point.kind} " if point.kind else ""
        threads = f"of {point.threads} thread{'' if point.threads == 1 else 's'}"
        s = "" if point.workers == 1 else "s"
        who = f"{point.workers} {kind}worker{s} {threads}" if point.workers else HERE
        best = ", the best" if sweep.is_best(point) else ""
        told.append(f"{who}: {point.speedup:.2f}{best}")
    return f"Speed-up by workers and threads of each: {'; '.join(told)}"


def _head(columns: Sequence[int], wide: int) -> Iterator[str]:
    first = 1 if columns[0] == 0 else 0
    if first:
        yield _words(HERE, _LEFT + wide / 2, _TOP - 6, "middle")
    for place, number in enumerate(columns[first:], start=first):
        yield _words(str(number), _LEFT + (place + 0.5) * wide, _TOP - 6, "middle")
    yield _words("workers", _LEFT + first * wide, 12, "start")


def _cell(
    point: Point | None, sweep: Sweep, place: tuple[float, float, float], most: float
) -> Iterator[str]:
    x, y, wide = place
    middle = x + wide / 2
    if point is None:
        yield _words("\N{EN DASH}", middle, y + _CELL_HIGH / 2 + 3, "middle")
        return
    shade = _FAINT + (_FULL - _FAINT) * min(1.0, point.speedup / most)
    best = sweep.is_best(point)
    edge = f'stroke="{TONES["ok"]}" stroke-width="2"' if best else 'stroke="none"'
    yield (
        f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{wide - _GAP}" '
        f'height="{_CELL_HIGH - _GAP}" rx="3" fill="{TONES["brand"]}" '
        f'fill-opacity="{shade:.2f}" {edge}><title>{escape(_title(point))}</title></rect>'
    )
    second = f"{point.threads} thr.{', best' if best else ''}"
    yield _words(f"{point.speedup:.2f}", middle, y + 17, "middle", _STRONG)
    yield _words(second, middle, y + 30, "middle", _SMALL)


def _title(point: Point) -> str:
    who = counted(point.workers, "worker") if point.workers else HERE
    each = f"{counted(point.threads, 'thread')}{' each' if point.workers else ''}"
    return f"{who}, {each}: {point.speedup:.2f} times as fast"


def _words(text: str, x: float, y: float, anchor: str, look: str = _DIM) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place} {look}>{escape(text)}</text>"
