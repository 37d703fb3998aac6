"""What the guard costs: an import with it and without, and a cell after which nothing changed.

Fresh processes, interleaved; medians. Prints a table, and exits with 1 when an aim is missed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import timeit

IMPORT = """
import ctypes, sys, time
if sys.argv[2] == "guarded":
    from omp_magic.guard.guard import Guard
    from omp_magic.hooks.loads import LOADS
    from omp_magic.machine import Machine
    from omp_magic.probes.observe import Observer
    guard = Guard(Observer(Machine.here()), print)
    guard.after_cell()  # as after the cell that loaded the extension
    LOADS.add(guard)
start = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - start)
"""


def seconds_of(module: str, how: str) -> float:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT, module, how],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
    )
    return float(ended.stdout)


def after_cell_us() -> float:
    from omp_magic.guard.guard import Guard
    from omp_magic.machine import Machine
    from omp_magic.probes.observe import Observer

    guard = Guard(Observer(Machine.here()), print)
    guard.after_cell()
    return min(timeit.repeat(guard.after_cell, number=1000, repeat=5)) * 1e3


def main() -> int:
    missed = 0
    print(f"{'':32}{'without ms':>11}{'with ms':>10}{'ratio':>8}{'aim':>7}")
    for module, aim in (("sklearn", 1.03), ("sklearn.cluster", 1.03)):
        times: dict[str, list[float]] = {"bare": [], "guarded": []}
        for number in range(16):
            for how, taken in times.items():
                seconds = seconds_of(module, how)
                if number:  # the first reads the files from disk
                    taken.append(seconds)
        bare, guarded = (statistics.median(taken) for taken in times.values())
        missed += guarded / bare > aim
        name = f"import {module}"
        print(f"{name:32}{bare * 1e3:11.1f}{guarded * 1e3:10.1f}{guarded / bare:8.3f}{aim:7.2f}")
    took = after_cell_us()
    missed += took > 5
    print(f"{'after a cell that loaded nothing':32}{'':11}{took:8.2f}us{'':8}{5:5} us")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
