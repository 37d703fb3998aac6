"""Limits on the pools of real packages: any program of them ends where it began."""

from __future__ import annotations

import pytest
from environments import POOLS, environment, run_in, values_in
from limit_programs import HEAD
from live import LINUX
from places import ROOT, TESTS

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only"),
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

PACKAGES = (
    HEAD
    + """
import numpy, numexpr, cv2, pyarrow, blosc2, numba, torch, sklearn.cluster
from numba import njit, prange
numba.set_num_threads(1); numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
specs = ["1", "2", "numexpr=1", "torch=1 numba=1", "cv2=1 pyarrow=1", "blosc2=1", "pyarrow-io=1",
         "openmp=1", "auto", "libgomp=1", "faiss=1"]
HERE.limiter.inventory.refresh(limited=False)
ran = 0
for seed in range(25):
    before = state()
    program = Program(seed, specs, [lambda: __import__("faiss")] if seed == 3 else [])
    program.run(20)
    check(before, program.steps)
    ran += len(program.steps)
print(json.dumps([ran, sorted(counts())]))
"""
)


def test_any_program_of_limits_with_the_pools_of_packages() -> None:
    python = environment("pools", POOLS)
    ran, pools = values_in(python, PACKAGES, PYTHONPATH=f"{ROOT}:{TESTS!s}")
    assert ran > 300
    told = " ".join(pools)
    for name in ("numexpr", "numba", "OpenCV", "pyarrow CPU", "pyarrow I/O", "blosc2", "torch"):
        assert name in told


def test_polars_imported_under_a_limit_keeps_its_own_size() -> None:
    code = (
        "import json, omp_magic\n"
        "with omp_magic.limit(1) as held:\n"
        "    import polars\n"
        "    size = polars.thread_pool_size()\n"
        "import os\n"
        "print(json.dumps([size, len(os.sched_getaffinity(0)), held.afterwards]))\n"
    )
    size, cpus, told = values_in(environment("pools", POOLS), code)
    assert size == cpus
    assert any("polars" in line for line in told)


def test_a_package_that_borrows_its_threads_is_limited_by_its_name_as_it_is_imported() -> None:
    for name in ("faiss", "xgboost"):
        code = (
            "import ctypes, json, os, omp_magic\n"
            "def count():\n"
            "    lines = [line.split(None, 5)[-1].strip() for line in open('/proc/self/maps')]\n"
            "    (path,) = {each for each in lines if 'libgomp' in each}\n"
            "    return ctypes.CDLL(path).omp_get_max_threads()\n"
            f"with omp_magic.limit('{name}=1') as held:\n"
            f"    import {name}\n"
            "    inside = count()\n"
            "print(json.dumps([inside, count(), len(os.sched_getaffinity(0)), held.notes]))\n"
        )
        inside, after, cpus, notes = values_in(environment("pools", POOLS), code)
        assert (inside, after) == (1, cpus)
        assert notes == [f"{name}: not loaded yet; limited as soon as it is"]


def test_a_pool_that_starts_under_a_limit_is_said_to_stay_once() -> None:
    code = (
        "import json, polars, time, omp_magic\n"
        "with omp_magic.limit(1) as held:\n"
        "    polars.DataFrame({'a': range(100_000)}).lazy().group_by('a').len().collect()\n"
        "    time.sleep(0.5)\n"
        "print(json.dumps([held.notes, held.afterwards, omp_magic.limits.notes.fixed()]))\n"
    )
    (before,), afterwards, (after,) = values_in(environment("pools", POOLS), code)
    assert before != after
    assert afterwards == []


def test_one_line_says_what_a_limit_cannot_change() -> None:
    code = (
        "import json, polars, torch, omp_magic\n"
        "with omp_magic.limit(1) as held: pass\n"
        "with omp_magic.limit('openmp=1') as other: pass\n"
        "print(json.dumps([held.notes, other.notes]))\n"
    )
    notes, others = values_in(environment("pools", POOLS), code)
    assert len([note for note in notes if "polars" in note and "POLARS_MAX_THREADS" in note]) == 1
    assert len([note for note in notes if "inter-op" in note]) == 1
    assert others == []


def test_run_in_says_no_more_than_it_must() -> None:
    """A limit prints nothing by itself: the magics do."""
    ended = run_in(
        environment("pools", POOLS), "import polars, omp_magic\nwith omp_magic.limit(1): pass"
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
