"""worker_limits in real pools, and every recipe of a plan run as it stands."""

from __future__ import annotations

import json
import logging
import os
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from environments import POOLS, environment
from live import LINUX, run_program, run_python
from places import ROOT

import omp_magic
from omp_magic.errors import LimitError
from omp_magic.limits.lasting import Lasting
from omp_magic.limits.spec import LimitSpec

CPUS = len(os.sched_getaffinity(0)) if LINUX else (os.cpu_count() or 1)
pytestmark = [
    pytest.mark.skipif(CPUS < 2, reason="one CPU: pools have one thread of themselves"),
    pytest.mark.timeout(600),
]
several = pytest.mark.parametrize(
    "method",
    [
        "spawn",
        *(
            pytest.param(
                each, marks=[pytest.mark.skipif(not LINUX, reason=f"{each}: not here"), *marks]
            )
            # A worker that is forked is tried below, from a parent that has worked.
            for each, marks in (("fork", [pytest.mark.thorough]), ("forkserver", []))
        ),
    ],
)

COUNTS = """
import os, sys

def counts(*_):
    "The counts of the runtimes here, and a variable that children inherit."
    import threadpoolctl
    found = {each["num_threads"] for each in threadpoolctl.threadpool_info()}
    return sorted(found), os.environ.get("OMP_NUM_THREADS")

def work(*_):
    "Use libgomp and OpenBLAS, and tell the counts."
    import numpy as np, sklearn.cluster
    sklearn.cluster.KMeans(3, n_init=1).fit(np.random.rand(3000, 8))
    return counts()

def in_threads(*_):
    import threading
    from concurrent.futures import ThreadPoolExecutor
    found = [work()]
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start(); thread.join()
    with ThreadPoolExecutor(1) as pool:
        return [*found, pool.submit(work).result()]

def child(*_):
    "What a program that the worker starts makes of its variables."
    import subprocess
    told = "print({d['num_threads'] for d in threadpoolctl.threadpool_info()})"
    code = "import numpy, threadpoolctl; " + told
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

def told(*_):
    from omp_magic.here import HERE
    return [each.set_by for each in HERE.limits]

def again(*_):
    import omp_magic
    omp_magic.worker_limits(2)()
    return work(), told()
"""


def script(tmp_path: Path, code: str, python: str = sys.executable, **env: str) -> Any:
    """Run a script with the functions above, and give the JSON of its last line."""
    path = tmp_path / "job.py"
    path.write_text(COUNTS + code, "utf-8")
    ended = run_program([python, str(path)], 120, {"PYTHONPATH": str(ROOT), **env})
    assert ended.code == 0, (ended.code, ended.err)
    assert "Traceback" not in ended.err
    return json.loads(ended.out.splitlines()[-1]), ended.err


POOLS_OF = """
if __name__ == "__main__":
    import json, multiprocessing, omp_magic
    from concurrent.futures import ProcessPoolExecutor
    context = multiprocessing.get_context({method!r})
    found = []
    for limits in (None, omp_magic.worker_limits(1)):
        with ProcessPoolExecutor(1, mp_context=context, initializer=limits) as pool:
            found.append([pool.submit(work).result(60)])
            if limits is not None:
                tasks = in_threads, child, told, again
                found[-1] += [pool.submit(each).result(60) for each in tasks]
        with context.Pool(1, initializer=limits) as pool:
            found[-1].append(pool.apply_async(work).get(60))
    print(json.dumps(found))
"""


@several
def test_workers_have_the_limit_for_what_is_loaded_later(method: str, tmp_path: Path) -> None:
    found, said = script(tmp_path, POOLS_OF.format(method=method))
    without, (first, threads, child, told, again, of_pool) = found
    assert without == 2 * [[[CPUS], None]]
    assert first == of_pool == [[1], "1"]
    assert threads == 3 * [[[1], "1"]]
    assert child == "{1}\n"
    assert told == ["omp_magic.worker_limits('1')"]
    assert again == [[[2], "2"], ["omp_magic.worker_limits('2')"]]  # in place of the first
    assert said == ""


