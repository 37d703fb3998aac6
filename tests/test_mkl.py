"""MKL, which starts at its first call: read without waking it, limited without masking it.

MKL brings another libiomp5 than the test environment may have, so it gets an environment of its
own, kept in tests/.cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX

ROOT = Path(__file__).parent.parent
HOME = Path(__file__).parent / ".cache" / f"mkl-{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = HOME / "bin" / "python"

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")


@pytest.fixture(scope="module")
def mkl_python() -> str:
    """An interpreter with mkl and mkl-service."""
    if not (HOME / "ready").exists():
        venv.create(HOME, with_pip=True, clear=True)
        install = [str(PYTHON), "-m", "pip", "install", "--quiet", "mkl", "mkl-service"]
        ended = subprocess.run(install, check=False, capture_output=True, text=True, timeout=600)
        if ended.returncode:
            pytest.skip(f"mkl cannot be installed here: {ended.stderr.strip()[-200:]}")
        (HOME / "ready").touch()
    return str(PYTHON)


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
seen["codes"] = [f.code for f in omp_magic.snapshot().findings]
print(json.dumps(seen))
"""


@pytest.mark.timeout(900)
def test_mkl_is_not_woken_and_its_counts_come_back(mkl_python: str) -> None:
    ended = subprocess.run(
        [mkl_python, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**CLEAN, "PYTHONPATH": str(ROOT), "MKL_DYNAMIC": "FALSE"},
    )
    seen: dict[str, Any] = json.loads(ended.stdout)
    cpus = len(os.sched_getaffinity(0))
    assert seen["before"] == [{"mkl": [None, False], "libiomp5": [None, False]}, 0]
    assert seen["limited"] == seen["before"]
    assert seen["mkl says"] == 1
    assert seen["started"] == {"mkl": [1, True], "libiomp5": [1, True]}
    assert seen["after"] == [{"mkl": [cpus, True], "libiomp5": [cpus, True]}, cpus, None]
    assert seen["inside"] == 1
    assert seen["not masked"] == seen["its own count"] == 3
    assert seen["owners"] == ["intel-openmp", "mkl"]
    assert "OMP305" in seen["codes"]  # mkl-service sets MKL_THREADING_LAYER in C
