"""What the live dashboard is made of: a snapshot, the ticks since, and what the controls said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...facts.snapshots import Snapshot
from ...facts.ticks import Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFacts:
    """All that the panel shows.

    Parameters
    ----------
    snapshot
        The last one taken on the main thread: pools, counts, findings, limits, budget.
    ticks
        What the sampler saw, the newest last.
    cell
        What the kernel is doing: ``"cell [14] running 12 s"`` or ``"idle"``.
    paused
        Whether the sampler is stopped for now.
    interval_s
        Seconds between two ticks.
    threaded
        Whether a thread looks; else it is looked after each cell.
    guard
        The guard's mode: ``"off"``, ``"warn"`` or ``"raise"``.
    message
        What a control did or will do, or "".
    labels
        Names of owners of threads by their path: ``"OpenBLAS (numpy)"``.
    order
        Keys of the table's rows in the order that stays until the next cell has ended; empty
        where it is to be made anew.
    shown
        Keys of those that are not folded away; None where that is to be found anew.
    boxed
        Keys of those that have a number box.
    saved
        Whether it is for a page that does not change any more.
    """

    snapshot: Snapshot
    ticks: tuple[Tick, ...] = ()
    cell: str = "idle"
    paused: bool = False
    interval_s: float = 1.0
    threaded: bool = True
    guard: str = "warn"
    message: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    shown: frozenset[str] | None = None
    boxed: frozenset[str] = frozenset()
    saved: bool = False

    @property
    def newest(self) -> Tick | None:
        """The last tick, or None."""
        return self.ticks[-1] if self.ticks else None

    @property
    def allowed_cpus(self) -> float:
        """CPUs allowed, as the last tick saw it."""
        return self.ticks[-1].allowed_cpus if self.ticks else self.snapshot.budget.cpus

    @property
    def window_s(self) -> float:
        """Seconds that the chart shows: two minutes, four where ticks are far apart."""
        return 120.0 if self.interval_s <= 1 else 240.0