@pytest.mark.skipif(not LINUX, reason="forks")
def test_a_worker_forked_from_a_warm_parent_has_the_limit_and_lives(tmp_path: Path) -> None:
    """libgomp asks no team for one thread, so the child does not wait for the parent's."""
    code = """
if __name__ == "__main__":
    import json, multiprocessing, omp_magic
    before = work()
    context, limits = multiprocessing.get_context("fork"), omp_magic.worker_limits(1)
    with context.Pool(1, initializer=limits) as pool:
        found = [pool.apply_async(each).get(60) for each in (counts, work)]
    # The parent's own limits, which the child inherits in memory, do not win there.
    limits = omp_magic.worker_limits("blas=1 openmp=1")
    with omp_magic.limit(2), context.Pool(1, initializer=limits) as pool:
        found += [pool.apply_async(work).get(60)]
    print(json.dumps([before, found, counts()]))
"""
    (before, found, after), said = script(tmp_path, code)
    assert before == after == [[CPUS], None]
    assert [counts for counts, _ in found] == [[1], [1], [1]]
    assert said == ""


def test_loky_takes_it_too(tmp_path: Path) -> None:
    code = """
if __name__ == "__main__":
    import json, omp_magic
    from joblib.externals import loky
    pool = loky.get_reusable_executor(max_workers=1, initializer=omp_magic.worker_limits(1))
    print(json.dumps(pool.submit(work).result(60)))
    pool.shutdown()
"""
    assert script(tmp_path, code)[0] == [[1], "1"]


def test_unpickling_it_loads_no_numeric_library() -> None:
    code = (
        "import pickle, sys\n"
        f"limits = pickle.loads({pickle.dumps(omp_magic.worker_limits(1))!r})\n"
        "limits(); limits(7); limits(7, 'x')\n"
        "print(sorted({'numpy', 'IPython', 'jinja2', 'rich', 'threadpoolctl', 'pandas'}"
        " & set(sys.modules)))\n"
    )
    ended = run_python(code)
    assert (ended.code, ended.out, ended.err) == (0, "[]\n", "")


def test_it_is_small_equal_and_frozen() -> None:
    made = omp_magic.worker_limits(1)
    assert pickle.loads(pickle.dumps(made)) == made == omp_magic.worker_limits("1")
    assert len(pickle.dumps(made)) < 200
    with pytest.raises(AttributeError):
        made.spec = "2"  # type: ignore[misc]
    assert omp_magic.worker_limits({"blas": 1, "openmp": 2}).spec == "blas=1 openmp=2"
    assert omp_magic.worker_limits("auto/4").spec == "auto/4"


@pytest.mark.parametrize("given", [0, -1, True, None, 1.5, "", "opnblas=1", "1 2", b"1"])
def test_what_is_no_limit_is_refused_where_it_is_made(given: Any) -> None:
    with pytest.raises(LimitError, match=r"omp_magic\.worker_limits\(\""):
        omp_magic.worker_limits(given)


def test_a_failure_is_one_line_and_the_worker_lives(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object, __: object, spec: LimitSpec, ___: object) -> None:
        raise OSError(f"no {spec.text}")

    monkeypatch.setattr(Lasting, "put", fail)
    with caplog.at_level(logging.WARNING, "omp_magic"):
        omp_magic.worker_limits(3)("any", "thing")
    assert [record.getMessage() for record in caplog.records] == [
        "omp_magic: this worker has no limit (OSError: no 3)"
    ]


PLANNED = """
items = range(3)
def prepare():
    import multiprocessing
    multiprocessing.set_start_method({method!r})
    if {warm}:
        work()
"""
PLAN = """
if __name__ == "__main__":
    import json, omp_magic, multiprocessing
    prepare()
    made = omp_magic.plan(workers={workers})
    print(json.dumps([made.threads, [[each.place, each.code] for each in made.recipes],
                      [each.code for each in made.hazards]]))
"""
RUN = """
if __name__ == "__main__":
    import multiprocessing
    if multiprocessing.get_start_method(allow_none=True) is None:
        prepare()
{code}
if __name__ == "__main__":
    import json, subprocess
    try:
        results
    except NameError:
        results = [child()]
    print(json.dumps(results))
"""


DASK = """
    results = client.gather(client.map(work, items, pure=False))
    client.shutdown()
"""
FORKS = pytest.mark.skipif(not LINUX, reason="forks")


