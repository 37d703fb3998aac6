"""The runs of one case, and what they say of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..facts.sweeps import Run
from .cases import counted_threads


@dataclass(frozen=True, slots=True)
class Measured:
    """The runs of one case.

    Parameters
    ----------
    threads, workers, kind
        As in `Point`.
    runs
        What was measured.
    startup_s, sending_s, worker_bytes
        As in `Point`.
    name
        What it is called where its number of threads alone does not tell.
    """

    threads: int
    runs: Sequence[Run]
    workers: int = 0
    kind: str = ""
    startup_s: float | None = None
    sending_s: float | None = None
    worker_bytes: int | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """What it is called."""
        return self.name or counted_threads(self.threads)

    @property
    def counting(self) -> Sequence[Run]:
        """The runs that count: undisturbed ones, where there are any."""
        return [run for run in self.runs if not run.disturbed] or self.runs

    @property
    def spoiled(self) -> bool:
        """Whether every run was disturbed, so that its time is too long."""
        return all(run.disturbed for run in self.runs)

    @property
    def counted(self) -> list[float]:
        """Their times."""
        return [run.wall_s for run in self.counting]

    @property
    def median_s(self) -> float:
        """The middle one of them."""
        return statistics.median(self.counted)

    @property
    def busy_cpus(self) -> float | None:
        """CPUs that were busy on average; None when not known: threads that wait keep none busy."""
        busy = [
            run.cpu_s / run.wall_s
            for run in self.runs
            if run.cpu_s is not None and run.wall_s and not run.disturbed
        ]
        return statistics.median(busy) if busy else None
