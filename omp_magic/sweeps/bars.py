"""A bar while a sweep runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..bars import Bar
from .running import Progress


@contextmanager
def bar(shown: bool | None) -> Iterator[Callable[[Progress], None]]:
    """Show a bar with the time left."""
    drawn = Bar(shown)

    def told(progress: Progress) -> None:
        left = "" if progress.left_s is None else f" about {_rough(progress.left_s)} left"
        run = f"run {progress.done + 1} of {progress.total}{left}"
        drawn.tell(progress.done, progress.total, progress.label, run)

    try:
        yield told
    finally:
        drawn.close()


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
