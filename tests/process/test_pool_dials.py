"""Dials of Python packages' pools, proved by the threads that then work, never by a getter."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from environments import POOLS, TENSORFLOW, environment, values_in
from live import LINUX
from places import TESTS
from working import QUIET

from omp_magic.limits.fixed import fixed
from omp_magic.limits.pools import DIALS

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="counts threads by /proc: Linux only"),
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

FULL = {
    **QUIET,
    "OMP_NUM_THREADS": "6",
    "NUMBA_NUM_THREADS": "6",
    "NUMEXPR_MAX_THREADS": "8",
    "NUMEXPR_NUM_THREADS": "6",
    "OPENCV_FOR_THREADS_NUM": "6",
    "ARROW_IO_THREADS": "6",
}
"""Six threads for every pool, so that no count is that of the CPUs."""

START = f"""
import json, os, sys, threading
sys.path.insert(0, {str(TESTS)!r})
import working
from omp_magic.limits import adopt as pooladopt
from omp_magic.limits.launch import on_launch
from omp_magic.limits.pools import DIALS
from omp_magic.limits.fixed import fixed
def dials(name):
    return [(dial, sys.modules[dial.module]) for dial in DIALS if dial.name == name]
def limit(name, value):
    formers = [(dial, module, dial.get(module)) for dial, module in dials(name)]
    for dial, module in dials(name):
        dial.set(module, value)
    def back():
        for dial, module, former in reversed(formers):
            dial.set(module, former)
    return back
def workers(region, rounds):
    # Those that work for the calling thread, whose own share is no worker's.
    region()
    first = working.cpu_times()
    kept = [region() for _ in range(rounds)]
    then = working.cpu_times()
    grown = {{tid: ns - first.get(tid, 0) for tid, ns in then.items()}}
    own = grown.pop(threading.get_native_id())
    most = max(grown.values(), default=0)
    return sum(ns > most / 20 for ns in grown.values()) if most > own / 20 else 1
def count(region):
    rounds = getattr(region, "rounds", 0)
    return workers(region, rounds) if rounds else len(working.working(region, seconds=0.2))
def blosc2_asarray():
    import blosc2, numpy
    data = numpy.random.default_rng(0).random(8_000_000)
    region = lambda: blosc2.asarray(data)
    region.rounds = 1  # each array has threads of its own, which end with it
    return region
def arrow_copy():
    region = working.pyarrow_copy()
    region.rounds = 4
    return region
working.blosc2_asarray, working.arrow_copy = blosc2_asarray, arrow_copy
def in_thread(function):
    got = []
    thread = threading.Thread(target=lambda: got.append(function()))
    thread.start(); thread.join()
    return got[0]
def show(value):
    print(json.dumps(value))
"""


@pytest.fixture(scope="module")
def pools() -> str:
    return environment("pools", POOLS)


def values(python: str, code: str, **env: str) -> Any:
    return values_in(python, START + code, **{**FULL, **env})


REGIONS = {
    "torch": ("torch_elementwise", "torch_matmul"),
    "numexpr": ("numexpr_evaluate",),
    "numba": ("numba_prange", "numba_vectorize"),
    "cv2": ("cv2_blur", "cv2_filter"),
    "pyarrow": ("pyarrow_group", "pyarrow_csv"),
    "pyarrow-io": ("arrow_copy",),
    "blosc2": ("blosc2_asarray",),
    "lightgbm": ("lightgbm_predict",),
}
"""Real work of each pool, by the pool's name in a limit."""

MORE = {"blosc2": "blosc2.set_nthreads(6)", "pyarrow-io": "import pyarrow.fs"}
"""What else brings a pool to six threads."""


def test_every_dial_is_tried() -> None:
    assert set(REGIONS) == {dial.name for dial in DIALS}


@pytest.mark.thorough
@pytest.mark.parametrize("name", REGIONS)
def test_a_limit_limits_the_threads_that_work_and_ends(pools: str, name: str) -> None:
    package = next(dial.module for dial in DIALS if dial.name == name)
    for region in REGIONS[name]:
        counts = values(
            pools,
            f"import {package}\n{MORE.get(name, '')}\nregion = working.{region}(); region()\n"
            f"before = count(region); back = limit({name!r}, 3); during = count(region)\n"
            "inner = limit(" + repr(name) + ", 2); inside = count(region); inner()\n"
            "outer = count(region); back(); show([before, during, inside, outer, count(region)])",
        )
        assert counts == [6, 3, 2, 3, 6], region


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in REGIONS if name != "numba"])
def test_the_first_use_may_come_under_the_limit(pools: str, name: str) -> None:
    package = next(dial.module for dial in DIALS if dial.name == name)
    counts = values(
        pools,
        f"import {package}\n{MORE.get(name, '')}\n"
        f"before = len(os.listdir('/proc/self/task'))\n"
        f"formers = [dial.get(module) for dial, module in dials({name!r})]\n"
        "started = len(os.listdir('/proc/self/task')) - before\n"
        f"back = limit({name!r}, 3); region = working.{REGIONS[name][0]}()\n"
        "during = count(region); back(); show([started, during, count(region)])",
    )
    assert counts == [0, 3, 6]


