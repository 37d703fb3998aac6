"""What `auto` does where the CPUs are a quota: half a CPU, a product and fits, with and without.

A cgroup with half a CPU is made, and a child process works inside it: the same work without a
limit and under ``omp_magic.limit("auto")``, in turn. Prints a table of medians, and exits with 1
when a work is slower under the limit, or throttled as long. Where no cgroup can be made it says so
and exits with 0.

The pools have their own counts first, then 8 threads each, as on a host with 8 CPUs. That is not
quite such a host: libgomp spins a 300th as long where threads outnumber the CPUs it may use
(GOMP_SPINCOUNT in the libgomp manual), so the real one does worse.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

V1, V2 = "/sys/fs/cgroup/cpu", "/sys/fs/cgroup"
"""Where the cpu controller of each version of cgroups is mounted."""

PERIOD_US = 100_000
CPUS = 0.5
ROUNDS, ROUND_S = 4, 1.0
MOST_RATIO = 1.03
POOLS = re.compile("(OMP|GOMP|KMP|MKL|OPENBLAS|GOTO)_")
"""Variables that a child must not inherit: the counts are the pools' own, or the benchmark's."""


def make_group(cpus: float, name: str, within: str | None = None) -> str:
    """Make a cgroup with a CPU quota, and give its folder.

    Parameters
    ----------
    cpus
        The quota in CPUs; the period is 0.1 s.
    name
        Its name; with the pid behind it where there is such a group already.
    within
        The group that holds it; None for the topmost one that is seen here.

    Raises
    ------
    OSError
        When the kernel refuses, or has no cpu controller here. Nothing is left behind.

    Notes
    -----
    Files and their meaning: Documentation/scheduler/sched-bwc.rst (v1) and
    Documentation/admin-guide/cgroup-v2.rst of the Linux kernel.
    """
    if within is None:
        within = V1 if os.path.exists(f"{V1}/cpu.cfs_quota_us") else V2
    if os.path.exists(f"{within}/cgroup.subtree_control"):
        # Where the controller cannot be handed down, setting the quota says why.
        with contextlib.suppress(OSError):
            write(f"{within}/cgroup.subtree_control", "+cpu")
    folder = f"{within}/{name}"
    try:
        os.mkdir(folder)
    except FileExistsError:
        folder += f"_{os.getpid()}"
        os.mkdir(folder)
    try:
        set_quota(folder, cpus)
    except OSError:
        os.rmdir(folder)
        raise
    return folder


def set_quota(folder: str, cpus: float) -> None:
    """Give a cgroup a quota, in CPUs; raises OSError when the kernel refuses."""
    quota_us = int(cpus * PERIOD_US)
    if os.path.exists(f"{folder}/cpu.cfs_quota_us"):
        write(f"{folder}/cpu.cfs_period_us", str(PERIOD_US))
        write(f"{folder}/cpu.cfs_quota_us", str(quota_us))
    else:
        write(f"{folder}/cpu.max", f"{quota_us} {PERIOD_US}")


def prefer_group(folder: str) -> None:
    """Put a group in front of its neighbours, so that what is seen is its quota's doing."""
    for name, most in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
        if os.path.exists(f"{folder}/{name}"):
            write(f"{folder}/{name}", most)


def enter_group(folder: str) -> None:
    """Put the calling process into a cgroup."""
    write(f"{folder}/cgroup.procs", "0")


def remove_group(folder: str) -> None:
    """Remove a cgroup that this program made, and end what still runs in it.

    Raises
    ------
    OSError
        When it is still busy after 5 seconds.
    """
    end = time.monotonic() + 5
    while True:
        with open(f"{folder}/cgroup.procs", encoding="ascii") as listed:
            for pid in listed.read().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            os.rmdir(folder)
        except OSError:  # busy until its last process has been reaped
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def write(path: str, text: str) -> None:
    """Write so that the kernel's refusal is seen: a buffered write loses it."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Round:
    """What one round took: seconds of wall time, of CPU time, and throttled."""

    wall_s: float
    cpu_s: float
    throttled_s: float


class Rounds:
    """Times works inside a cgroup, without a limit and under `auto`.

    Parameters
    ----------
    stat
        The group's ``cpu.stat``.
    """

    def __init__(self, stat: str) -> None:
        self._stat = stat

    def throttled_s(self) -> float:
        """Give the time for which the group was stopped so far, summed over CPUs."""
        with open(self._stat, encoding="ascii") as file:
            counters = dict(line.split() for line in file)
        if "throttled_usec" in counters:
            return int(counters["throttled_usec"]) / 1e6
        return int(counters["throttled_time"]) / 1e9

    def once(self, work: Callable[[], object], repeats: int, *, limited: bool) -> Round:
        """Run a work so many times; the limit's own cost is in it."""
        import omp_magic

        # A round begins anywhere in a period: otherwise it could end just before the group is
        # stopped every time, and the other kind just after it.
        end = time.process_time() + random.random() * CPUS * PERIOD_US / 1e6  # noqa: S311 - no secret
        while time.process_time() < end:
            pass
        start = Round(time.perf_counter(), time.process_time(), self.throttled_s())
        with omp_magic.limit("auto") if limited else contextlib.nullcontext():
            for _ in range(repeats):
                work()
        return Round(
            time.perf_counter() - start.wall_s,
            time.process_time() - start.cpu_s,
            self.throttled_s() - start.throttled_s,
        )

    def compare(self, work: Callable[[], object], rounds: int) -> dict[bool, list[Round]]:
        """Run rounds in turn, without and with, with and without; by whether it was limited."""
        for limited in (True, False):
            self.once(work, 1, limited=limited)
        repeats = max(1, round(ROUND_S / self._seconds_of(work)))
        taken: dict[bool, list[Round]] = {False: [], True: []}
        for number in range(2 * rounds):
            limited = number % 4 in (1, 2)
            taken[limited].append(self.once(work, repeats, limited=limited))
        return taken

    @staticmethod
    def _seconds_of(work: Callable[[], object]) -> float:
        """Give a repetition's wall time without a limit, from several periods of the quota."""
        start, repeats = time.perf_counter(), 0
        while time.perf_counter() - start < 5 * PERIOD_US / 1e6:
            work()
            repeats += 1
        return (time.perf_counter() - start) / repeats


