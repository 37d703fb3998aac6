"""A limit of N means N working threads: counted by their CPU times in real parallel regions."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest
from environments import MKL, POOLS, environment, values_in
from live import LINUX, Kernel
from places import ROOT, TESTS
from reruns import DisturbedError, measured, measures
from working import QUIET, NotPlainError, Work, build_busy, without_dearest

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="reads threads' CPU times from /proc: Linux only"),
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

CPUS = len(os.sched_getaffinity(0)) if LINUX else 1
FOUR = {
    **QUIET,
    "OMP_NUM_THREADS": "4",
    "ARROW_IO_THREADS": "4",
    "LOKY_MAX_CPU_COUNT": "4",
    "NUMBA_NUM_THREADS": "4",
    "NUMEXPR_NUM_THREADS": "4",
    "OPENCV_FOR_THREADS_NUM": "4",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(TESTS)]),
}
"""Every pool has 4 threads of itself, where the variable alone decides."""

TOOLS = """
import ctypes, json, os, subprocess, sys, threading
import working, omp_magic

def count(region):
    return len(working.working(region, seconds=0.2))

def apart(function, *arguments):
    "What a function gives in a thread that is started now."
    got = []
    thread = threading.Thread(target=lambda: got.append(function(*arguments)))
    thread.start()
    thread.join()
    return got[0]
"""


def tell(python: str, code: str, *arguments: str, **env: str) -> Any:
    """Give the JSON of the last line of a program that has the tools and pools of 4 threads."""
    try:
        return values_in(python, TOOLS + code, *arguments, **{**FOUR, **env})
    except AssertionError as error:
        if f"working.{NotPlainError.__name__}: " in str(error):
            raise DisturbedError(str(error)) from None
        raise


@dataclass(frozen=True)
class Case:
    """A package, or a part of one, whose pools are to be limited.

    `names` are those that a limit may use, each with the regions that it is for.
    """

    regions: tuple[str, ...]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    prepare: str = ""
    start: int = 4
    limit: int = 3
    env: dict[str, str] = field(default_factory=dict)
    mkl: bool = False

    def python(self) -> str:
        return environment("mkl", MKL) if self.mkl else environment("pools", POOLS)


CASES = {
    "OpenBLAS": Case(
        ("numpy_matmul", "scipy_linalg"),
        {"blas": ("numpy_matmul", "scipy_linalg"), "openblas": ("numpy_matmul", "scipy_linalg")},
        prepare="working.set_openblas(4)",
    ),
    "MKL": Case(("mkl_gemm",), {"mkl": ("mkl_gemm",)}, mkl=True),
    "scikit-learn": Case(
        ("sklearn_kmeans", "sklearn_boosting"),
        {"openmp": ("sklearn_kmeans", "sklearn_boosting")},
    ),
    "torch": Case(
        ("torch_matmul", "torch_elementwise"), {"torch": ("torch_matmul", "torch_elementwise")}
    ),
    "numexpr": Case(("numexpr_evaluate",), {"numexpr": ("numexpr_evaluate",)}),
    "numba omp": Case(
        ("numba_prange", "numba_vectorize"),
        {"numba": ("numba_prange", "numba_vectorize")},
        env={"NUMBA_THREADING_LAYER": "omp"},
    ),
    "numba workqueue": Case(
        ("numba_prange", "numba_vectorize"),
        {"numba": ("numba_prange", "numba_vectorize")},
        env={"NUMBA_THREADING_LAYER": "workqueue"},
    ),
    "cv2": Case(("cv2_filter", "cv2_blur"), {"cv2": ("cv2_filter", "cv2_blur")}),
    "pyarrow": Case(
        ("pyarrow_group", "pyarrow_csv", "pyarrow_copy"),
        # The package's name is for both of its pools.
        {
            "pyarrow": ("pyarrow_group", "pyarrow_csv", "pyarrow_copy"),
            "pyarrow-io": ("pyarrow_copy",),
        },
    ),
    "blosc2": Case(
        ("blosc2_compress",),
        {"blosc2": ("blosc2_compress",)},
        prepare="import blosc2; blosc2.set_nthreads(4)",
    ),
    "faiss": Case(("faiss_search",), {"openmp": ("faiss_search",)}),
    # XGBoost takes no more than the CPUs, whatever OpenMP's count is (src/common/threading_utils).
    "xgboost": Case(("xgboost_train",), {}, start=min(4, CPUS), limit=1),
}

LIMITED = """
regions = {name: getattr(working, name)() for name in json.loads(sys.argv[1])}
names, limit = json.loads(sys.argv[2]), int(sys.argv[3])
exec(sys.argv[4])

