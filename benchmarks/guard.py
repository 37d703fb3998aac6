"""What the guard costs: an import with the extension and without, and a cell that loaded nothing.

Each import runs in a cell of a fresh IPython shell, with bytecode present; the ways follow each
other in a random order. "CPU" is user and system time of the process, medians and the least, and
its ratio to the import without us. That ratio is known to some 5 % only. Others use the machine;
and CPython 3.11 maps and unmaps a piece of its stack of frames whenever a call crosses its end
(16 KB, Python/pystate.c), so that the depth at which an import of scikit-learn begins makes 23,000
to 41,000 page faults of it, with us and without; each round begins at another depth. So our part is
also timed where it is spent, inside the hooks of one and the same import: "hooks" is that import
over the rest of it, the median of all rounds, and what the aim is for.

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
"""Of "hooks" in the way "cell"; of other modules the figures are printed and nothing is asked."""
MODULES = (*AIMS, "pandas", "torch")
MOST_AFTER_CELL_US = 10
IMPORT = """
import json, resource, sys, time
from IPython.core.interactiveshell import InteractiveShell
way, module, depth = sys.argv[1:]
shell = InteractiveShell.instance()
shell.run_cell("pass")
if way == "cell":
    shell.run_cell("%load_ext omp_magic")
if way == "start":
    shell.extension_manager.load_extension("omp_magic")
spent = [0.0]
def timed(name):
    inner = getattr(Hooks, name)
    def outer(*arguments):
        begin = time.perf_counter()
        try:
            return inner(*arguments)
        finally:
            spent[0] += time.perf_counter() - begin
    setattr(Hooks, name, outer)
if way != "without":
    from omp_magic.hooks.loads import Hooks
    for name in ("_tell", "_is_nobodys", "_begin", "_end"):
        timed(name)
def now():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime
def below(frames):
    if frames:
        return below(frames - 1)
    begin = now()
    __import__(module)
    return begin, now()
shell.user_ns.update(below=below, depth=int(depth))
assert shell.run_cell("begin, end = below(depth)").success
wall, cpu = (shell.user_ns["end"][i] - shell.user_ns["begin"][i] for i in (0, 1))
print(json.dumps([wall, cpu, wall / (wall - spent[0])]))
"""


def took_s(python: str, way: str, module: str, depth: int) -> list[float]:
    """Import a module in a fresh process; give wall and CPU time, and the ratio of the hooks."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(
        [python, "-c", IMPORT, way, module, str(depth)],
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
            times = took_s(python, way, module, number * 37 % 128)
            if number:  # the first reads the files from disk, and writes bytecode
                taken[way].append(times)
    wall, cpu, hooks = (
        [statistics.median(times[i] for times in taken[way]) for way in WAYS] for i in range(3)
    )
    least = [min(t[1] for t in taken[way]) for way in WAYS]
    aim = AIMS.get(module)
    for number, way in enumerate(WAYS):
        print(
            f"import {module:16}{way:9}{cpu[number] * 1e3:9.1f}{least[number] * 1e3:9.1f}"
            f"{wall[number] * 1e3:9.1f}{cpu[number] / cpu[0]:9.3f}{least[number] / least[0]:9.3f}"
            f"{hooks[number]:9.3f}" + (f"{aim:7.2f}" if aim is not None and way == "cell" else "")
        )
    return aim is not None and hooks[1] > aim


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
    heads = ("CPU ms", "least", "wall ms", "ratio", "least", "hooks")
    print(f"{'':32}{''.join(f'{head:>9}' for head in heads)}{'aim':>7}")
    for module in sys.argv[2:] or MODULES:
        missed += row(module, rounds)
    took = after_cell_us()
    missed += took > MOST_AFTER_CELL_US
    print(f"{'after a cell that loaded nothing':40} {took:8.2f} us   aim {MOST_AFTER_CELL_US} us")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