PROCESS = [dial.name for dial in DIALS if dial.scope == "process" and dial.name != "blosc2"]


# Importing blosc2 sets numexpr's count (blosc2/__init__.py), so it has a process of its own.
@pytest.mark.parametrize("names", [("blosc2",), tuple(dict.fromkeys(PROCESS))], ids="+".join)
def test_a_dial_of_the_process_may_be_turned_in_any_thread(
    pools: str, names: tuple[str, ...]
) -> None:
    code = "seen = {}\n"
    for name in names:
        package = next(dial.module for dial in DIALS if dial.name == name)
        code += (
            f"import {package}\n{MORE.get(name, '')}\n"
            f"region = working.{REGIONS[name][0]}(); region()\n"
            f"back = in_thread(lambda: limit({name!r}, 3)); here = count(region)\n"
            "there = in_thread(lambda: count(region)); in_thread(back)\n"
            f"seen[{name!r}] = [here, there, count(region)]\n"
        )
    assert values(pools, code + "show(seen)") == {name: [3, 3, 6] for name in names}


@pytest.mark.parametrize("name", ["torch", "numba"])
def test_a_dial_of_a_thread_counts_in_that_thread(pools: str, name: str) -> None:
    counts = values(
        pools,
        f"import {name}\nregions = [getattr(working, each)() for each in {REGIONS[name]!r}]\n"
        "for region in regions: region()\n"
        "def counts(): return [count(region) for region in regions]\n"
        "def limited():\n"
        f"    back = limit({name!r}, 3); inside = counts(); back()\n"
        "    return [inside, counts()]\n"
        f"there = in_thread(limited); here = counts(); back = limit({name!r}, 2)\n"
        "show([*there, here, in_thread(counts), counts()])",
    )
    assert counts == [[number] * len(REGIONS[name]) for number in (3, 6, 6, 6, 2)]


def test_torch_is_left_as_it_was(pools: str) -> None:
    before, after, override, threads, later = values(
        pools,
        "import torch, re\nregion = working.torch_matmul()\n"
        "def state(): return re.findall(r'(?:get_max|num)_threads.*', "
        "torch.__config__.parallel_info())\n"
        "torch.get_num_threads(); before = state()\n"
        "tasks = len(os.listdir('/proc/self/task')); back = limit('torch', 3)\n"
        "threads = len(os.listdir('/proc/self/task')) - tasks; back(); after = state()\n"
        "module = sys.modules['torch']; override = pooladopt.torch_mkl_get(module)\n"
        # Whoever sets OpenMP's count alone still limits MKL: no override is left behind.
        "pooladopt.torch_set(module, 2); later = count(region)\n"
        "show([before, after, override, threads, later])",
    )
    assert before == after
    assert (override, threads, later) == (0, 0, 2)


def test_what_torch_itself_was_told_stays(pools: str) -> None:
    counts = values(
        pools,
        "import torch\ntorch.set_num_threads(5); back = limit('torch', 3)\n"
        "regions = working.torch_elementwise(), working.torch_matmul()\n"
        "during = [count(region) for region in regions]; back()\n"
        "show([during, [count(region) for region in regions],\n"
        "      in_thread(lambda: count(regions[0])), torch.get_num_threads()])",
    )
    assert counts == [[3, 3], [5, 5], 5, 5]


def test_torch_without_the_symbols_is_set_by_its_own_function(pools: str) -> None:
    counts = values(
        pools,
        "import torch\nmodule = sys.modules['torch']; region = working.torch_elementwise()\n"
        "pooladopt.torch_calls = lambda module: pooladopt.TorchCalls()\n"
        "back = limit('torch', 3); during = count(region); back(); show([during, count(region)])",
    )
    assert counts == [3, 6]


