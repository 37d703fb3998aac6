"""Linux through the door of other systems: an environment's files say what its process says."""

from __future__ import annotations

from typing import Any

import pytest
from environments import MKL_AND_TORCH, PADDLE, POOLS, TENSORFLOW, environment, values_in
from live import LINUX

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="the loader of Linux is followed"),
    pytest.mark.thorough,
    pytest.mark.timeout(1800),
]

COMPARE = """
import json, platform, sys, omp_magic

def answer(check):
    runtimes = [(each.family, each.path, each.soname, each.static) for each in check.runtimes]
    codes = sorted(each.code for each in check.findings)
    return {
        "runtimes": runtimes,
        "roles": [(each.serves, each.idle) for each in check.runtimes],
        "codes": codes,
        "unknown": [each.what for each in check.unknown],
        "notes": check.notes,
    }

target = f"linux-{platform.machine()}"
found = []
for words in sys.argv[1:]:
    modules = words.split("+")
    here = answer(omp_magic.check(*modules))
    there = answer(omp_magic.check(*modules, target=target, site=sys.prefix))
    found.append([words, here, there])
print(json.dumps(found))
"""

WITH_POOLS = (
    *("blosc2", "cv2", "duckdb", "faiss", "lightgbm", "numba", "numba.np.ufunc.omppool"),
    *("numexpr", "numpy", "onnx", "onnxruntime", "pandas", "polars", "pyarrow", "scipy.linalg"),
    *("sklearn", "sklearn.cluster", "tokenizers", "torch", "xgboost"),
    *("faiss+torch", "numba.np.ufunc.omppool+torch", "sklearn+faiss", "sklearn+torch"),
    *("torch+faiss", "torch+numba.np.ufunc.omppool", "torch+sklearn", "torch+xgboost"),
)
ASKED = {
    "pools": (POOLS, WITH_POOLS),
    "mkl-torch": (MKL_AND_TORCH, ("mkl", "torch", "mkl+torch", "torch+mkl")),
    "paddle": (PADDLE, ("paddle", "sklearn", "paddle+sklearn", "sklearn+paddle")),
    "tensorflow": (TENSORFLOW, ("tensorflow", "keras", "jax")),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_files_of_an_environment_say_what_its_process_says(name: str) -> None:
    packages, asked = ASKED[name]
    found: list[Any] = values_in(environment(name, packages), COMPARE, *asked)
    assert [words for words, _, _ in found] == [*asked]
    for words, here, there in found:
        assert there == here, words
