"""The system's libgomp, which no package brings, is called by who uses it, in a real kernel."""

from __future__ import annotations

import contextlib
import os

import pytest
from environments import POOLS, environment
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")

TRAINED = """
import numpy as np, lightgbm as lgb, multiprocessing as mp
X = np.random.rand(2000, 10); y = (X[:, 0] > .5).astype(int)
booster = lgb.train({'verbosity': -1, 'num_threads': 2}, lgb.Dataset(X, y), 5)
"""
# dmlc/xgboost#7044: which of two runtimes hangs in the fork is known by who uses it.


def test_the_libgomp_of_lightgbm_beside_that_of_scikit_learn() -> None:
    if not os.path.exists("/usr/lib/x86_64-linux-gnu/libgomp.so.1"):
        pytest.skip("no libgomp of the system: lightgbm's wheel brings none")
    with contextlib.closing(Kernel(python=environment("pools", POOLS))) as kernel:
        kernel.run("%load_ext omp_magic")
        kernel.run(TRAINED)
        status = " ".join(kernel.run("%omp_status --threads --env").text.split())
        assert "GNU libgomp the system, used by lightgbm" in status
        assert "A forked child that uses libgomp.so.1 of the system (used by lightgbm)" in status
        assert "OMP105" in status
        assert "GNU libgomp (the system, used by lightgbm)" in status  # its threads
        users = kernel.run(
            "import omp_magic\n"
            "print([l['users'] for l in omp_magic.snapshot().to_dict()['libraries']\n"
            "       if l['family'] == 'libgomp' and not l['owner']])"
        )
        assert "[['lightgbm']]" in users.stdout