@pytest.mark.parametrize(
    ("method", "warm"),
    [
        ("spawn", False),
        pytest.param("fork", True, marks=FORKS),
        # The same recipes with another method's lines: each is in one of the two above.
        pytest.param("fork", False, marks=[FORKS, pytest.mark.thorough]),
        pytest.param("forkserver", True, marks=[FORKS, pytest.mark.thorough]),
    ],
)
def test_every_recipe_for_a_script_runs_and_gives_the_planned_threads(
    method: str, warm: bool, tmp_path: Path
) -> None:
    head = PLANNED.format(method=method, warm=warm)
    (threads, recipes, hazards), _ = script(tmp_path, head + PLAN.format(workers=CPUS))
    assert threads == 1
    assert hazards == (["OMP204"] if method == "fork" and warm else [])
    assert {place.split(",")[0] for place, _ in recipes} == {
        *("ProcessPoolExecutor", "multiprocessing.Pool", "joblib"),
        *("threads of this process", "other programs and pools"),
        *(["dask.distributed"] if find_spec("distributed") else []),
    }
    for place, code in recipes:
        if place == "dask.distributed" and method != "spawn":
            continue  # its workers are spawned whatever the method is
        more = DASK if place == "dask.distributed" else ""
        # A count of OpenMP belongs to a thread: what one loads while another works is limited there
        # from the other's next task on.
        before = "\nimport sklearn.cluster\n" if place == "threads of this process" else "\n"
        found, said = script(tmp_path, head + before + RUN.format(code=code + more))
        if place == "other programs and pools":
            assert found == ["{1}\n"], place
        elif place == "threads of this process":
            assert [counts for counts, _ in found] == 3 * [[1]], place
        else:
            assert found == 3 * [[[1], "1"]], place
        assert said == "", place


OTHERS = """
class Told:
    "A dataset: an item is what a worker's libraries have."
    def __len__(self):
        return 4
    def __getitem__(self, number):
        import cv2, torch
        return [cv2.getNumThreads(), torch.get_num_threads(), counts()[0]]
dataset = Told()
items = range(3)
"""


@pytest.mark.skipif(not LINUX, reason="the environment is made on Linux")
@pytest.mark.parametrize(
    "warm",
    # From a cold parent, the recipes that need no such package are run above.
    [pytest.param(False, marks=pytest.mark.thorough, id="cold"), pytest.param(True, id="warm")],
)
def test_recipes_for_pytorch_and_opencv(warm: bool, tmp_path: Path) -> None:
    python = environment("pools", POOLS)
    head = (
        OTHERS
        + f"""
def prepare():
    import multiprocessing, cv2, sklearn, numpy
    if not {warm}:
        return
    import torch
    torch.rand(2000, 2000).exp()
"""
    )
    planned = "\nif __name__ == '__main__':\n    import torch.utils.data\n"
    (_, recipes, hazards), _ = script(
        tmp_path, head + planned + PLAN.format(workers=2).lstrip(), python
    )
    assert hazards == (["OMP204"] if warm else [])
    code = dict(recipes)
    assert recipes[0][0].startswith("joblib")  # imported ones first
    loader = "\nif __name__ == '__main__':\n    prepare()\n" + code["torch DataLoader"]
    told = "\nif __name__ == '__main__':\n    import json\n    print(json.dumps([{}]))"
    rows = "[[int(n) for n in row[:2]] + [int(n) for n in row[2]] for row in loader]"
    found, _ = script(tmp_path, head + loader + told.format(rows), python)
    assert len(found[0]) == 4
    assert {n for row in found[0] for n in row} == {1}
    # 0 is the same as 1: OpenCV then starts no thread (opencv 5.0).
    use = (
        "import cv2, json, os, numpy\n{}\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), 'u1'), (31, 31), 0)\n"
        "print(json.dumps([cv2.getNumThreads(), len(os.listdir('/proc/self/task')) - before]))"
    )
    line = code["OpenCV, in each worker"].splitlines()[-1]
    for setting, wanted in (
        ("", [CPUS, CPUS - 1]),
        (line, [1, 0]),
        ("cv2.setNumThreads(0)", [1, 0]),
    ):
        assert script(tmp_path, use.format(setting), python)[0] == wanted, setting