def test_more_than_a_pool_can_have_is_lowered(pools: str) -> None:
    seen = values(
        pools,
        "import numexpr, numba, cv2\nnumba.get_num_threads()\n"
        "backs = [limit(name, 99) for name in ('numexpr', 'numba')]\n"
        "counts = [count(working.numexpr_evaluate()), count(working.numba_prange())]\n"
        "for back in backs: back()\n"
        "cv2.setNumThreads(0); back = limit('cv2', 3); region = working.cv2_blur()\n"
        "during = count(region); back()\n"
        "show([counts, during, count(region)])",
    )
    assert seen == [[8, 6], 3, 1]


@pytest.mark.parametrize(("user", "before"), [("", 1), ("blosc2.set_nthreads(6)", 6)])
def test_blosc2s_two_counts_both_come_back(pools: str, user: str, before: int) -> None:
    seen = values(
        pools,
        "import blosc2, numpy\ndata = numpy.random.default_rng(0).random(3_000_000)\n"
        f"{user}\nold = lambda: blosc2.compress(data)\n"
        "state = lambda: [workers(old, 20), blosc2.nthreads]\n"
        "before = state(); back = limit('blosc2', 3); inner = limit('blosc2', 2)\n"
        "inside = state(); inner(); outer = state()\n"
        "back(); show([before, inside, outer, state()])",
        NUMEXPR_MAX_THREADS="64",
    )
    assert seen[0][0] == before
    assert seen[1] == [min(before, 2), 2]
    assert seen[2] == [min(before, 3), 3]
    assert seen[3] == seen[0]


OWN: dict[str, tuple[str, dict[str, str], str]] = {
    "torch": ("torch", {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}, "torch_elementwise"),
    "numexpr": (
        "numexpr",
        {"OMP_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1"},
        "numexpr_evaluate",
    ),
    "cv2": ("cv2", {"OPENCV_FOR_THREADS_NUM": "1"}, "cv2_blur"),
    "pyarrow": ("pyarrow", {"OMP_NUM_THREADS": "1"}, "pyarrow_group"),
    "pyarrow-io": ("pyarrow", {"ARROW_IO_THREADS": "1"}, "arrow_copy"),
    "blosc2": ("blosc2", {"BLOSC_NTHREADS": "1"}, "blosc2_asarray"),
}
"""The package of each pool, what a limit sets while it is imported, and work for it."""

ORIGINALS: tuple[dict[str, str], ...] = (
    {},
    {"OMP_NUM_THREADS": "5"},
    {
        "OMP_NUM_THREADS": "5,2",
        "MKL_NUM_THREADS": "4",
        "NUMEXPR_NUM_THREADS": "4",
        "NUMEXPR_MAX_THREADS": "5",
        "OPENCV_FOR_THREADS_NUM": "4",
        "OMP_THREAD_LIMIT": "4",
        "ARROW_IO_THREADS": "4",
    },
)


@pytest.mark.thorough
@pytest.mark.parametrize("originals", ORIGINALS, ids=["none", "OpenMP", "own"])
@pytest.mark.parametrize("name", OWN)
def test_an_import_under_a_limit_gets_its_own_count_afterwards(
    pools: str, name: str, originals: dict[str, str]
) -> None:
    package, limited, region = OWN[name]
    if name == "numexpr":
        # A list is no number for numexpr, and ends its import with an exception.
        originals = {key: value.partition(",")[0] for key, value in originals.items()}
    program = (
        f"if sys.argv[1:]: os.environ.update({limited!r})\nimport {package}\n"
        f"region = working.{region}()\nregion()\n"
        "if sys.argv[1:]:\n"
        f"    for name in {limited!r}: os.environ.pop(name)\n"
        f"    os.environ.update({originals!r})\n"
        f"    owns = [(dial, module, dial.own(module)) for dial, module in dials({name!r})]\n"
        "    for dial, module, own in owns: dial.set(module, own)\n"
        "show([count(region), in_thread(lambda: count(region))])"
    )
    started = {**QUIET, **originals}
    expected = values_in(pools, START + program, **started)
    assert values_in(pools, START + program, "limited", **started) == expected


NUMBA = {
    "parfor": "region = working.numba_prange()",
    "vectorize": "region = working.numba_vectorize()",
    "guvectorize": """
import math, numba, numpy
@numba.guvectorize(['(float64[:], float64[:])'], '(n)->(n)', target='parallel')
def rows(x, result):
    for i in range(len(x)): result[i] = math.sin(x[i])
data = numpy.random.rand(600, 4000)
region = lambda: rows(data)
""",
    "cache": """
sys.path.insert(0, os.environ['NUMBA_CACHE_DIR'])
import cached, numpy
data = numpy.random.rand(4_000_000)
region = lambda: cached.total(data)
region(); assert sum(cached.total.stats.cache_hits.values()) == int(os.environ['HITS'])
""",
}
CACHED = """
import numba, numpy
@numba.njit(parallel=True, cache=True)
def total(a):
    s = 0.0
    for i in numba.prange(a.size): s += numpy.sin(a[i])
    return s
"""


