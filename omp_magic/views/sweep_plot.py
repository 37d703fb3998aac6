"""A sweep -> a figure of matplotlib's, or the same as SVG where there is no matplotlib."""

from __future__ import annotations

import textwrap
from typing import Any

from ..facts.sweeps import Sweep
from .drawing import Drawing, new_figure
from .sweep_chart import chart_of, chart_words
from .sweep_grid import column_of, grid_of, grid_words, rows_of

_TITLE = 56


def plot_sweep(sweep: Sweep, ax: Any = None) -> Any:
    """Draw speed-up against threads, or the grid of workers by threads.

    Parameters
    ----------
    sweep
        What is drawn.
    ax
        matplotlib's Axes to draw on; a new figure when None.

    Returns
    -------
    matplotlib.figure.Figure, matplotlib.axes.Axes or Drawing
        The figure, or the Axes that were given; a drawing where there is no matplotlib.
    """
    figure = None
    if ax is None:
        try:
            figure = new_figure(6, 3.5)
        except ImportError:
            if sweep.has_workers:
                return Drawing(grid_of(sweep), grid_words(sweep))
            return Drawing(chart_of(sweep), chart_words(sweep))
        ax = figure.add_subplot()
    (_plot_grid if sweep.has_workers else _plot_curve)(sweep, ax)
    return ax if figure is None else figure


def _plot_curve(sweep: Sweep, ax: Any) -> None:
    numbers = [point.threads for point in sweep.points]
    base = sweep.points[0].median_s
    low = [point.speedup - base / point.high_s for point in sweep.points]
    high = [base / point.low_s - point.speedup for point in sweep.points]
    speedups = [point.speedup for point in sweep.points]
    ax.plot(numbers, [n / numbers[0] for n in numbers], ":", color="grey", label="ideal")
    bars = [[max(0.0, each) for each in low], [max(0.0, each) for each in high]]
    ax.errorbar(numbers, speedups, yerr=bars, marker="o", capsize=2, label="measured")
    if sweep.fits:
        fit = min(sweep.fits, key=lambda each: each.residual)
        places = [numbers[0] + (numbers[-1] - numbers[0]) * n / 50 for n in range(51)]
        ax.plot(places, [base / fit.seconds_at(n) for n in places], alpha=0.5, label=fit.law)
    best = sweep.best_point
    ax.plot([best.threads], [best.speedup], "o", markersize=10, color="tab:green", label="best")
    ax.set(xlabel="threads", ylabel="times as fast", title=textwrap.fill(sweep.verdict, _TITLE))
    ax.set_ylim(bottom=0, top=1.25 * max(1.0, *speedups))
    ax.legend()


def _plot_grid(sweep: Sweep, ax: Any) -> None:
    """Draw a cell for each point, with its speed-up."""
    rows = rows_of(sweep)
    columns = sorted({number for _, row in rows for number in row})
    nothing = float("nan")
    values = [
        [row[each].speedup if each in row else nothing for each in columns] for _, row in rows
    ]
    ax.imshow(values, cmap="Blues", vmin=0, aspect="auto", alpha=0.6)
    names = {each: column_of(row[each]) for _, row in rows for each in row}
    ax.set_xticks(range(len(columns)), [names[each] for each in columns])
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    for y, (_, row) in enumerate(rows):
        for x, each in enumerate(columns):
            if each in row:
                best = sweep.is_best(row[each])
                text = f"{row[each].speedup:.2f}" + ("\nbest" if best else "")
                weight = "bold" if best else "normal"
                ax.text(x, y, text, ha="center", va="center", weight=weight)
    ax.set(xlabel="workers", title=textwrap.fill(sweep.verdict, _TITLE))
