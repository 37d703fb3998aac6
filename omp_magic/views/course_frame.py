"""What was used look by look -> pandas.DataFrame, and a figure of matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..facts.looks import Course
from .drawing import new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_COUNTS = ("threads", "processes", "rss_bytes", "pss_bytes")
_RATES = ("cpus", "throttled_s")


def course_frame(course: Course) -> pd.DataFrame:
    """Give the looks as a table; what was not read is missing.

    Returns
    -------
    pandas.DataFrame
        One row a look, the oldest first: ``at_s`` since the beginning, ``interval_s`` since the
        look before, ``threads``, ``processes``, ``rss_bytes``, ``pss_bytes``, ``cpus``,
        ``throttled_s``.
    """
    import pandas as pd  # noqa: PLC0415 - it loads NumPy, and with it OpenBLAS

    looks = course.looks
    columns: dict[str, Any] = {
        name: [float(getattr(look, name)) for look in looks] for name in ("at_s", "interval_s")
    }
    kinds: tuple[tuple[tuple[str, ...], Any], ...] = ((_COUNTS, "Int64"), (_RATES, "Float64"))
    for names, kind in kinds:
        for name in names:
            values: list[Any] = [getattr(look, name) for look in looks]
            columns[name] = pd.Series(values, dtype=kind)
    frame: pd.DataFrame = pd.DataFrame(columns)
    return frame


def course_figure(course: Course) -> Figure:
    """Draw memory and CPUs over time.

    Returns
    -------
    matplotlib.figure.Figure
        With two axes, the memory above.

    Raises
    ------
    ImportError
        When matplotlib is not installed.
    """
    figure = new_figure(7, 4)
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_memory(above, course)
    _draw_cpus(below, course)
    return figure


def _draw_memory(axes: Any, course: Course) -> None:
    for name, label in (("pss_bytes", "shared pages once (PSS)"), ("rss_bytes", "RSS, summed")):
        known = [(look.at_s, getattr(look, name)) for look in course.looks]
        points = [(at_s, size / 1e9) for at_s, size in known if size is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=label)
    limit_bytes = course.limit.limit_bytes if course.limit is not None else None
    if limit_bytes and (course.memory_share or 0.0) > 0.25:
        axes.axhline(limit_bytes / 1e9, linestyle="--", color="tab:red", label="limit")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("memory (GB)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize="small")


def _draw_cpus(axes: Any, course: Course) -> None:
    known = [look for look in course.looks if look.cpus is not None]
    axes.step([look.at_s for look in known], [look.cpus for look in known], where="pre")
    axes.axhline(course.allowed_cpus, linestyle="--", color="tab:red")
    for look in known:
        if look.throttled_s:
            axes.axvspan(
                look.at_s - look.interval_s, look.at_s, alpha=0.2, color="tab:orange", linewidth=0
            )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("CPUs")
    axes.set_xlabel("seconds")