@pytest.mark.parametrize("way", NUMBA)
def test_the_mask_is_set_before_numbas_first_region(pools: str, way: str, tmp_path: Path) -> None:
    (tmp_path / "cached.py").write_text(CACHED, "utf-8")
    for hits in range(2 if way == "cache" else 1):
        seen = values(
            pools,
            "import numba, numba.np.ufunc.parallel as parallel\n"
            "original = parallel._launch_threads; ((dial, module),) = dials('numba')\n"
            "before = dial.started(module); threads = []\n"
            "def launched():\n"
            "    threads.append(threading.current_thread().name)\n"
            "    dial.set(module, 2); raise RuntimeError('must not reach the user')\n"
            f"undo = on_launch(module, launched)\n{NUMBA[way]}\n"
            "inside = count(region); undo()\n"
            "show([before, dial.started(module), threads, inside,\n"
            "      parallel._launch_threads is original])",
            NUMBA_CACHE_DIR=str(tmp_path),
            HITS=str(hits),
        )
        assert seen == [False, True, ["MainThread"], 2, True]


def test_waiting_for_numba_ends_in_any_order(pools: str) -> None:
    seen = values(
        pools,
        "import numba, numba.np.ufunc.parallel as parallel\n"
        "original = parallel._launch_threads; calls = []\n"
        "undos = [on_launch(numba, lambda name=name: calls.append(name)) for name in 'abc']\n"
        "undos[0](); undos[0](); wrapped = parallel._launch_threads is not original\n"
        "waits = not parallel._is_initialized; numba.get_num_threads(); numba.get_num_threads()\n"
        "undos[2](); undos[1]()\n"
        "show([wrapped, waits, calls, parallel._launch_threads is original])",
    )
    assert seen == [True, True, ["b", "c"], True]


def test_numbas_variable_must_be_left_alone(pools: str) -> None:
    # The reason for HIDDEN_WHILE_LOADED.
    seen = values(
        pools,
        "import numba\nnumba.get_num_threads(); os.environ['NUMBA_NUM_THREADS'] = '3'\n"
        "try: numba.njit(lambda: 1)()\n"
        "except RuntimeError as error: show(str(error))",
    )
    assert "Cannot set NUMBA_NUM_THREADS" in seen


def test_faiss_and_xgboost_follow_their_openmp_runtime(pools: str) -> None:
    for region, package in (("faiss_search", "faiss"), ("xgboost_train", "xgboost")):
        # XGBoost takes no more threads than there are CPUs (common/threading_utils.cc).
        before, inside = values(
            pools,
            f"import ctypes, {package}\nregion = working.{region}(); before = count(region)\n"
            "for path in working.mapped('libgomp'): ctypes.CDLL(path).omp_set_num_threads(1)\n"
            "show([before, count(region)])",
        )
        assert before > 1
        assert inside == 1


def test_nothing_is_said_where_nothing_is_loaded() -> None:
    assert fixed({}) == ()
    assert fixed({"numpy": sys}) == ()


def test_polars_is_said_to_keep_its_threads(pools: str) -> None:
    idle, used = values(
        pools,
        "import polars\nbefore = len(os.listdir('/proc/self/task')); idle = fixed()\n"
        "assert len(os.listdir('/proc/self/task')) == before\n"
        "polars.DataFrame({'a': range(100_000)}).lazy().group_by('a').len().collect()\n"
        "import time; time.sleep(0.5); show([idle, fixed()])",
        POLARS_MAX_THREADS="3",
    )
    assert used == idle
    assert idle[0].startswith("polars keeps its 3 threads: its pool cannot be changed")


def test_torchs_other_pool_is_said(pools: str) -> None:
    (line,) = values(pools, "import torch\nshow(fixed())")
    assert "torch.set_num_interop_threads" in line


@pytest.mark.thorough
def test_tensorflow_is_said_to_keep_its_threads() -> None:
    idle, used = values(
        environment("tensorflow", TENSORFLOW),
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nimport tensorflow as tf\n"
        "idle = fixed(); tf.config.threading.set_intra_op_parallelism_threads(3)\n"
        "tf.reduce_sum(tf.ones((9, 9))); show([idle, fixed()])",
    )
    assert idle[0].startswith("tensorflow keeps its threads within an operation")
    assert used[0].startswith("tensorflow keeps its 3 threads within an operation")
