"""What it costs to tell every dlopen beforehand, beside the imports and beside auditwheel.

For each package, fresh interpreters import it while each of its loads is told before it happens,
by the hooks that a guard would use; the telling's share of the import is printed. Then 1,000
real shared objects' dynamic sections are read, against auditwheel's lddtree on some of them.
Prints two tables, and exits with 1 when a figure is over its aim.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from itertools import cycle, islice
from pathlib import Path

ROUNDS = 7
FILES, TREES = 1000, 15
MOST_SHARE = {"numpy": 0.1, "sklearn": 0.05, "torch": 0.03}
"""Of the import's own time; NumPy's is short, and the first search reads the loader's cache."""
MOST_SCAN_MS = 100
LEAST_FACTOR = 20
ROOT = Path(__file__).parent.parent
CHILD = """
import ctypes, importlib, importlib.machinery, json, sys, time
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.loader.imports import LoaderModel
clock, took = time.perf_counter, []
begin = clock()
model = LoaderModel(Machine.here(), native_here())
start = clock() - begin
loader = importlib.machinery.ExtensionFileLoader
create, dlopen = loader.create_module, ctypes._dlopen
def tell(name):
    begin = clock()
    model.predict(name)
    took.append(clock() - begin)
def created(self, spec):
    tell(spec.origin)
    return create(self, spec)
def opened(name, *rest):
    tell(name)
    return dlopen(name, *rest)
loader.create_module, ctypes._dlopen = created, opened
begin = clock()
importlib.import_module(sys.argv[1])
print(json.dumps([start, clock() - begin, took]))
"""


def telling(module: str) -> list[str]:
    """Import a module in fresh interpreters and print a row; give what is over its aim."""
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        print(f"{module:18} left out: it is not installed")
        return []
    runs = []
    for _ in range(ROUNDS):
        out = subprocess.run(
            [sys.executable, "-c", CHILD, module],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).stdout
        start, whole, took = json.loads(out)
        runs.append((sum(took) / (whole - sum(took)), sum(took), whole, start, took))
    share, told, whole, start, took = sorted(runs)[ROUNDS // 2]
    print(
        f"{module:18} {len(took):5} loads  {told * 1e3:6.1f} ms of {whole * 1e3:6.0f} ms"
        f"  {share:6.1%}  median {statistics.median(took) * 1e6:4.0f} us"
        f"  first {start * 1e3:.1f} ms"
    )
    return [f"{module}: {share:.1%} of the import"] if share > MOST_SHARE[module] else []


def scan() -> list[str]:
    """Read many files' dynamic sections, and print rows; give what is over its aim."""
    sys.path.insert(0, str(ROOT))
    from omp_magic.loader.sharedobjects import read_object

    found = sorted(map(str, Path(sysconfig.get_path("platlib")).rglob("*.so")))
    files = list(islice(cycle(found), FILES))
    for path in files:
        read_object(path)
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for path in files:
            read_object(path)
        rounds.append(time.perf_counter() - begin)
    ours = statistics.median(rounds)
    print(f"{len(files)} files, {len(found)} of them different: {ours * 1e3:.1f} ms")
    over = [f"scan: {ours * 1e3:.0f} ms"] if ours * 1e3 > MOST_SCAN_MS else []
    try:
        ldd = importlib.import_module("auditwheel.lddtree").ldd
    except ImportError:
        print("auditwheel's lddtree: left out, auditwheel is not installed")
        return over
    trees = found[:: max(1, len(found) // TREES)]
    ldd(Path(trees[0]))
    each = []
    for path in trees:
        begin = time.perf_counter()
        ldd(Path(path))
        each.append(time.perf_counter() - begin)
    theirs = statistics.median(each)
    factor = theirs / (ours / len(files))
    print(f"auditwheel's lddtree: {theirs * 1e3:.2f} ms a file, {factor:.0f} times ours")
    return over + ([f"lddtree / ours: {factor:.0f}"] if factor < LEAST_FACTOR else [])


def main() -> None:
    over = [line for module in MOST_SHARE for line in telling(module)]
    over += scan()
    for line in over:
        print(f"over its aim: {line}")
    sys.exit(bool(over))


if __name__ == "__main__":
    main()
