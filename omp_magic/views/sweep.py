"""A sweep -> its rows of words, lines of text, and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts.sweeps import Fit, Point, Sweep
from . import sweep_workers
from .lines import Cell, table, verdict_lines, wrapped
from .plain import for_display, joined, terminal_columns
from .sweep_words import runs_words, short_s
from .usage import megabytes
from .words import DASH, counted

if TYPE_CHECKING:
    from rich.text import Text

_MARK = "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"
COLUMNS = (
    *(">threads", ">time", "95 % of median", ">speed-up", ">efficiency", ">CPU"),
    *(">memory", ">runs"),
)


def between(point: Point) -> str:
    """Give the interval of a point's median."""
    counted_runs = len(point.runs) - point.disturbed or len(point.runs)
    if counted_runs < 2:
        return DASH
    low, high = short_s(point.low_s), short_s(point.high_s)
    number, _, unit = low.partition(" ")
    # The unit once, where it is the same: in 80 columns each row would have a second line.
    return f"{number if high.endswith(f' {unit}') else low} {DASH} {high}"


def columns_of(sweep: Sweep) -> tuple[str, ...]:
    """Give the names of the columns; ``">"`` before one puts its cells at the right."""
    return sweep_workers.columns_of(sweep) if sweep.has_workers else COLUMNS


def cells_of(point: Point, sweep: Sweep) -> tuple[str, ...]:
    """Give a point as words, in the order of `columns_of`."""
    if sweep.has_workers:
        return sweep_workers.cells_of(point, sweep)
    first = point is sweep.points[0]
    peak = point.peak_rss_bytes
    return (
        str(point.threads),
        short_s(point.median_s),
        between(point),
        "1" if first else f"{point.speedup:.2f}",
        "" if first else f"{point.efficiency:.0%}",
        DASH if point.cpu_s is None else short_s(point.cpu_s),
        DASH if peak is None else f"{megabytes(peak)} MB",
        runs_words(point),
    )


def fit_words(fit: Fit) -> str:
    """Give a law in words, with what its figures mean."""
    off = f"{fit.residual:.1%} off"
    if fit.law == "Amdahl":
        if fit.serial >= 1:
            return f"Amdahl's law: nothing runs in parallel ({off})"
        most = f"never more than {1 / fit.serial:.3g} times as fast" if fit.serial else "no bound"
        return f"Amdahl's law: {fit.serial:.1%} runs on one thread alone, {most} ({off})"
    peak = (
        ""
        if fit.peak_threads is None
        else f", fastest at {counted(round(fit.peak_threads), 'thread')}"
    )
    figures = f"contention {fit.serial:.3f}, crosstalk {fit.crosstalk:.4f}"
    return f"Universal Scalability Law: {figures}{peak} ({off})"


def left_out_words(sweep: Sweep) -> str:
    """Give the points that were not run, by reason, or ""."""
    labels: dict[str, list[str]] = {}
    for label, why in sweep.left_out:
        labels.setdefault(why, []).append(label)
    parts = [f"{', '.join(each)}, since {why}" for why, each in labels.items()]
    return f"not run: {'; '.join(parts)}" if parts else ""


def notes_of(sweep: Sweep) -> tuple[str, ...]:
    """Give what is to be known besides the table, a sentence each."""
    gaps = (f"not known: {gap.what} ({gap.why})" for gap in sweep.gaps)
    left = left_out_words(sweep)
    calls = max((run.calls for point in sweep.points for run in point.runs), default=1)
    short = f"the code is short: a run calls it up to {calls} times, and times are of one call"
    return (
        *sweep.notes,
        *((left,) if left else ()),
        *((short,) if calls > 1 else ()),
        *map(fit_words, sweep.fits),
        *gaps,
    )


def command_of(sweep: Sweep) -> tuple[str, str]:
    """Give what the answer is for, and the line that puts it in force."""
    doubt = "" if sweep.reliable else "if a quieter run says the same, "
    if sweep.best_workers:
        return f"{doubt}the best pool", sweep_workers.pool_code(sweep)
    return f"{doubt}for this session", f"%omp_limit {sweep.spec}"


def layout(sweep: Sweep) -> list[Text]:
    """Give a sweep as lines: the answer, the points, what is to be known, how to apply it."""
    width = terminal_columns()
    lines = verdict_lines(sweep.verdict, sweep.tone, width)
    rows: list[list[Cell]] = []
    for point in sweep.points:
        mark, style = (_MARK, "bold") if sweep.is_best(point) else ("", "")
        cells = cells_of(point, sweep)
        rows.append([(cell, style) for cell in (mark, *cells)])
    lines += table(("", *columns_of(sweep)), rows, width, indent=0)
    for note in notes_of(sweep):
        lines += wrapped(note, width, first="  \N{MIDDLE DOT} ", further="    ", style="dim")
    what, code = command_of(sweep)
    lines += wrapped(code, width, first=f"  {what}: ", further="    ", style="not dim")
    return lines


def render_text(sweep: Sweep) -> str:
    """Give a sweep as text without colour."""
    return joined(layout(sweep))


def render_display(sweep: Sweep) -> str:
    """Give a sweep as IPython shows it."""
    return for_display(layout(sweep))


def render_html(sweep: Sweep) -> str:
    """Give a sweep as one HTML fragment with its own style and drawing."""
    from markupsafe import Markup  # noqa: PLC0415 - jinja2's

    from .html import environment  # noqa: PLC0415 - jinja2, 20 ms
    from .sweep_chart import chart_of  # noqa: PLC0415 - only a page draws
    from .sweep_grid import grid_of  # noqa: PLC0415 - as above

    return (
        environment()
        .get_template("sweep.html")
        .render(
            s=sweep,
            columns=[
                (name.lstrip(">"), n and name.startswith(">"))
                for n, name in enumerate(columns_of(sweep))
            ],
            rows=[(sweep.is_best(point), cells_of(point, sweep)) for point in sweep.points],
            notes=notes_of(sweep),
            runs=counted(sum(len(point.runs) for point in sweep.points), "run"),
            chart=Markup(grid_of(sweep) if sweep.has_workers else chart_of(sweep)),  # noqa: S704 - numbers, and words that are escaped there
            of="workers and threads" if sweep.has_workers else "number of threads",
            command=command_of(sweep),
        )
    )