def look(some=None):
    return {name: count(regions[name]) for name in some or regions}

# What each region follows is seen inside, after and by name; between them one tells of the pool.
one = list(regions)[:1]
seen = {"before": look(one)}
with omp_magic.limit(limit):
    seen["inside"] = look()
    with omp_magic.limit(1):
        seen["nested"] = look(one)
    seen["inside again"] = look(one)
seen["after"] = look()
with omp_magic.limit(limit):
    seen["in a new thread"] = apart(look)
seen["in a new thread after"] = apart(look, one)
for name in names:
    try:
        with omp_magic.limit(f"{name}={limit}"):
            seen["only " + name] = look()
    except working.NotPlainError:
        raise
    except Exception as error:
        seen["only " + name] = repr(error)
seen["at the end"] = look(one)
print(json.dumps(seen))
"""


DEAR = {"pyarrow", "numba workqueue", "numba omp", "blosc2", "scikit-learn"}
"""To count who works for these takes a minute. Each is counted here when it is first loaded under a
limit, or in `test_pool_dials`, scikit-learn's libgomp by itself below, and `test_limits_packages`
reads the counts of all back after any program of limits."""
LABELS = {
    label: pytest.param(label, marks=[pytest.mark.thorough] if label in DEAR else [])
    for label in CASES
}


@pytest.fixture(autouse=True)
def anew(request: pytest.FixtureRequest) -> None:
    """When it runs once more, a test does not get what the first run has measured."""
    if getattr(request.node, "execution_count", 1) > 1:
        limited.cache_clear()


@functools.cache
def limited(label: str) -> dict[str, dict[str, int]]:
    """Give who worked in each state of a case; one child process for all its tests."""
    case = CASES[label]
    arguments = json.dumps(case.regions), json.dumps(list(case.names)), str(case.limit)
    seen: dict[str, dict[str, int]] = tell(
        case.python(), LIMITED, *arguments, case.prepare, **case.env
    )
    return seen


@pytest.mark.parametrize("label", LABELS.values())
@measures
def test_as_many_threads_work_as_the_limit_says(label: str) -> None:
    case, seen = CASES[label], limited(label)
    states = {"before": case.start, "inside": case.limit, "nested": 1, "inside again": case.limit}
    for state, number in {**states, "after": case.start, "at the end": case.start}.items():
        with measured():
            assert seen[state] == dict.fromkeys(seen[state], number), (state, seen)
    assert [*seen["inside"]] == [*seen["after"]] == [*case.regions]


@pytest.mark.parametrize("label", LABELS.values())
@measures
def test_a_thread_started_under_a_limit_has_it_too(label: str) -> None:
    case, seen = CASES[label], limited(label)
    with measured():
        assert seen["in a new thread"] == dict.fromkeys(case.regions, case.limit)
        assert seen["in a new thread after"] == dict.fromkeys(case.regions[:1], case.start)


@pytest.mark.parametrize("label", [LABELS[each] for each in CASES if CASES[each].names])
@measures
def test_a_pool_is_limited_by_its_name_and_no_other(label: str) -> None:
    case, seen = CASES[label], limited(label)
    for name, meant in case.names.items():
        expected = {
            region: case.limit if region in meant else case.start for region in case.regions
        }
        assert isinstance(seen[f"only {name}"], dict), seen  # a text is what went wrong
        with measured():
            assert seen[f"only {name}"] == expected, name


def test_a_stop_of_the_machine_makes_no_worker() -> None:
    """Four share the rounds of 10 ms; thread 5 waits, but was running when the machine stood."""
    rounds = [{1: 10.0, 2: 9.5, 3: 10.0, 4: 9.0, 5: 0.4} for _ in range(6)]
    rounds[2][5] = 40.0
    rounds[4][1] = 90.0
    work = Work(without_dearest(rounds))
    assert sorted(work) == [1, 2, 3, 4]
    assert work.sharp
    with_the_stop = Work({tid: sum(each[tid] for each in rounds) for tid in rounds[0]})
    assert sorted(with_the_stop) != sorted(work)


FIRST_LOADED = """
limit = int(sys.argv[2])
def look():
    return {name: count(region) for name, region in regions.items()}