def works() -> dict[str, tuple[int, Callable[[], object]]]:
    """Give the works: how many rounds, and what a repetition does."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.datasets import make_blobs, make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    warnings.filterwarnings("ignore")  # fits are stopped early
    numbers = np.random.default_rng(0)
    large, small = numbers.standard_normal((1500, 1500)), numbers.standard_normal((300, 300))
    points, _ = make_blobs(40_000, n_features=20, centers=12, random_state=0)
    rows, labels = make_classification(4_000, 20, random_state=0)
    wide, wide_labels = make_classification(20_000, 100, random_state=0)
    means = KMeans(12, n_init=1, random_state=0, max_iter=30, tol=0)
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    lines = LogisticRegression(max_iter=50)
    return {
        "product 1500 x 1500": (6, lambda: large @ large),
        "100 products 300 x 300": (6, lambda: [small @ small for _ in range(100)]),
        "KMeans": (ROUNDS, lambda: means.fit(points)),
        "HistGradientBoosting": (ROUNDS, lambda: trees.fit(rows, labels)),
        "LogisticRegression": (ROUNDS, lambda: lines.fit(wide, wide_labels)),
    }


def row(name: str, taken: dict[bool, list[Round]]) -> bool:
    """Print a work's row; tell whether the limit was of use."""

    def middle(get: Callable[[Round], float]) -> tuple[float, float]:
        without, limited = (
            statistics.median(get(each) for each in taken[kind]) for kind in (False, True)
        )
        return without, limited

    def spread(kind: bool) -> str:
        walls = [each.wall_s for each in taken[kind]]
        return f"{min(walls):.2f}-{max(walls):.2f}"

    wall = middle(lambda each: each.wall_s)
    cpu = middle(lambda each: each.cpu_s)
    throttled = middle(lambda each: each.throttled_s)
    ratio = wall[1] / wall[0]
    good = ratio <= MOST_RATIO and throttled[1] < throttled[0]
    print(
        f"{name:24}{wall[0]:7.2f}{wall[1]:7.2f}{ratio:7.2f}"
        f"{throttled[0]:9.2f}{throttled[1]:7.2f}{cpu[0]:9.2f}{cpu[1]:7.2f}"
        f"   {spread(False):>11}  {spread(True):>11}{'' if good else '  MISSED'}",
        flush=True,
    )
    return good


def inside(stat: str) -> int:
    """Time every work; 1 when one is slower under the limit, or throttled as long."""
    rounds = Rounds(stat)
    good = [row(name, rounds.compare(work, count)) for name, (count, work) in works().items()]
    return 0 if all(good) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Time works in a cgroup with half a CPU.")
    parser.add_argument("--stat", help="run as the child, which reads this cpu.stat")
    stat = parser.parse_args().stat
    if stat is not None:
        return inside(stat)
    try:
        group = make_group(CPUS, "omp_magic_quota")
    except OSError as error:
        print(f"not measured: no cgroup with a CPU quota can be made here ({error.strerror})")
        return 0
    # The group goes also when this program is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    missed = 0
    env = {name: value for name, value in os.environ.items() if not POOLS.match(name)}
    try:
        for threads in ("", "8"):
            counts = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
            pools = f"{threads} threads a pool" if threads else "the pools' own counts"
            print(f"\n{CPUS:g} CPUs of {os.cpu_count()}, {pools}: seconds a round, medians")
            print(f"{'':24}{'wall':>14}{'ratio':>7}{'throttled':>16}{'CPU':>16}   spread of wall")
            print(
                f"{'':24}" + f"{'none':>7}{'auto':>7}" + f"{'':7}" + f"{'none':>9}{'auto':>7}" * 2
            )
            missed += subprocess.run(
                [sys.executable, __file__, "--stat", f"{group}/cpu.stat"],
                check=False,
                timeout=300,
                env={**env, **counts} if threads else env,
                preexec_fn=lambda: enter_group(group),
            ).returncode
    finally:
        remove_group(group)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
