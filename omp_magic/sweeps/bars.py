"""A bar while a sweep runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .running import Progress

_LOG = logging.getLogger("omp_magic")


@contextmanager
def bar(shown: bool | None) -> Iterator[Callable[[Progress], None]]:
    """Show a bar with the time left. One that fails is logged, and the sweep goes on without it."""
    if shown is None:
        shown = "ipykernel" in sys.modules or _is_terminal()
    drawn: Any = None

    def told(progress: Progress) -> None:
        nonlocal drawn, shown
        if not shown:
            return
        try:
            drawn = _made() if drawn is None else drawn
            drawn.total, drawn.n = progress.total, progress.done
            left = "" if progress.left_s is None else f" about {_rough(progress.left_s)} left"
            run = f"run {progress.done + 1} of {progress.total}{left}"
            drawn.bar_format = _form(f"{progress.label} ", run)
            drawn.refresh()
        except Exception as error:  # noqa: BLE001 - no tqdm, a stream that is closed, a widget
            shown = False
            name = type(error).__name__
            _LOG.warning("omp_magic: no bar is shown (%s: %s)", name, error)

    try:
        yield told
    finally:
        if drawn is not None:
            with suppress(Exception):
                # A bar that is not full is left on the page, in red, as if something had failed.
                drawn.n = drawn.total
                drawn.close()


def _made() -> Any:
    """Give a bar of tqdm, without its monitor, which is a thread."""
    from tqdm.auto import tqdm  # noqa: PLC0415 - only who waits pays

    class Bar(tqdm):  # type: ignore[type-arg]  # tqdm.auto's class is made while it runs
        monitor_interval = 0

    return Bar(total=1, leave=False, bar_format=_form("", ""))


def _form(label: str, run: str) -> str:
    """Give a line of tqdm's; its own postfix would begin with a comma."""
    return f"{label}{{percentage:3.0f}}%|{{bar}}| {run}"


def _is_terminal() -> bool:
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
