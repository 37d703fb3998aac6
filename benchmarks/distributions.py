"""What importing packages may load: told from files, against what importing them maps.

Asks for every package of the list that is installed. Prints a table with the OpenMP runtimes that
were told and that really came, and the time of the first answer in a fresh process, of the first
one about this package in a process that has answered about the others, and of a repeated one.
Exits with 1 when more than one package in ten is told wrong or the median is over its aim.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

AIM_MS = 40.0
PACKAGES = """
    numpy scipy scipy.linalg sklearn sklearn.cluster xgboost lightgbm faiss ctranslate2 igraph
    pyscf implicit numba torch mkl cv2 onnxruntime tensorflow keras polars duckdb catboost
    numexpr h5py blosc2 scs osqp cvxpy skimage skimage.filters dipy gensim hdbscan umap
    statsmodels finufft treelite shap healpy astropy tables netCDF4 jax pyarrow pandas
    matplotlib highspy pynndescent PIL functorch clarabel networkx
""".split()  # noqa: SIM905 - fifty names in quotes say no more

FRESH = """
import json, sys, time
from omp_magic.installed.distributions import may_load
begin = time.perf_counter()
may_load(sys.argv[1:])
print(json.dumps(time.perf_counter() - begin))
"""
TRUTH = """
import json, os, sys
from omp_magic.knowledge.catalog import family_of
from omp_magic.formats.elf import parse_elf
from omp_magic.formats.procfs import parse_maps
try:
    for name in sys.argv[1:]:
        __import__(name)
finally:
    found = set()
    with open("/proc/self/maps") as maps:
        for file in parse_maps(maps.read()):
            family = family_of(file.file_name)
            if family is not None and family.api == "openmp":
                with open(file.path, "rb") as opened:
                    found.add(parse_elf(opened.read()).soname or file.file_name)
    print()
    print(json.dumps(sorted(found)))
    sys.stdout.flush()
    os._exit(0)
"""


def in_child(program: str, *arguments: str) -> object:
    """Give the JSON of the last line that a child process prints."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONPATH": root},
    )
    return json.loads(ended.stdout.strip().rpartition("\n")[2])


def main() -> int:
    from omp_magic.installed.distributions import may_load

    rows, wrong = [], 0
    print(f"Python {sys.version.split()[0]}; times in ms")
    print(f"{'':20}{'fresh':>8}{'first':>8}{'again':>8}  told = true OpenMP runtimes")
    for name in PACKAGES:
        if find_spec(name.partition(".")[0]) is None:
            continue
        took = []
        for _ in range(2):
            begin = time.perf_counter()
            told = may_load([name])
            took.append(1e3 * (time.perf_counter() - begin))
        fresh_ms = 1e3 * float(str(in_child(FRESH, name)))
        expected = sorted({str(each.soname) for each in told.libraries if each.api == "openmp"})
        true = in_child(TRUTH, name)
        wrong += expected != true
        rows.append((fresh_ms, *took))
        verdict = " ".join(expected) or "-"
        verdict = verdict if expected == true else f"WRONG: told {expected}, true {true}"
        print(f"{name:20}{fresh_ms:8.1f}{took[0]:8.1f}{took[1]:8.1f}  {verdict}")
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(f"{'median':20}" + "".join(f"{each:8.1f}" for each in medians) + f"  aim {AIM_MS}")
    print(f"{len(rows) - wrong} of {len(rows)} are told right")
    return 1 if wrong * 10 > len(rows) or medians[1] > AIM_MS else 0


if __name__ == "__main__":
    sys.exit(main())
