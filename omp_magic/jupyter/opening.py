"""What ``%omp_dashboard`` does: open a panel, or close all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from ..errors import nearest
from .asking import wrong_use
from .dashboard import Panel, open_panel

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from .live import Live

_EXAMPLE = "%omp_dashboard --interval 1"


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
        When the words are others, or the interval is too short or too long.
    """
    if options.what not in ([], ["off"]):
        found, near = f"found {' '.join(options.what)!r}", nearest(options.what[0], ("off",))
        accepted = "off, --interval SECONDS"
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
    return open_panel(live)
