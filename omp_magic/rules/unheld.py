"""OMP209: a limit that was not held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from ..knowledge.passed import ARGUMENTS
from .rule import Case, Rule

if TYPE_CHECKING:
    from ..facts.overruns import Overrun


def _unheld(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    for overrun in snapshot.overruns:
        yield Case(
            title=overrun.sentence,
            why=(
                f"{overrun.set_by} has set this pool's count. A parallel region that names a "
                "number of threads takes that number, whatever the count is, and nobody but the "
                "code that names it can lower it."
            ),
            evidence=(
                f"{overrun.worked} threads worked, {overrun.allowed} allowed",
                (
                    f"the pool's own used {overrun.cpu_s:.2f} s of CPU time, the calling one "
                    f"{overrun.caller_cpu_s:.2f} s"
                ),
                f"owner of the threads: {overrun.path}",
            ),
            remedies=tuple(_remedies(overrun)),
        )


def _remedies(overrun: Overrun) -> Iterator[str]:
    number = overrun.allowed
    rows = {each.name: each for each in ARGUMENTS}
    for passing in overrun.passing:
        row = rows[passing.name]
        yield f"Pass the number to {row.name} where you call it, as {row.arguments[0]}={number}"
        if row.obeys_from is not None:
            version = ".".join(map(str, row.obeys_from))
            yield (
                f"Limits hold later versions, after a restart of the kernel: "
                f"%pip install '{row.module}>={version}'"
            )
    if not overrun.passing:
        yield f"Pass {number} to the call, where it takes n_jobs, num_threads or nthread"
    yield (
        "No region goes past this, in the first cell after a restart: "
        f"import os; os.environ['OMP_THREAD_LIMIT'] = '{number}'"
    )


RULES: tuple[Rule, ...] = (
    Rule(
        code="OMP209",
        severity="warning",
        summary="a limit was not held: more threads worked than it allows",
        source="https://github.com/lightgbm-org/LightGBM/issues/4705",
        look=_unheld,
    ),
)
