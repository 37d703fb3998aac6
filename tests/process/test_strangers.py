"""Pools without a row, with real threads and real packages: what is said is what lives."""

from __future__ import annotations

from pathlib import Path

import pytest
from building import pool_library
from environments import POOLS, STRANGERS, environment, run_in, values_in
from live import LINUX

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

MINE = """
import ctypes, json, sys, time
import omp_magic
def unknown():
    return [(p.name, p.workers) for p in omp_magic.snapshot().pools if p.api == "unknown"]
seen = [unknown()]
library = ctypes.CDLL(sys.argv[1])
for number in (1, 2):
    assert library.start(number) == 0
    time.sleep(0.2)
    seen.append(unknown())
with omp_magic.limit(1) as held:
    notes = held.notes
with omp_magic.limit("blas=1") as held:
    others = held.notes
with omp_magic.limit(1) as held:
    assert library.start(2) == 0
text = str(omp_magic.snapshot())
print(json.dumps({"seen": seen, "notes": notes, "others": others, "text": text}))
"""


def test_a_library_with_threads_of_its_own_is_shown_and_told(gcc: str, tmp_path: Path) -> None:
    python = environment("pools", POOLS)
    found = values_in(python, MINE, pool_library(gcc, tmp_path / "libmine.so"))
    # One thread alone is no pool.
    assert found["seen"] == [[], [], [["libmine.so", 3]]]
    line = "not reached: libmine.so (3 threads): how to limit it is not known"
    assert line in found["notes"]
    assert line not in found["others"]
    assert "no pool that can be counted, but 1 that cannot be counted" in found["text"]
    assert "not known how to count or limit" in found["text"]


ROWS = """
import json, os, time
import omp_magic
def rows():
    time.sleep(0.2)
    pools = omp_magic.snapshot().pools
    return {p.name: [p.num_threads, p.would_use, p.workers] for p in pools if p.own_switch}
def threads():
    return len(os.listdir("/proc/self/task"))
import onnxruntime, duckdb, tokenizers, lightgbm
before = threads()
first = rows()
woken = threads() - before
import onnx.helper as h, onnx
t = onnx.TensorProto.FLOAT
ends = [h.make_tensor_value_info(name, t, [9, 9]) for name in "xy"]
graph = h.make_graph([h.make_node("MatMul", ["x", "x"], ["y"])], "g", ends[:1], ends[1:])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 3
session = onnxruntime.InferenceSession(model.SerializeToString(), options)
database = duckdb.sql("SELECT current_setting('threads')").fetchall()[0][0]
words = tokenizers.models.WordLevel({"a": 0, "u": 1}, unk_token="u")
batch = tokenizers.Tokenizer(words)
batch.encode_batch(["a"] * 100)
second = rows()
os.environ["TOKENIZERS_PARALLELISM"] = "false"
third = rows()
lender = [p.lender for p in omp_magic.snapshot().pools if p.name == "lightgbm"]
notes = omp_magic.limit("1").__enter__().notes
print(json.dumps({"first": first, "woken": woken, "second": second, "third": third,
    "database": database, "lender": lender, "notes": notes}))
"""


def test_the_rows_of_packages_that_no_limit_reaches() -> None:
    found = values_in(environment("pools", POOLS), ROWS, RAYON_NUM_THREADS="3")
    assert found["woken"] == 0
    first, second = found["first"], found["second"]
    assert first["tokenizers"] == [None, 3, None]
    assert second["tokenizers"] == [3, None, 3]
    assert found["third"]["tokenizers"][0] == 1
    assert first["DuckDB"] == [None, found["database"], None]
    assert second["DuckDB"][2] >= found["database"] - 1
    # Two workers beside the thread that calls; the import itself starts one thread, which sends
    # telemetry, but not where CI=1 is set (onnxruntime 1.32).
    assert second["onnxruntime"][2] == (first["onnxruntime"][2] or 0) + 2
    assert len(found["lender"]) == 1
    assert "gomp" in found["lender"][0]
    for name in ("onnxruntime", "DuckDB", "tokenizers"):
        assert [name in note for note in found["notes"]].count(True) == 1


QUIET = """
import json, omp_magic, numpy, sklearn, {0}
found = omp_magic.snapshot()
print(json.dumps([[p.name for p in found.pools if p.api == "unknown"],
    [f.code for f in found.findings if f.code.startswith("OMP2")]]))
"""


@pytest.mark.parametrize("modules", ["pandas", "onnxruntime, duckdb, tokenizers, lightgbm, polars"])
def test_nothing_is_unknown_or_wrong_after_an_import(modules: str) -> None:
    if modules == "pandas":
        modules = "sklearn.ensemble"
    assert values_in(environment("pools", POOLS), QUIET.format(modules)) == [[], []]


USES = {
    "JAX": "import jax.numpy as j; j.ones(9).block_until_ready()",
    "oneTBB": "from tbb import Pool; p = Pool(); p.map(abs, range(99))",
    "OpenVINO": (
        "import numpy as n, openvino as v; from openvino import opset13 as o\n"
        "p = o.parameter([9, 9], n.float32)\n"
        "m = v.Model([o.matmul(p, p, False, False)], [p], 'm')\n"
        "c = v.Core().compile_model(m, 'CPU'); c(n.ones((9, 9), 'f'))"
    ),
    "SciPy's FFT": "import scipy.fft as s, numpy as n; s.fft2(n.ones((8, 512, 512)), workers=2)",
    "python-blosc": "import blosc, numpy as n; blosc.pack_array(n.random.rand(2000000))",
    "numcodecs": "import numcodecs as c, numpy as n; c.Blosc('lz4').encode(n.random.rand(2000000))",
    "DataFusion": (
        "import datafusion as d\n"
        "d.SessionContext().sql('select 1 from (values (1)) t(a)').collect()"
    ),
    "Clarabel": (
        "import cvxpy as c, numpy as n; x = c.Variable(99); a = n.random.rand(199, 99)\n"
        "c.Problem(c.Minimize(c.sum_squares(a @ x - 1)), [x >= 0]).solve(solver='CLARABEL')"
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", USES)
def test_what_was_measured_of_a_package(name: str) -> None:
    """Its threads are found, by the name of its row, after the first use."""
    code = (
        f"{USES[name]}\nimport json, time, omp_magic; time.sleep(0.3)\n"
        "found = {p.name: p.workers for p in omp_magic.snapshot().pools if p.unreached}\n"
        "print(json.dumps(found))"
    )
    found = values_in(environment("strangers", STRANGERS), code)
    assert found.get(name, 0) >= 1, found


@pytest.mark.thorough
@pytest.mark.parametrize("value", ["5", "0", " 3", "3x", "-1", ""])
@pytest.mark.parametrize("name", ["NPROC", "PJRT_NPROC"])
def test_jax_reads_its_variables_as_is_said(name: str, value: str) -> None:
    code = (
        "import jax, json, omp_magic\n"
        "def size(): return next(p for p in omp_magic.snapshot().pools if p.name == 'JAX').size\n"
        "before = size(); jax.numpy.ones(9).block_until_ready()\n"
        "print(json.dumps([before, size()]))"
    )
    before, after = values_in(environment("strangers", STRANGERS), code, **{name: value})
    assert before == after


@pytest.mark.thorough
def test_an_unknown_flag_of_xla_ends_the_process() -> None:
    python = environment("strangers", STRANGERS)
    code = "import jax; jax.devices()"
    assert run_in(python, code, XLA_FLAGS="--xla_no_such_flag=1").code != 0
