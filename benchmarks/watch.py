"""What `omp_magic.watch` costs: a reading against psutil's, its share of a CPU, watched cells.

A reading is all processes' threads, CPU time and memory, once with shared pages counted once (PSS)
and once without; psutil is asked for the same. The share is the CPU time that looking took while
something ran, with 0, 8 and 20 children of 100 MB each. A cell of NumPy and one of Python are timed
with and without a watch, in turn. Prints tables, and exits with 1 when a figure is over its aim.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

CHILDREN = (0, 8, 20)
SHARED_MB, OWN_MB = 80, 20
RUN_S, ROUNDS = 6.0, 15
AIM_SHARE = 0.04
"""Of a CPU, over so short a run: 2 % in the long run, and what the purse holds at first, 0.1 s."""
AIM_READING = 1.0
"""Times what psutil's reading takes."""
AIM_WORK = 1.05


@contextlib.contextmanager
def children(number: int) -> Iterator[None]:
    """Fork children that share pages with this process, and have some of their own."""
    shared = bytearray(b"x") * (SHARED_MB * 1_000_000)
    pids, readers = [], []
    for _ in range(number):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            own = bytearray(b"y") * (OWN_MB * 1_000_000)
            os.write(writer, b"1")
            time.sleep(600)
            os._exit(len(own) > len(shared))
        os.close(writer)
        pids.append(pid)
        readers.append(reader)
    try:
        for reader in readers:
            os.read(reader, 1)
            os.close(reader)
        yield
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def cpu_of(work: Callable[[], object], repeats: int = 9) -> float:
    """Give the least CPU time of this thread that some work takes, in s."""
    found = []
    for _ in range(repeats):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    return min(found)


def by_psutil(*, shared: bool) -> int:
    """Read what a look reads, by psutil."""
    import psutil

    total = 0
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
            process.num_threads()
            process.cpu_times()
            # Linux alone has pss.
            full = process.memory_full_info() if shared else None
            total += getattr(full, "pss", 0) if shared else process.memory_info().rss
    return total


def readings() -> int:
    """Compare one reading with psutil's; give how many are dearer than they may be."""
    from omp_magic.machine import Machine
    from omp_magic.probes.live.together import Together

    missed = 0
    print(
        f"{'children':>8}{'':>6}{'ours us':>9}{'psutil us':>11}{'ratio':>7}{'MB':>9}{'psutil':>9}"
    )
    for number in CHILDREN:
        with children(number):
            for shared in (False, True):
                together = Together(Machine.here())
                together.look(0.0, shares=shared)
                ours = cpu_of(partial(together.look, time.monotonic(), shares=shared))
                theirs = cpu_of(partial(by_psutil, shared=shared))
                sums = together.look(time.monotonic(), shares=shared)
                size = (sums.pss_bytes if shared else sums.rss_bytes) or 0
                ratio = ours / theirs
                missed += ratio > AIM_READING
                print(
                    f"{number:8}{'PSS' if shared else 'RSS':>6}"
                    f"{ours * 1e6:9.0f}{theirs * 1e6:11.0f}"
                    f"{ratio:7.2f}{size / 1e6:9.0f}{by_psutil(shared=shared) / 1e6:9.0f}"
                )
    return missed


def shares() -> int:
    """Print the CPU share of looking; give how many are over the aim."""
    import numpy as np

    import omp_magic

    matrix = np.ones((500, 500))
    works: tuple[tuple[str, Callable[[], object]], ...] = (
        ("sleep", lambda: time.sleep(0.01)),
        ("Python loop", lambda: sum(range(1000))),
        ("matrix product", lambda: matrix @ matrix),
    )
    missed = 0
    print(f"\n{'beside':16}{'children':>8}{'looks':>7}{'PSS':>6}{'mean gap s':>12}{'share':>8}")
    for number in CHILDREN:
        for name, work in works:
            with children(number):
                with omp_magic.watch() as seen:
                    end = time.monotonic() + RUN_S
                    while time.monotonic() < end:
                        work()
                course = seen.course
                share = course.looking_s / course.wall_s
                missed += share > AIM_SHARE
                costly = sum(look.pss_bytes is not None for look in course.looks)
                print(
                    f"{name:16}{number:8}{course.taken:7}{costly:6}"
                    f"{course.wall_s / course.taken:12.2f}{share:8.2%}"
                )
    return missed


def slowdown(name: str, work: Callable[[], object]) -> int:
    """Time a work with and without a watch, in turn; tell whether it is over the aim."""
    import omp_magic

    def timed() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    timed()
    plain, watched, ends = [], [], []
    for number in range(2 * ROUNDS):
        if number % 4 in (1, 2):
            began = time.perf_counter()
            with omp_magic.watch():
                took = timed()
            watched.append(took)
            ends.append(time.perf_counter() - began - took)
        else:
            plain.append(timed())
    ratio = min(watched) / min(plain)
    print(
        f"{name:24}{min(plain):8.3f} s, watched {min(watched):.3f} s: {ratio:.3f} times; medians "
        f"{statistics.median(plain):.3f}, {statistics.median(watched):.3f}; "
        f"beginning and end {min(ends) * 1e3:.1f} ms"
    )
    return ratio > AIM_WORK


def slowdowns() -> int:
    """Time a cell of NumPy and one of Python."""
    import numpy as np

    matrix = np.random.default_rng(0).standard_normal((1200, 1200))
    print()
    return slowdown(
        "6 products 1200 x 1200", lambda: [matrix @ matrix for _ in range(6)]
    ) + slowdown("a sum in Python", lambda: sum(number * number for number in range(6_000_000)))


def main() -> int:
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    missed = readings() + shares() + slowdowns()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
