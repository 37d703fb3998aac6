"""50 children with NumPy loaded, looked at from outside, against psutil that reads the same.

psutil is asked for what `%omp_status --workers` shows: `children(recursive=True)`, and of each
`cmdline`, `environ`, `threads`, `cpu_affinity`, `cpu_times`, `memory_maps` and
`memory_full_info`. Each figure is the least of interleaved rounds: what else runs on the machine
only adds to it. Prints a table, and exits with 1 when a figure is over its aim.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ROUNDS = 11
MOST_MS = 100.0
CHILD = "import numpy as np, sys; a = np.ones((300, 300)); a @ a; print('up', flush=True); input()"


@contextmanager
def children(number: int) -> Iterator[None]:
    """Start so many, and end them."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(number)
    ]
    try:
        for each in started:
            if each.stdout is None or each.stdout.readline() != b"up\n":
                raise RuntimeError("a child did not start")
        yield
    finally:
        for each in started:
            each.kill()
            each.communicate()


def took_ms(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def theirs() -> None:
    import psutil

    for each in psutil.Process().children(recursive=True):
        each.cmdline()
        each.environ()
        each.threads()
        each.cpu_affinity()
        each.cpu_times()
        each.memory_maps(grouped=False)
        each.memory_full_info()


def main() -> int:
    import psutil

    import omp_magic
    from omp_magic.here import HERE
    from omp_magic.probes.offspring import Offspring

    omp_magic.snapshot(workers=True)
    observer = HERE.observer
    scan = observer.scan()
    print(f"psutil {psutil.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} CPUs")
    heads = f"{'children':>9}{'ms':>8}{'psutil ms':>11}{'ratio':>8}{'aim':>12}"
    print(f"{'children with NumPy':32}{heads}")
    missed = 0
    for number in (1, 10, 50):
        with children(number):
            rows: dict[str, list[float]] = {}
            for _ in range(ROUNDS):
                looker = Offspring(observer.machine, observer.native, observer.owners)
                steps: tuple[tuple[str, Callable[[], object]], ...] = (
                    ("first look", lambda: looker.look(scan, [], every=True)),  # noqa: B023 - called here
                    ("repeated look", lambda: looker.look(scan, [], every=True)),  # noqa: B023 - as above
                    ("plain look, repeated", lambda: looker.look(scan, [])),  # noqa: B023 - as above
                    ("psutil", theirs),
                )
                for name, function in steps:
                    rows.setdefault(name, []).append(took_ms(function))
            others = min(rows.pop("psutil"))
            for name, times in rows.items():
                least = min(times)
                aim = f"{MOST_MS:.0f} ms, 1.0" if name != "plain look, repeated" else ""
                missed += bool(aim) and (least > MOST_MS or least > others)
                ratio = least / others
                print(f"{name:32}{number:9}{least:8.1f}{others:11.1f}{ratio:8.3f}{aim:>12}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
