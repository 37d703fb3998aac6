"""Packages that do no harm to each other: nothing is found but what has always been true."""

from __future__ import annotations

import pytest
from environments import POOLS, environment, values_in
from live import LINUX

pytestmark = pytest.mark.skipif(not LINUX, reason="these wheels' owners of threads are Linux's")

LOOK = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("%load_ext omp_magic")
assert shell.run_cell(sys.argv[1]).success
import omp_magic
print(json.dumps([finding.code for finding in omp_magic.snapshot().findings]))
"""
SESSION = (
    "import numpy, onnx.helper as h, onnxruntime\n"
    "size = lambda name: h.make_tensor_value_info(name, 1, [60, 60])\n"
    "node = h.make_node('MatMul', ['x', 'x'], ['y'])\n"
    "graph = h.make_graph([node], 'g', [size('x')], [size('y')])\n"
    "model = h.make_model(graph, opset_imports=[h.make_opsetid('', 13)], ir_version=8)\n"
    "session = onnxruntime.InferenceSession(model.SerializeToString(),"
    " providers=['CPUExecutionProvider'])\n"
    "session.run(None, {'x': numpy.ones((60, 60), 'f')})"
)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        # Two copies of OpenBLAS, NumPy's and SciPy's.
        ("import numpy, scipy.linalg, sklearn.cluster", ["OMP106"]),
        ("import torch", []),
        ("import xgboost", ["OMP106"]),
        ("import polars", []),
        (SESSION, []),
    ],
    ids=["scikit-learn", "torch", "xgboost", "polars", "onnxruntime"],
)
def test_nothing_new_is_found(code: str, found: list[str]) -> None:
    assert values_in(environment("pools", POOLS), LOOK, code) == found
