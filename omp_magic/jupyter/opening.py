"""What ``%omp_dashboard`` does: open a panel, or close all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import nearest
from .asking import wrong_use
from .dashboard import Panel

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from .live import Live

_EXAMPLE = "%omp_dashboard --interval 1"
_ASIDE = (
    "omp_dashboard: it is at the right of JupyterLab's page. If not, load that anew after this, "
    "where JupyterLab runs: pip install sidecar"
)


def opened(options: Namespace, live: Live | None, make: Callable[[], Live]) -> Panel | None:
    """Open a panel in the cell that runs; with ``off`` close all.

    Parameters
    ----------
    options
        The words of the line.
    live
        What the panels share, where there is one.
    make
        Makes it.

    Raises
    ------
    UsageError
        When the words are others, the interval is too short or too long, or there is no place
        at the side.
    """
    if options.what not in ([], ["off"]):
        found, near = f"found {' '.join(options.what)!r}", nearest(options.what[0], ("off",))
        accepted = "off, --side, --interval SECONDS"
        raise UsageError(wrong_use("omp_dashboard", found, accepted, _EXAMPLE, near))
    if options.what:
        if live is not None:
            live.close()
        return None
    if options.interval is not None and not 0.2 <= options.interval <= 60:
        found = f"found --interval {options.interval:g}"
        accepted = "off, --interval with 0.2 to 60 seconds"
        raise UsageError(wrong_use("omp_dashboard", found, accepted, _EXAMPLE))
    live = make() if live is None else live
    if options.interval is not None:
        live.set_interval(options.interval)
    if options.side and not live.threaded:
        raise UsageError("omp_dashboard: --side needs JupyterLab; example: %omp_dashboard")
    panel = Panel(live, live.main.place(), aside=options.side)
    if options.side:
        print(_ASIDE)
    live.add(panel)
    return panel
