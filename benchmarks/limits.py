"""Entering and leaving a limit, against threadpool_limits in the same process.

NumPy, SciPy and scikit-learn alone, and then with PyTorch and numexpr too, in the environment
that the tests make for packages with pools of their own. Rounds are interleaved, so that a noisy
machine disturbs both alike; the figure is the median. numexpr ends and starts its threads whenever
its count changes, which is most of what it costs. Prints a table, and exits with 1 when a ratio is
over its aim.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "checks")]

from environments import POOLS, environment  # noqa: E402 - it stands beside the tests

ROUNDS = """
import json, statistics, sys, time
import numpy, scipy.linalg, sklearn.cluster
for name in sys.argv[1:]:
    __import__(name)
import threadpoolctl
import omp_magic
def ours():
    with omp_magic.limit(1):
        pass
def bare():
    with omp_magic.limit(1, env=False):
        pass
def theirs():
    with threadpoolctl.threadpool_limits(1):
        pass
ways = (ours, bare, theirs)
took = {way.__name__: [] for way in ways}
for way in ways:
    way()
for _ in range(60):
    for way in ways:
        start = time.perf_counter()
        for _ in range(10):
            way()
        took[way.__name__].append((time.perf_counter() - start) / 10)
print(json.dumps({name: statistics.median(times) for name, times in took.items()}))
"""


def main() -> int:
    python = environment("pools", POOLS)
    cases: tuple[tuple[str, tuple[str, ...], float], ...] = (
        ("numpy scipy scikit-learn", (), 0.1),
        ("... torch numexpr", ("torch", "numexpr"), 0.2),
        ("... all packages with pools", ("torch", "numexpr", "numba", "cv2", "pyarrow"), 0.2),
    )
    print("limit(1) / threadpool_limits(1): enter and leave")
    print(f"{'':30}{'ours us':>9}{'no env us':>11}{'theirs us':>11}{'ratio':>8}{'aim':>6}")
    missed = 0
    for name, modules, aim in cases:
        ended = subprocess.run(
            [python, "-c", ROUNDS, *modules],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )
        took = json.loads(ended.stdout)
        ours, bare, theirs = (took[each] * 1e6 for each in ("ours", "bare", "theirs"))
        missed += ours / theirs > aim
        print(f"{name:30}{ours:9.0f}{bare:11.0f}{theirs:11.0f}{ours / theirs:8.3f}{aim:6.2f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