with omp_magic.limit(limit):
    regions = {name: getattr(working, name)() for name in sys.argv[1].split()}
    inside = look()
after = look()
with omp_magic.limit(limit):
    again = look()
print(json.dumps([inside, after, again, look()]))
"""


@pytest.mark.parametrize(
    ("regions", "layer"),
    [
        ("numpy_matmul", ""),
        ("sklearn_kmeans", ""),
        ("torch_elementwise", ""),
        ("numba_prange", "omp"),
        pytest.param("numba_prange", "workqueue", marks=pytest.mark.thorough),
        # Each has a pool of its own: one process shows them all.
        ("numexpr_evaluate cv2_filter pyarrow_group pyarrow_copy", ""),
    ],
)
@measures
def test_what_is_first_loaded_under_a_limit_has_it_and_then_its_own_default(
    regions: str, layer: str
) -> None:
    # OpenBLAS starts with no more threads than CPUs (driver/others/memory.c).
    start, limit = (min(4, CPUS), 1) if regions == "numpy_matmul" else (4, 3)
    env = {"NUMBA_THREADING_LAYER": layer} if layer else {}
    seen = tell(environment("pools", POOLS), FIRST_LOADED, regions, str(limit), **env)
    with measured():
        assert seen == [
            dict.fromkeys(regions.split(), number) for number in (limit, start, limit, start)
        ]


@pytest.fixture(scope="module")
def runtimes(libomp: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Libraries with a busy parallel region, by the runtime that they are linked with."""
    asked = subprocess.run(
        ["gcc", "-print-file-name=libgomp.so.1"], check=True, capture_output=True, text=True
    )
    files = {"libgomp": os.path.realpath(asked.stdout.strip()), "libomp": libomp}
    libiomp5 = os.path.join(sys.prefix, "lib", "libiomp5.so")
    if os.path.exists(libiomp5):
        files["libiomp5"] = libiomp5
    folder = tmp_path_factory.mktemp("busy")
    return {name: build_busy("gcc", folder / name, path) for name, path in files.items()}


RUNTIME = """
limit, path = 3, sys.argv[1]
with omp_magic.limit(limit):
    region = working.busy(path)
    seen = {"loaded inside": count(region)}
seen["its own default"] = count(region)
with omp_magic.limit(limit):
    seen["inside"] = count(region)
    seen["in a new thread"] = apart(count, region)
    with omp_magic.limit(2):
        seen["nested"] = count(region)
seen["after"] = count(region)
with omp_magic.limit(f"{sys.argv[2]}=2"):
    seen["by its name"] = count(region)
with omp_magic.limit({os.path.basename(working.mapped(sys.argv[2])[0]): 2}):
    seen["by its file"] = count(region)
with omp_magic.limit("blas=1"):
    seen["not meant"] = count(region)
seen["at the end"] = count(region)
print(json.dumps(seen))
"""

UNUSED = """
with omp_magic.limit(3):
    region = working.busy(sys.argv[1])
print(json.dumps([count(region), apart(count, region)]))
"""


@pytest.mark.parametrize("name", ["libgomp", "libomp", "libiomp5"])
@measures
def test_each_openmp_runtime_is_limited(runtimes: dict[str, str], name: str) -> None:
    if name not in runtimes:
        pytest.skip("no libiomp5.so: intel-openmp has a wheel for Linux on x86_64 only")
    seen = tell(sys.executable, RUNTIME, runtimes[name], name)
    with measured():
        assert seen == {
            "loaded inside": 3,
            "its own default": 4,
            "inside": 3,
            "in a new thread": 3,
            "nested": 2,
            "after": 4,
            "by its name": 2,
            "by its file": 2,
            "not meant": 4,
            "at the end": 4,
        }
    unused = tell(sys.executable, UNUSED, runtimes[name])
    with measured():
        assert unused == [4, 4]


