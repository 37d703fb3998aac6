"""What a fork does to each pool: measured here, row by row of knowledge/forks."""

from __future__ import annotations

import ctypes.util
import os
import sys
from dataclasses import dataclass

import pytest
from environments import FORKS, MKL, POOLS, environment, values_in
from live import LINUX

from omp_magic.knowledge import forks

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.skipif(
        LINUX and len(os.sched_getaffinity(0)) < 2, reason="one CPU: pools have no threads"
    ),
]

PROGRAM = """
import json, os, signal, sys, tempfile, time
import omp_magic
def told():
    return [f.title for f in omp_magic.snapshot().findings if f.code == "OMP204"]
setup, use = sys.argv[1:]
scope = {"parent": os.getpid()}
exec(setup, scope); clean = told()
exec(use, scope); after = told()
said = tempfile.TemporaryFile()
pid = os.fork()
if not pid:
    os.dup2(said.fileno(), 2)
    try:
        exec(use, scope)
    except BaseException as error:
        os.write(2, repr(error).encode()); os._exit(77)
    os._exit(0)
def ticks():
    # The CPU time of a child that waits for ever stands still.
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:13]
status, last, still, end = None, None, 0, time.monotonic() + 90
while time.monotonic() < end and still < 40:
    got, ended = os.waitpid(pid, os.WNOHANG)
    if got:
        status = os.waitstatus_to_exitcode(ended); break
    now = ticks()
    still, last = (still + 1 if now == last and now[0] == "S" else 0), now
    time.sleep(0.1)
else:
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
said.seek(0)
print(json.dumps([clean, after, status, said.read().decode(errors="replace")[-400:]]))
"""
"""Uses a pool, forks, uses it in the child; a child is taken for hung when it has slept, without a
tick of CPU time, for four seconds on end."""


@dataclass(frozen=True)
class Use:
    """A pool, how it is used, and where."""

    row: str
    setup: str
    use: str
    where: str = "pools"
    env: tuple[tuple[str, str], ...] = ()


NUMBA = (
    "import numba, numpy as np\n@numba.njit(parallel=True)\ndef f(a):\n    t = 0.\n"
    "    for i in numba.prange(a.size): t += a[i]\n    return t\na = np.ones(100000)"
)
DATA = "import numpy as np\nX = np.random.rand(5000, 10); y = (X[:, 0] > 0.5) * 1\n"
FRAME = "import polars as pl\ndf = pl.DataFrame({'g': [n % 7 for n in range(100000)]})"
TOKENS = (
    "from tokenizers import Tokenizer, models, trainers\nt = Tokenizer(models.BPE())\n"
    "t.train_from_iterator(['hello world'] * 1000, "
    "trainers.BpeTrainer(vocab_size=50, show_progress=False))"
)
ONNX = (
    "import numpy as np, onnxruntime as ort, onnx\nfrom onnx import helper as h, TensorProto as T\n"
    "info = lambda name: h.make_tensor_value_info(name, T.FLOAT, [900, 900])\n"
    "node = h.make_node('MatMul', ['a', 'b'], ['c'])\n"
    "g = h.make_graph([node], 'g', [info('a'), info('b')], [info('c')])\n"
    "m = h.make_model(g, opset_imports=[h.make_opsetid('', 13)]); m.ir_version = 8\n"
    "s = ort.InferenceSession(m.SerializeToString(), providers=['CPUExecutionProvider'])\n"
    "a = np.random.rand(900, 900).astype('f')"
)
BLAS = (
    "import ctypes, os, sys, numpy as np\n"
    "lib = ctypes.CDLL(os.path.join(sys.prefix, 'lib', 'libmkl_rt.so.3'))\n"
    "a = np.random.rand(900, 900); c = a * 0; D = ctypes.c_double\n"
    "p = lambda x: x.ctypes.data_as(ctypes.c_void_p)"
)
DGEMM = (
    "lib.cblas_dgemm(101, 111, 111, 900, 900, 900, D(1), p(a), 900, p(a), 900, D(0), p(c), 900)\n"
    "assert c.any()"
)
REGION = (
    "import ctypes\nlib = ctypes.CDLL({!r})\n"
    "f = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)"
)

