"""OMP202 and OMP204: what child processes do with threads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..facts.cpus import cpus_words
from ..facts.libraries import Library
from ..facts.snapshots import Snapshot
from .rule import Case, Rule, named

_TRACKER = re.compile(r"(resource|semaphore)_tracker|forkserver import main")
"""Children that multiprocessing and loky start for themselves; loky's tracker imports NumPy."""


def _crowded(snapshot: Snapshot, _libraries: tuple[Library, ...]) -> Iterator[Case]:
    allowed = snapshot.budget.threads
    workers = [each for each in snapshot.children if not _TRACKER.search(each.command)]
    sizes = [child.pool_threads or 1 for child in workers]
    if len(sizes) < 2 or max(sizes) < 2 or sum(sizes) <= allowed:
        return
    each = max(1, allowed // len(sizes))
    counted = f"{len(sizes)} workers with up to {max(sizes)} threads each"
    yield Case(
        title=f"{counted} on {cpus_words(snapshot.budget.cpus)}",
        why=(
            f"Together their pools have {sum(sizes)} threads. Each worker sizes its pools by the "
            "CPUs it sees and knows nothing of the others."
        ),
        evidence=tuple(
            f"pid {child.pid}: pool of {child.pool_threads or 'unknown size'}, "
            f"{child.num_os_threads} OS threads, {'forked' if child.forked else child.command}"
            for child in workers[:8]
        ),
        remedies=(
            f"In joblib: joblib.parallel_config('loky', inner_max_num_threads={each})",
            (
                "Before other pools are made: "
                "import os; os.environ.update("
                f"OMP_NUM_THREADS='{each}', OPENBLAS_NUM_THREADS='{each}')"
            ),
        ),
    )


def _unforkable(snapshot: Snapshot, libraries: tuple[Library, ...]) -> Iterator[Case]:
    if snapshot.start_method != "fork":
        return
    ran = [each for each in libraries if each.family == "libgomp" and each.workers]
    if not ran:
        return
    names = ", ".join(map(named, ran))
    yield Case(
        title=f"A forked child that uses {names} will hang",
        why=(
            "libgomp has run a parallel region here. A child made by fork gets its locks and not "
            "its threads, and the first parallel region in the child waits for them for ever. "
            "multiprocessing forks here; subprocess and joblib's loky are not concerned."
        ),
        evidence=(
            *(f"{each.name}: {each.workers} threads of its team live, {each.path}" for each in ran),
            f"multiprocessing starts children by {snapshot.start_method}",
        ),
        remedies=(
            (
                "Before pools are made: "
                "import multiprocessing; multiprocessing.set_start_method('forkserver', force=True)"
            ),
            "In PyTorch: DataLoader(..., multiprocessing_context='forkserver')",
            "Or fork before the first parallel region",
        ),
    )


RULES = (
    Rule(
        code="OMP202",
        severity="warning",
        summary="workers x threads exceed the CPUs",
        source="https://joblib.readthedocs.io/en/stable/parallel.html#avoiding-over-subscription-of-cpu-resources",
        look=_crowded,
    ),
    Rule(
        code="OMP204",
        severity="warning",
        summary="libgomp has run a parallel region here: a fork that uses it again hangs",
        source="https://gcc.gnu.org/bugzilla/show_bug.cgi?id=60035",
        look=_unforkable,
    ),
)
