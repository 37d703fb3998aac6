"""MKL, which starts at its first call: read without waking it, limited without masking it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from environments import MKL, environment, values_in
from live import LINUX

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


PROGRAM = """
import json, os, sys
import omp_magic, mkl
def look():
    return {l.family: [l.num_threads, l.initialized] for l in omp_magic.snapshot().libraries}
def mapped():
    return sum("libmkl_core" in line for line in open("/proc/self/maps"))
seen = {}
seen["before"] = look(), mapped()
with omp_magic.limit(1) as held:
    seen["limited"] = look(), mapped()
    seen["mkl says"] = mkl.get_max_threads()
    seen["started"] = look()
seen["after"] = look(), mkl.get_max_threads(), os.environ.get("MKL_NUM_THREADS")
with omp_magic.limit("mkl=1"):
    seen["inside"] = mkl.get_max_threads()
mkl.set_num_threads(3)
seen["not masked"] = mkl.get_max_threads()
with omp_magic.limit(1):
    pass
seen["its own count"] = mkl.get_max_threads()
seen["owners"] = sorted(l.owner for l in omp_magic.snapshot().libraries)
seen["versions"] = [l.version for l in omp_magic.snapshot().libraries if l.family == "mkl"]
import threadpoolctl
seen["theirs"] = [i["version"] for i in threadpoolctl.threadpool_info() if "mkl" in i["prefix"]]
seen["codes"] = [f.code for f in omp_magic.snapshot().findings]
print(json.dumps(seen))
"""


@pytest.mark.timeout(900)
def test_mkl_is_not_woken_and_its_counts_come_back() -> None:
    seen: dict[str, Any] = values_in(environment("mkl", MKL), PROGRAM, MKL_DYNAMIC="FALSE")
    cpus = len(os.sched_getaffinity(0))
    assert seen["before"] == [{"mkl": [None, False], "libiomp5": [None, False]}, 0]
    assert seen["limited"] == seen["before"]
    assert seen["mkl says"] == 1
    assert seen["started"] == {"mkl": [1, True], "libiomp5": [1, True]}
    assert seen["after"] == [{"mkl": [cpus, True], "libiomp5": [cpus, True]}, cpus, None]
    assert seen["inside"] == 1
    assert seen["not masked"] == seen["its own count"] == 3
    assert seen["versions"] == seen["theirs"]
    assert seen["versions"][0] is not None
    assert seen["owners"] == ["intel-openmp", "mkl"]
    assert "OMP305" in seen["codes"]  # mkl-service sets MKL_THREADING_LAYER in C


@pytest.mark.timeout(900)
def test_mkl_takes_its_own_variable_before_openmps() -> None:
    look = (
        "import json, mkl, omp_magic\n"
        "def told():\n"
        "    facts = omp_magic.snapshot()\n"
        "    return {s.name: [r.state for r in s.readings if r.family == 'mkl']\n"
        "            for s in facts.environment if 'NUM_THREADS' in s.name}\n"
        "before = told(); count = mkl.get_max_threads()\n"
        "print(json.dumps([count, before, told()]))"
    )
    for own, other in (("1", "3"), ("3", "1")):
        env = {"MKL_NUM_THREADS": own, "OMP_NUM_THREADS": other, "MKL_DYNAMIC": "FALSE"}
        count, before, after = values_in(environment("mkl", MKL), look, **env)
        assert count == int(own)
        assert before == {"MKL_NUM_THREADS": ["to come"], "OMP_NUM_THREADS": ["overruled"]}
        assert after == {"MKL_NUM_THREADS": ["in force"], "OMP_NUM_THREADS": ["overruled"]}
