"""OMP110: code in memory that is no longer the code on disk."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import Library
from ..snapshots import Snapshot
from .rule import Case, Rule, named


def _replaced(_snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    for library in libraries:
        if library.replaced:
            yield Case(
                title=f"{named(library)} was replaced or deleted on disk after it was loaded",
                why=(
                    "This kernel still runs the old code. Importing more of the package, or "
                    "reloading it, mixes old and new files or loads a second copy of the runtime."
                ),
                evidence=(f"{library.path} is not the file that is mapped",),
                remedies=("Restart the kernel",),
            )


RULES = (
    Rule(
        code="OMP110",
        severity="warning",
        summary="a mapped library was replaced or deleted on disk",
        source="https://man7.org/linux/man-pages/man5/proc_pid_maps.5.html",
        look=_replaced,
    ),
)
