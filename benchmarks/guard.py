"""What the guard costs: an import with the extension and without, and a cell that loaded nothing.

Each import runs in a cell of a fresh IPython shell, with bytecode present. The ways follow each
other in a random order, since a machine has its busy moments. What is compared is the CPU time of
the process (user and system), which other processes disturb least; the wall time stands beside it.
With "cell" the extension is loaded in the cell before; with "start" it was loaded as
``c.InteractiveShellApp.extensions`` does, and the import pays for the guard's first modules too.

Prints a table, and exits with 1 when an aim is missed. Arguments: how many rounds (15), and the
modules; what is not installed beside us is looked for in the environment of packages with pools.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import timeit
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "checks")]

WAYS = ("without", "cell", "start")
AIMS = {"sklearn": 1.03, "sklearn.cluster": 1.03}
"""Of the way "cell"; for other modules the figures are printed and nothing is asked."""
MODULES = (*AIMS, "pandas", "torch")
MOST_AFTER_CELL_US = 10
IMPORT = """
import json, resource, sys, time
from IPython.core.interactiveshell import InteractiveShell
way, module = sys.argv[1:]
shell = InteractiveShell.instance()
shell.run_cell("pass")
if way == "cell":
    shell.run_cell("%load_ext omp_magic")
if way == "start":
    shell.extension_manager.load_extension("omp_magic")
def now():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime
shell.user_ns["now"] = now
assert shell.run_cell(f"begin = now()\\nimport {module}\\nend = now()").success
print(json.dumps([shell.user_ns["end"][i] - shell.user_ns["begin"][i] for i in (0, 1)]))
"""


def took_s(python: str, way: str, module: str) -> list[float]:
    """Import a module in a fresh process; give wall and CPU time."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(
        [python, "-c", IMPORT, way, module],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**env, "PYTHONPATH": str(ROOT)},
    )
    times: list[float] = json.loads(ended.stdout.strip().rpartition("\n")[2])
    return times


def python_with(module: str) -> str:
    """Give an interpreter that has a module."""
    if importlib.util.find_spec(module.partition(".")[0]) is not None:
        return sys.executable
    from environments import POOLS, environment

    return environment("pools", POOLS)


def row(module: str, rounds: int) -> bool:
    """Print the figures of a module; give whether its aim was missed."""
    python = python_with(module)
    taken: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(rounds + 1):
        for way in random.sample(WAYS, len(WAYS)):
            times = took_s(python, way, module)
            if number:  # the first reads the files from disk, and writes bytecode
                taken[way].append(times)
    wall, cpu = ([statistics.median(t[i] for t in taken[way]) for way in WAYS] for i in (0, 1))
    least = [min(t[1] for t in taken[way]) for way in WAYS]
    aim = AIMS.get(module)
    for number, way in enumerate(WAYS):
        print(
            f"import {module:16}{way:9}{cpu[number] * 1e3:9.1f}{least[number] * 1e3:9.1f}"
            f"{wall[number] * 1e3:9.1f}{cpu[number] / cpu[0]:9.3f}{least[number] / least[0]:9.3f}"
            + (f"{aim:7.2f}" if aim is not None and way == "cell" else "")
        )
    return aim is not None and cpu[1] / cpu[0] > aim


def after_cell_us() -> float:
    """Give what a look after a cell takes when nothing was loaded."""
    from omp_magic.guard.guard import Guard
    from omp_magic.machine import Machine
    from omp_magic.probes.observe import Observer

    guard = Guard(Observer(Machine.here()), print)
    guard.after_cell()
    return min(timeit.repeat(guard.after_cell, number=1000, repeat=5)) * 1e3


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    missed = 0
    print(f"{'':23}{'':9}{'CPU ms':>9}{'least':>9}{'wall ms':>9}{'ratio':>9}{'least':>9}{'aim':>7}")
    for module in sys.argv[2:] or MODULES:
        missed += row(module, rounds)
    took = after_cell_us()
    missed += took > MOST_AFTER_CELL_US
    print(f"{'after a cell that loaded nothing':40} {took:8.2f} us   aim {MOST_AFTER_CELL_US} us")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