QUICK = (
    Use(
        "pyarrow",
        "import pyarrow as pa\nt = pa.table({'g': [n % 7 for n in range(100000)]})",
        "t.group_by('g').aggregate([('g', 'count')])",
    ),
    Use(
        "tokenizers",
        TOKENS,
        "t.encode_batch(['hello'] * 5000)",
        env=(("TOKENIZERS_PARALLELISM", "1"),),
    ),
)
WHOLE = (
    Use("polars", FRAME, "df.group_by('g').len()"),
    Use("numba omp", NUMBA, "f(a)", env=(("NUMBA_THREADING_LAYER", "omp"),)),
    Use("libgomp", "import torch", "torch.rand(2000, 2000).exp()"),
    Use("libgomp", DATA + "import lightgbm as l", "l.train({'verbosity': -1}, l.Dataset(X, y), 3)"),
    Use("libgomp", DATA + "import xgboost as x", "x.train({}, x.DMatrix(X, y), 3)"),
    Use(
        "libgomp",
        "import numpy as np, faiss\nX = np.random.rand(20000, 32).astype('f')",
        "i = faiss.IndexFlatL2(32); i.add(X); i.search(X[:2000], 5)",
    ),
    Use(
        "libgomp",
        DATA + "from sklearn.cluster import KMeans",
        "KMeans(8, n_init=1).fit(X)",
    ),
    Use("libgomp", BLAS, DGEMM, "mkl", (("MKL_THREADING_LAYER", "GNU"),)),
    Use("mkl", BLAS, DGEMM, "mkl"),
    Use("polars", FRAME, "df.group_by('g').len()", env=(("POLARS_MAX_THREADS", "1"),)),
    Use("numba workqueue", NUMBA, "f(a)", env=(("NUMBA_THREADING_LAYER", "workqueue"),)),
    Use("tbb", NUMBA, "f(a)", "forks", (("NUMBA_THREADING_LAYER", "tbb"),)),
    Use(
        "jax",
        "import jax.numpy as jnp",
        "x = jnp.ones((900, 900)); (x @ x).sum().block_until_ready()",
        "forks",
    ),
    Use(
        "tensorflow",
        "import tensorflow as tf",
        "x = tf.ones((900, 900)); float(tf.reduce_sum(x @ x))",
        "forks",
        (("TF_CPP_MIN_LOG_LEVEL", "3"),),
    ),
    Use(
        "datafusion",
        "import datafusion\nc = datafusion.SessionContext()",
        "c.sql('select v % 7, count(*) from (select unnest(range(9999)) v) group by 1').collect()",
        "forks",
    ),
    Use(
        "deltalake",
        "import deltalake, pyarrow as pa, tempfile\nd = tempfile.mkdtemp()",
        "deltalake.write_deltalake(d, pa.table({'a': [1, 2]}), mode='append')",
        "forks",
    ),
    Use(
        "catboost",
        DATA + "import catboost",
        "catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False).fit(X, y)",
        "forks",
    ),
    Use(
        "grpc",
        "import grpc\nfrom concurrent import futures\n"
        "s = grpc.server(futures.ThreadPoolExecutor(2))\n"
        "port = s.add_insecure_port('127.0.0.1:0'); s.start()",
        "c = grpc.insecure_channel(f'127.0.0.1:{port}'); grpc.channel_ready_future(c).result(9)",
        "forks",
    ),
    Use("openblas", "import numpy as np", "a = np.random.rand(900, 900); a @ a"),
    Use(
        "cv2",
        "import numpy as np, cv2\na = np.random.rand(3000, 3000).astype('f')",
        "cv2.GaussianBlur(a, (31, 31), 0)",
    ),
    Use("onnxruntime", ONNX, "[s.run(None, {'a': a, 'b': a}) for _ in range(3)]"),
    Use(
        "duckdb",
        "import duckdb",
        "duckdb.sql('select g % 7, count(*) from range(999999) t(g) group by 1').fetchall()",
    ),
    Use(
        "numexpr",
        "import numpy as np, numexpr\na = np.random.rand(3000000)",
        "numexpr.evaluate('sin(a)', local_dict={'a': a})",
    ),
    Use(
        "blosc2", "import numpy as np, blosc2\na = np.random.rand(3000000)", "blosc2.asarray(a)[:]"
    ),
    Use("tokenizers off", TOKENS, "t.encode_batch(['hello'] * 5000)"),
)
PLACES = {"pools": POOLS, "mkl": (*MKL, "numpy"), "forks": FORKS}


def measured(use: Use) -> tuple[list[str], list[str], str, str]:
    """Give what is told before the pool is used and after, the effect, and the child's words."""
    name = "mkl-numpy" if use.where == "mkl" else use.where
    python = environment(name, PLACES[use.where])
    env = dict(use.env)
    if use.row == "tbb":  # its wheel leaves it where no loader looks
        env["LD_LIBRARY_PATH"] = os.path.join(os.path.dirname(os.path.dirname(python)), "lib")
    clean, after, status, said = values_in(python, PROGRAM, use.setup, use.use, **env)
    effects = {None: forks.HANGS, 0: forks.LIVES, -15: forks.KILLED, 77: forks.FAILS}
    return clean, after, effects.get(status, f"ends with {status}: {said}"), said


def check(use: Use) -> str:
    clean, after, effect, said = measured(use)
    expected = forks.LIVES if use.row == "tokenizers off" else forks.BY_KEY[use.row].effect
    assert effect == expected, said
    assert bool(after) == (expected in forks.DOOMED)
    child = forks.BY_KEY[use.row].child if use.row in forks.BY_KEY else ""
    assert all(child in title for title in after)
    if use.row != "tokenizers":  # its pool starts when it learns
        assert clean == []
    return said


@pytest.mark.parametrize("use", QUICK, ids=lambda use: use.row)
def test_a_fork_does_what_the_table_says(use: Use) -> None:
    check(use)


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("use", WHOLE, ids=lambda use: f"{use.row} {use.use[:12]}")
def test_the_whole_table(use: Use) -> None:
    if use.row == "numba omp" and ctypes.util.find_library("gomp") is None:
        pytest.skip("the system has no libgomp, which numba's layer omp needs")
    said = check(use)
    if use.row == "numba omp":
        assert "fork() called from a process already using GNU OpenMP" in said


@pytest.mark.thorough
def test_runtimes_of_llvms_family_start_anew(libomp: str, libiomp5: str) -> None:
    for path in (libomp, libiomp5):
        code = REGION.format(path), "lib.GOMP_parallel(f, None, 2, 0)"
        _, after, status, _ = values_in(sys.executable, PROGRAM, *code)
        assert (after, status) == ([], 0)


def test_every_row_is_measured() -> None:
    used = {use.row for use in (*QUICK, *WHOLE)} | {"libomp", "libiomp5"}
    assert used - {"tokenizers off"} == set(forks.BY_KEY)
