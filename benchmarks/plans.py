"""What the plan does for worker processes: image augmentation and KMeans, with it and without.

A cgroup with 2 CPUs is made, and one with 1; in each a child process starts two pools of as many
workers: one by default, its workers' threads as they come, and one with
``initializer=omp_magic.worker_limits(plan.threads)``, as `omp_magic.plan` says. Both do the same
tasks in turn. Prints a table of medians with the ratio of each round's pair, and exits with 1 when
the plan does not beat the default. Where no cgroup can be made it says so and exits with 0.

KMeans is scikit-learn's, on 20 000 rows of 50 columns. The augmentation is the pipeline of
notebooks/05_augmentation.ipynb, on its images; without its packages (extra `augmentation`) it is
left out, and that is said. joblib divides the CPUs by itself: its row is for comparison, and no
ratio is asked of it. Its plan is the line that the plan gives for joblib.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from quota import POOLS, enter_group, make_group, prefer_group, remove_group

NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "05_augmentation.ipynb"
GROUPS = (2.0, 1.0)
"""CPUs of each group."""
WORKERS = 4
ROUNDS = 5
FITS, IMAGES = 8, 16
"""Tasks of a round."""
MOST_RATIO = 0.95
"""Seconds under the plan, of those by default; more is no win."""
LIMIT_S = 900

Mapped = Callable[[Callable[[Any], object], Iterable[Any]], Iterable[object]]
"""Gives a function's results for tasks, in a pool."""


@dataclass(frozen=True)
class Case:
    """A work in a kind of pool.

    Parameters
    ----------
    name
        What the table calls it.
    pool
        Opens a pool; takes the threads of each worker, or None for the default.
    work
        What a worker does with a task; it is found by its module's name there.
    tasks
        The tasks of a round.
    asked
        Whether the plan must beat the default.
    """

    name: str
    pool: Callable[[int | None], contextlib.AbstractContextManager[Mapped]]
    work: Callable[[Any], object]
    tasks: list[Any]
    asked: bool = True


def fit(seed: int) -> int:
    """Fit KMeans in a worker; the points are made once there. Gives the iterations."""
    from sklearn.cluster import KMeans
    from sklearn.datasets import make_blobs

    if not _POINTS:
        _POINTS.append(make_blobs(20_000, 50, centers=16, cluster_std=6, random_state=0)[0])
    return int(KMeans(8, n_init=1, random_state=seed, max_iter=20).fit(_POINTS[0]).n_iter_)


_POINTS: list[Any] = []


def limited(threads: int | None) -> dict[str, Any]:
    """Give how the plan starts a worker; nothing for the default."""
    import omp_magic

    return {} if threads is None else {"initializer": omp_magic.worker_limits(threads)}


@contextlib.contextmanager
def executor(method: str, threads: int | None) -> Iterator[Mapped]:
    """Open the standard library's pool with a start method."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(WORKERS, context, **limited(threads)) as pool:
        yield pool.map


@contextlib.contextmanager
def loky(threads: int | None) -> Iterator[Mapped]:
    """Open loky's pool as it is, without joblib; it sends functions by value."""
    from joblib.externals.loky import ProcessPoolExecutor as LokyExecutor

    with LokyExecutor(WORKERS, **limited(threads)) as pool:
        yield pool.map


@contextlib.contextmanager
def joblib(threads: int | None) -> Iterator[Mapped]:
    """Open joblib's pool; its plan is ``inner_max_num_threads``."""
    from joblib import Parallel, delayed, parallel_config

    with (
        parallel_config("loky", n_jobs=WORKERS, inner_max_num_threads=threads),
        Parallel() as parallel,
    ):
        yield lambda work, tasks: parallel(delayed(work)(task) for task in tasks)


def fits() -> Iterator[Case]:
    """Give KMeans in every kind of pool."""
    import plans  # by this name its functions are found in every worker

    tasks = list(range(FITS))
    for method in ("fork", "spawn", "forkserver"):
        if method in multiprocessing.get_all_start_methods():
            yield Case(f"KMeans, {method}", partial(executor, method), plans.fit, tasks)
    yield Case("KMeans, loky", loky, plans.fit, tasks)
    yield Case("KMeans, joblib", joblib, plans.fit, tasks, asked=False)