THREADS = """
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from joblib import Parallel, delayed

region = working.busy(sys.argv[1])
lock = threading.Lock()

def task(_=None):
    with lock:  # one at a time: all threads of the process are counted
        return count(region)

def in_executor(executor):
    return executor.submit(task).result()

early, inside = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
told, go = [], threading.Event()
lasting = threading.Thread(target=lambda: (told.append(task()), go.wait(60), told.append(task())))
seen = {"early before": in_executor(early)}
with omp_magic.limit(3):
    seen["early inside"] = in_executor(early)
    seen["executor"] = in_executor(inside)
    seen["thread"] = apart(task)
    with ThreadPool(1) as pool:
        seen["pool"] = pool.apply(task)
    seen["joblib"] = Parallel(2, backend="threading")(delayed(task)() for _ in range(2))
    lasting.start()
    while not told:
        lasting.join(0.05)
go.set()
lasting.join()
seen["lasting"] = told
seen["main after"] = task()
seen["executor after"] = in_executor(inside)
seen["early after"] = in_executor(early)
seen["joblib after"] = Parallel(2, backend="threading")(delayed(task)() for _ in range(2))
with omp_magic.limit(2):
    seen["both again"] = [in_executor(inside), in_executor(early), task()]
print(json.dumps(seen))
early.shutdown(), inside.shutdown()
"""


# That a thread's count is kept for libiomp5 as well is seen by "in a new thread" above.
@pytest.mark.parametrize("name", ["libgomp", pytest.param("libiomp5", marks=pytest.mark.thorough)])
@measures
def test_python_threads_have_the_limit_as_long_as_it_lasts(
    runtimes: dict[str, str], name: str
) -> None:
    if name not in runtimes:
        pytest.skip("no libiomp5.so: intel-openmp has a wheel for Linux on x86_64 only")
    seen = tell(sys.executable, THREADS, runtimes[name])
    with measured():
        assert seen == {
            "early before": 4,
            "early inside": 3,
            "executor": 3,
            "thread": 3,
            "pool": 3,
            "joblib": [3, 3],
            # Only the thread itself can set its count, and this one never leaves its function.
            "lasting": [3, 3],
            "main after": 4,
            "executor after": 4,
            "early after": 4,
            "joblib after": [4, 4],
            "both again": [2, 2, 2],
        }


CHILDREN = """
import multiprocessing
from joblib import Parallel, delayed

path = sys.argv[1]
spawn = multiprocessing.get_context("spawn")
child = "import sys, working; print(working.count_busy(sys.argv[1]))"

def run(env):
    ended = subprocess.run(
        [sys.executable, "-c", child, path], env=env, check=True, capture_output=True, timeout=60
    )
    return int(ended.stdout)

def children():
    with spawn.Pool(1) as pool:
        spawned = pool.apply(working.count_busy, [path])
    return {
        "C's variables": run(None),
        "Python's": run(dict(os.environ)),
        "spawn": spawned,
        "loky": Parallel(2)(delayed(working.count_busy)(path) for _ in range(2)),
    }

def variables():
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return {n: [v, (getenv(n.encode()) or b"").decode()] for n, v in os.environ.items()}

if __name__ == "__main__":
    seen, first = {}, variables()
    with omp_magic.limit(3):
        seen["inside"] = children()
    last = variables()
    changed = [name for name in first | last if first.get(name) != last.get(name)]
    with omp_magic.limit(3, env=False):
        seen["without variables"] = children()
        seen["nevertheless here"] = count(working.busy(path))
    seen["after"] = children()
    print(json.dumps([seen, changed]))
"""


@measures
def test_child_processes_inherit_a_limit(runtimes: dict[str, str]) -> None:
    seen, changed = tell(sys.executable, CHILDREN, runtimes["libgomp"])
    four = {"C's variables": 4, "Python's": 4, "spawn": 4, "loky": [4, 4]}
    three = {"C's variables": 3, "Python's": 3, "spawn": 3, "loky": [3, 3]}
    assert changed == []
    with measured():
        assert seen == {
            "inside": three,
            "without variables": four,
            "nevertheless here": 3,
            "after": four,
        }


NUMPY_CHILD = """
child = '''
import working
print(len(working.working(working.numpy_matmul(), seconds=0.2)))
'''
def run():
    ended = subprocess.run(
        [sys.executable, "-c", child], check=True, capture_output=True, timeout=60
    )
    return int(ended.stdout)

before = run()
with omp_magic.limit(1):
    inside = run()
print(json.dumps([before, inside, run()]))
"""


@measures
def test_a_childs_blas_inherits_a_limit() -> None:
    # The variable that wins over OMP_NUM_THREADS is set by the user.
    seen = tell(sys.executable, NUMPY_CHILD, OPENBLAS_NUM_THREADS="4")
    with measured():
        assert seen == [min(4, CPUS), 1, min(4, CPUS)]


