"""A kernel with half a CPU and ONNX Runtime: what no limit reaches is named, with its switch."""

from __future__ import annotations

import re

import pytest
from environments import POOLS, environment
from live import LINUX, Kernel

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="cgroups: Linux only"),
    pytest.mark.timeout(1800),
]

USE = """
import onnx, onnx.helper as h, onnxruntime
t = onnx.TensorProto.FLOAT
ends = [h.make_tensor_value_info(name, t, [9, 9]) for name in "xy"]
graph = h.make_graph([h.make_node("MatMul", ["x", "x"], ["y"])], "g", ends[:1], ends[1:])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString())
"""


def test_a_limit_names_what_it_does_not_reach(half_a_cpu: str) -> None:
    python = environment("pools", POOLS)
    kernel = Kernel(python=python)
    try:
        kernel.run("%load_ext omp_magic")
        # A clean kernel has threads for its sockets, and no pool.
        assert "no thread pool yet" in kernel.run("%omp_status").text
        join = "import os; open(f'{0}/cgroup.procs', 'w').write(str(os.getpid()))"
        assert kernel.run(join.replace("{0}", half_a_cpu)).status == "ok"
        assert kernel.run(USE).status == "ok"
        said = re.sub(r"\s+", " ", kernel.run("%omp_status").text)
        assert "onnxruntime gives each session" in said
        assert "no limit reaches it: SessionOptions.intra_op_num_threads" in said
        assert "options.intra_op_num_threads = 1" in said
        limited = kernel.run("%omp_limit auto")
        assert re.search(r"on 1 pool, not on onnxruntime; %omp_limit off", limited.stdout)
        assert "not reached: onnxruntime (" in limited.stdout
        assert "SessionOptions.intra_op_num_threads" in limited.stdout
        # Said once; the line names it again.
        again = kernel.run("%omp_limit 1")
        assert "not reached" not in again.stdout
        assert "not on onnxruntime" in again.stdout
        assert "OMP205" in kernel.run("%omp_status").text
    finally:
        kernel.close()
