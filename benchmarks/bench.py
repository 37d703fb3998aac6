"""Ratios against threadpoolctl, both in one process with NumPy, SciPy and scikit-learn loaded.

Each figure is the median of interleaved rounds, so that a noisy machine disturbs both alike.
Prints a table, and exits with 1 when a ratio is over its aim.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

COLD = """
import importlib, json, sys, time
from IPython.core.interactiveshell import InteractiveShell
import numpy, scipy.linalg, sklearn.cluster  # what the figures are asked for
shell = InteractiveShell.instance()
for name in list(sys.modules):
    if name.split(".")[0] == "threadpoolctl":
        del sys.modules[name]  # scikit-learn imports it
def ours():
    import omp_magic
    omp_magic.load_ipython_extension(shell)
def theirs():
    import threadpoolctl
steps = [ours, theirs] if sys.argv[1] == "0" else [theirs, ours]
took = {}
for step in steps:
    start = time.perf_counter()
    step()
    took[step.__name__] = time.perf_counter() - start
print(json.dumps(took))
"""


def cold_rounds(rounds: int) -> tuple[list[float], list[float]]:
    """Time the first import and load of each, in fresh processes, the order alternating.

    The first process is not counted: it writes the bytecode that an installation has.
    """
    ours, theirs = [], []
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for number in range(rounds + 1):
        ended = subprocess.run(
            [sys.executable, "-c", COLD, str(number % 2)],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            env=env,
        )
        if not number:
            continue
        took = json.loads(ended.stdout)
        ours.append(took["ours"])
        theirs.append(took["theirs"])
    return ours, theirs


def warm_rounds(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, calls: int
) -> tuple[list[float], list[float]]:
    """Time repeated calls of each in this process, one after the other in every round."""
    took: tuple[list[float], list[float]] = ([], [])
    ours()
    theirs()
    for _ in range(rounds):
        for times, function in zip(took, (ours, theirs), strict=True):
            start = time.perf_counter()
            for _ in range(calls):
                function()
            times.append((time.perf_counter() - start) / calls)
    return took


def main() -> int:
    import numpy as np  # noqa: F401 - what the figures are asked for
    import scipy.linalg  # noqa: F401 - as above
    import sklearn.cluster  # noqa: F401 - as above
    import threadpoolctl

    import omp_magic

    def limit_ours() -> None:
        with omp_magic.limit(1):
            pass

    def limit_theirs() -> None:
        with threadpoolctl.threadpool_limits(1):
            pass

    from omp_magic.machine import Machine
    from omp_magic.probes.cpus.budget import probe_budget

    machine = Machine.here()

    def two_files() -> None:
        for name in ("/proc/self/cgroup", "/proc/self/mountinfo"):
            with open(name, encoding="utf-8", errors="surrogateescape") as file:
                file.read()

    rows = (
        ("cold import + load / import threadpoolctl", 1.0, cold_rounds(20)),
        (
            "snapshot() / threadpool_info()",
            0.25,
            warm_rounds(omp_magic.snapshot, threadpoolctl.threadpool_info, 40, 10),
        ),
        ("limit(1) / threadpool_limits(1)", 0.1, warm_rounds(limit_ours, limit_theirs, 40, 10)),
        (
            "probe_budget / reading its two /proc files",
            5.0,
            warm_rounds(lambda: probe_budget(machine), two_files, 40, 10),
        ),
    )
    print(f"threadpoolctl {threadpoolctl.__version__}, Python {sys.version.split()[0]}")
    print(f"{'':44}{'ours us':>10}{'theirs us':>11}{'ratio':>8}{'aim':>7}")
    missed = 0
    for name, aim, (ours, theirs) in rows:
        first, second = statistics.median(ours), statistics.median(theirs)
        ratio = first / second
        missed += ratio > aim
        print(f"{name:44}{first * 1e6:10.0f}{second * 1e6:11.0f}{ratio:8.3f}{aim:7.2f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