TASKS = """
import asyncio

region = working.busy(sys.argv[1])
seen = []

async def main():
    turns = [asyncio.Event() for _ in range(5)]

    async def step(mine, name):
        await turns[mine].wait()
        seen.append([name, count(region)])
        if mine + 1 < len(turns):
            turns[mine + 1].set()

    async def limited():
        with omp_magic.limit(3):
            await step(0, "limited")
            await step(2, "limited")
        await step(4, "ended")

    @omp_magic.limit(2)
    async def decorated():
        seen.append(["decorated", count(region)])
        await asyncio.sleep(0)
        seen.append(["decorated", count(region)])

    async def free():
        await step(1, "free")
        await step(3, "free")

    turns[0].set()
    await asyncio.gather(limited(), free())
    await asyncio.gather(decorated(), asyncio.sleep(0))
    seen.append(["main", count(region)])

asyncio.run(main())
seen.append(["after", count(region)])
print(json.dumps(seen))
"""


@measures
def test_each_asyncio_task_works_with_its_own_count(runtimes: dict[str, str]) -> None:
    seen = tell(sys.executable, TASKS, runtimes["libgomp"])
    with measured():
        assert seen == [
            ["limited", 3],
            ["free", 4],
            ["limited", 3],
            ["free", 4],
            ["ended", 4],
            ["decorated", 2],
            ["decorated", 2],
            ["main", 4],
            ["after", 4],
        ]


WORKER = """
region = working.busy(sys.argv[1])
seen = {"main before": count(region)}
entered, looked, left, done = (threading.Event() for _ in range(4))

def work():
    try:
        with omp_magic.limit(2):
            seen["worker inside"] = count(region)
            entered.set(), looked.wait(60)
            seen["worker still"] = count(region)
        seen["worker after"] = count(region)
        left.set(), done.wait(60)
        seen["worker at the end"] = count(region)
    finally:
        entered.set(), left.set()

worker = threading.Thread(target=work)
worker.start()
entered.wait(60)
seen["main meanwhile"] = count(region)
looked.set(), left.wait(60)
seen["main after"] = count(region)
done.set(), worker.join()
print(json.dumps(seen))
"""


@measures
def test_a_limit_entered_in_a_worker_thread_is_that_threads(runtimes: dict[str, str]) -> None:
    seen = tell(sys.executable, WORKER, runtimes["libgomp"])
    with measured():
        assert seen == {
            "main before": 4,
            "worker inside": 2,
            "main meanwhile": 4,
            "worker still": 2,
            "worker after": 4,
            "main after": 4,
            "worker at the end": 4,
        }


CELL = """\
seen[{key!r}] = {{
    "OpenMP": count(region), "in a thread": apart(count, region),
    "OpenBLAS": count(product), "executor": executor.submit(count, region).result(),
    "child": int(subprocess.run(child, capture_output=True, check=True, timeout=60).stdout),
}}
"""


@measures
def test_a_cell_under_the_magic_works_with_its_limit(runtimes: dict[str, str]) -> None:
    kernel = Kernel(FOUR)
    try:
        start = (
            f"%load_ext omp_magic\n{TOOLS}\nfrom concurrent.futures import ThreadPoolExecutor\n"
            f"path = {runtimes['libgomp']!r}\nregion = working.busy(path)\n"
            "product = working.numpy_matmul(); working.set_openblas(4)\n"
            "executor = ThreadPoolExecutor(1); seen = {}\n"
            "child = [sys.executable, '-c', 'import sys, working;'\n"
            "         ' print(working.count_busy(sys.argv[1]))', path]"
        )
        assert kernel.run(start).status == "ok"
        cells = {
            "before": "",
            "three": "%%omp_limit 3\n",
            "no env": "%%omp_limit --no-env 3\n",
            "after": "",
        }
        for key, magic in cells.items():
            reply = kernel.run(magic + CELL.format(key=key))
            assert reply.status == "ok", reply.traceback
        seen = kernel.value("seen")
    finally:
        kernel.close()
    with measured():
        assert seen["before"] == seen["after"] == dict.fromkeys(seen["before"], 4)
        assert seen["three"] == dict.fromkeys(seen["before"], 3)
        assert seen["no env"] == {**dict.fromkeys(seen["before"], 3), "child": 4}