def augmentations(folder: str) -> Iterator[Case]:
    """Give the notebook's pipeline, from its own cells, or say why not."""
    missing = [
        name for name in ("albumentations", "augraphy") if not importlib.util.find_spec(name)
    ]
    if missing:
        print(
            f"augmentation: left out, {' and '.join(missing)} not installed (make notebooks, "
            "then .venv-notebooks/bin/python benchmarks/workers.py)",
            flush=True,
        )
        return
    # albumentations asks a server for a newer version of itself when it is imported.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    drawing, module = cells_of(NOTEBOOK, "import cv2\n", "%%writefile ")
    Path(folder, "augmenting.py").write_text(module.partition("\n")[2], "utf-8")
    sys.path.insert(0, folder)
    import augmenting  # type: ignore[import-not-found,unused-ignore] # written a line above

    made: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(drawing, made)  # noqa: S102 - a cell of our notebook
    tasks = [(number, made["image"](number)) for number in range(IMAGES)]
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    yield Case(
        f"augmentation, {method}",
        partial(executor, method),
        augmenting.attempt,
        tasks,
    )


def cells_of(notebook: Path, *beginnings: str) -> list[str]:
    """Give the code cells that begin so, each the only one."""
    cells = ["".join(cell["source"]) for cell in json.loads(notebook.read_text("utf-8"))["cells"]]
    found = []
    for beginning in beginnings:
        (cell,) = [cell for cell in cells if cell.startswith(beginning)]
        found.append(cell)
    return found


def compare(case: Case, threads: int) -> bool:
    """Time a case in rounds and print its row; tell whether the plan did what is asked of it."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    with case.pool(None) as default, case.pool(threads) as planned:
        pools = {False: default, True: planned}
        for mapped in pools.values():  # workers start, and import, before anything is timed
            list(mapped(case.work, case.tasks))
        for number in range(ROUNDS):
            for kind in (False, True) if number % 2 else (True, False):
                start = time.perf_counter()
                list(pools[kind](case.work, case.tasks))
                taken[kind].append(time.perf_counter() - start)
    return row(case, taken[False], taken[True])


def row(case: Case, default: list[float], planned: list[float]) -> bool:
    """Print a case's row; tell whether the plan did what is asked of it."""
    ratios = [with_it / without for without, with_it in zip(default, planned, strict=True)]
    ratio = statistics.median(ratios)
    good = ratio <= MOST_RATIO or not case.asked
    print(
        f"{case.name:26}{statistics.median(default):9.2f}{statistics.median(planned):9.2f}"
        f"{ratio:8.2f}   {min(ratios):.2f}-{max(ratios):.2f}"
        f"{'' if good else '  MISSED'}{'' if case.asked else '  (nothing asked)'}",
        flush=True,
    )
    return good


def inside() -> int:
    """Run every case in this group; 1 when the plan did not do what is asked."""
    import omp_magic

    warnings.filterwarnings("ignore", category=DeprecationWarning)  # forks of a threaded process
    plan = omp_magic.plan(workers=WORKERS)
    print(f"the plan: {WORKERS} workers with {plan.threads} thread(s) each, for every pool")
    print(f"{'':26}{'default':>9}{'plan':>9}{'ratio':>8}   rounds' ratios")
    with tempfile.TemporaryDirectory() as folder:
        cases = (case for made in (fits(), augmentations(folder)) for case in made)
        good = [compare(case, plan.threads) for case in cases]
    return 0 if all(good) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Time worker processes with the plan and without.")
    parser.add_argument("--inside", action="store_true", help="run as the child, in its group")
    if parser.parse_args().inside:
        return inside()
    # The group goes also when this program is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    env = {name: value for name, value in os.environ.items() if not POOLS.match(name)}
    missed = 0
    for cpus in GROUPS:
        try:
            group = make_group(cpus, "omp_magic_plans")
        except OSError as error:
            print(f"not measured: no cgroup with a CPU quota can be made here ({error.strerror})")
            return 0
        try:
            prefer_group(group)
            print(f"\n{cpus:g} CPUs by quota, {os.cpu_count()} of the machine: seconds a round")
            missed += subprocess.run(
                [sys.executable, __file__, "--inside"],
                check=False,
                timeout=LIMIT_S,
                env=env,
                preexec_fn=partial(enter_group, group),
            ).returncode
        finally:
            remove_group(group)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
