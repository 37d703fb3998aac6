"""Owners of 500 threads against psutil's list of threads, and snapshots with many objects loaded.

The threads are started by a real libgomp and by Python, the objects are 1,000 real shared
objects. Each figure is the median of interleaved rounds, so that a noisy machine disturbs both
alike. Prints two tables, and exits with 1 when a figure is over its aim or grows faster than
what is counted.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

from bench import warm_rounds

ROUNDS, CALLS = 30, 5
PYTHON_THREADS = 20
MOST_GROWTH = 1.5
"""How much dearer one thread or object may be in the largest case than in the smallest."""


class Team:
    """A team of libgomp's, as scikit-learn ships it; its threads only call free(NULL)."""

    def __init__(self) -> None:
        import sklearn.cluster  # with SciPy, and so with a second OpenBLAS

        where = Path(sklearn.__file__).parent.parent / "scikit_learn.libs"
        self._start = ctypes.CDLL(glob.glob(str(where / "libgomp*"))[0]).GOMP_parallel
        self._free = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
        self._threads = 1

    def grow(self, more: int) -> None:
        """Start so many more threads."""
        self._threads += more
        self._start(self._free, None, self._threads, 0)


def threads_in(number: int, team: Team) -> list[tuple[str, float, float]]:
    """Measure with that many threads; give rows of (name, seconds, psutil's seconds)."""
    import psutil

    from omp_magic.formats.procfs import Segments
    from omp_magic.machine import Machine
    from omp_magic.machine.here import native_here
    from omp_magic.probes.threads.stacks import ThreadOwners
    from omp_magic.probes.threads.threads import probe_threads

    stop = threading.Event()
    ours = [threading.Thread(target=stop.wait, daemon=True) for _ in range(PYTHON_THREADS)]
    for thread in ours:
        thread.start()
    team.grow(number - len(os.listdir("/proc/self/task")))
    machine, native, process = Machine.here(), native_here(), psutil.Process()
    segments = Segments(machine.read("/proc/self/maps"))
    owners = ThreadOwners(machine, native)
    tids = [thread.id for thread in process.threads()]
    found = [owner.label for owner in owners.of(tids, segments).values() if owner is not None]
    if len(found) != number or found.count("Python") != PYTHON_THREADS + 1:
        raise RuntimeError(f"of {len(tids)} threads {len(found)} have an owner")
    rows = []
    for name, function in (
        ("first look", lambda: ThreadOwners(machine, native).workers(segments)),
        ("owners, warm", lambda: owners.of(tids, segments)),
        ("workers, warm", lambda: owners.workers(segments)),
        ("probe_threads with owners", lambda: probe_threads(machine, [], owners, segments)),
    ):
        took, theirs = warm_rounds(function, process.threads, ROUNDS, CALLS)
        rows.append((name, statistics.median(took), statistics.median(theirs)))
    stop.set()
    for thread in ours:
        thread.join()
    return rows


def objects(folder: Path, number: int) -> list[str]:
    """Make shared objects, each a file of its own."""
    paths = [folder / f"object{index:04}.so" for index in range(number)]
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is not None:
        source = folder / "object.c"
        source.write_text("int object_value(void) { return 7; }\n", "utf-8")
        command = [compiler, "-shared", "-fPIC", "-o", str(paths[0]), str(source)]
        subprocess.run(command, check=True, timeout=60)
    else:
        modules = Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
        shutil.copy(min(modules, key=lambda path: path.stat().st_size), paths[0])
    for path in paths[1:]:
        shutil.copy(paths[0], path)
    return list(map(str, paths))


def snapshots_with(paths: list[str], number: int, spare: list[str]) -> tuple[float, float]:
    """Give the seconds of a snapshot after one more object was loaded, and of a repeated one."""
    import omp_magic

    for path in paths[:number]:
        ctypes.CDLL(path)
    omp_magic.snapshot()
    cold: list[float] = []
    warm: list[float] = []
    for path in spare:
        ctypes.CDLL(path)
        for times in (cold, warm, warm):
            start = time.perf_counter()
            omp_magic.snapshot()
            times.append(time.perf_counter() - start)
    return statistics.median(cold), statistics.median(warm)


def table_of_threads() -> int:
    missed = 0
    team = Team()
    print(
        f"\n{'owners of threads':34}{'threads':>8}{'us':>9}{'psutil us':>11}{'ratio':>8}{'aim':>6}"
    )
    each: dict[str, list[float]] = {}
    for number in (50, 250, 500):
        for name, seconds, theirs in threads_in(number, team):
            aim = 1.0 if "warm" in name else None
            ratio = seconds / theirs
            missed += aim is not None and ratio > aim
            shown = f"{aim:6.1f}" if aim is not None else ""
            print(f"{name:34}{number:8}{seconds * 1e6:9.0f}{theirs * 1e6:11.0f}{ratio:8.3f}{shown}")
            each.setdefault(name, []).append(seconds / number)
    for name, costs in each.items():
        growth = costs[-1] / costs[0]
        missed += growth > MOST_GROWTH
        print(f"{name}: {costs[-1] * 1e6:.2f} us a thread, {growth:.2f} times that of 50")
    return missed


def table_of_objects() -> int:
    missed = 0
    print(f"{'snapshot() with loaded objects':34}{'objects':>8}{'cold us':>9}{'warm us':>11}")
    told = []
    with tempfile.TemporaryDirectory() as folder:
        paths = objects(Path(folder), 1090)
        spare = paths[1000:]
        for index, number in enumerate((250, 500, 1000)):
            cold, warm = snapshots_with(paths, number, spare[index * 30 : index * 30 + 30])
            told.append((number, cold, warm))
            print(f"{'':34}{number:8}{cold * 1e6:9.0f}{warm * 1e6:11.0f}")
    (least, first, warm), (most, last, still) = told[0], told[-1]
    slope = (last - first) / (most - least)
    # Each object of the second half against each of the first.
    steps = [
        (after - before) / (more - fewer) for (fewer, before, _), (more, after, _) in pairwise(told)
    ]
    growth = steps[1] / steps[0]
    missed += growth > MOST_GROWTH or still > warm * MOST_GROWTH
    print(f"cold: {slope * 1e6:.2f} us an object; the last 500 cost {growth:.2f} times the first")
    return missed


def main() -> int:
    import numpy as np  # noqa: F401 - a kernel that has something to show
    import psutil

    print(f"psutil {psutil.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    # The objects first: a snapshot also sums up the threads.
    return 1 if table_of_objects() + table_of_threads() else 0


if __name__ == "__main__":
    sys.exit(main())
