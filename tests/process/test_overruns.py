"""What worked against what was allowed, in real regions; and libraries' own ceilings."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from environments import POOLS, environment, values_in
from live import LINUX, run_program
from places import ROOT, TESTS

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads threads' clocks: Linux only"),
    pytest.mark.alone,
    # The first test to ask for an environment installs it.
    pytest.mark.timeout(1800),
]

PATHS = f"{ROOT}:{TESTS!s}"
HEAD = """
import ctypes, json, os, sys, threading
import numpy, sklearn.cluster
import omp_magic
from passing import burn, counted, libgomp, region
region(2)
told = {}
def tell(name, spec, body):
    with omp_magic.limit(spec) as held:
        body()
    told[name] = [[each.allowed, each.worked, each.callers] for each in held.overruns]
"""


def told(code: str, **env: str) -> Any:
    command = [sys.executable, "-c", f"{HEAD}{code}\nprint(json.dumps(told))"]
    ended = run_program(command, 120, {"PYTHONPATH": PATHS, **env})
    assert ended.code == 0, ended.err
    assert ended.err == ""
    return json.loads(ended.out)


def test_a_region_that_names_its_own_number_is_seen() -> None:
    found = told(
        """
tell("one", 1, lambda: region(2))
(finding,) = [each for each in omp_magic.snapshot().findings if each.code == "OMP209"]
told["title"] = finding.title
tell("two of three", 2, lambda: region(3))
# Less proves nothing of more, and clocks differ: this does twice as much.
tell("held", 1, lambda: [region(0), region(0)])
told["after"] = [each.code for each in omp_magic.snapshot().findings if each.code == "OMP209"]
tell("named", "openmp=1", lambda: region(2))
tell("of others", "blas=1", lambda: region(2))
def in_a_thread():
    thread = threading.Thread(target=region, args=(2,))
    thread.start(); thread.join()
try:
    with omp_magic.limit(1) as held:
        region(2)
        1 / 0
except ZeroDivisionError:
    told["error"] = len(held.overruns)
""",
        OMP_NUM_THREADS="4",
    )
    assert found["one"] == [[1, 2, 1]]
    assert "worked with 2 threads under a limit of 1: whoever called it" in found["title"]
    assert found["two of three"] == [[2, 3, 1]]
    assert found["held"] == []
    assert found["after"] == []
    assert found["named"] == [[1, 2, 1]]
    assert found["of others"] == []
    assert found["error"] == 1


def test_what_the_code_raised_itself_and_what_others_did_is_not_told() -> None:
    found = told(
        """
def nested():
    with omp_magic.limit(2):
        region(0)
tell("nested", 1, nested)
def raised():
    libgomp().omp_set_num_threads(2)
    region(0)
tell("raised", 1, raised)
def threads():
    each = [threading.Thread(target=region, args=(0,)) for _ in range(3)]
    [thread.start() for thread in each]; [thread.join() for thread in each]
tell("threads", 1, threads)
tell("threads of two", 2, threads)
begin, end = threading.Event(), threading.Event()
def other():
    begin.wait(); region(2); end.set()
threading.Thread(target=other).start()
def beside():
    begin.set(); end.wait()
tell("another thread", 1, beside)
matrix = numpy.random.default_rng(0).random((1000, 1000))
def after_a_region():
    sklearn.cluster.KMeans(4, n_init=1).fit(matrix[:, :5]); burn()
matrix @ matrix; region(2)
tell("spinning", 1, after_a_region)
""",
        OMP_NUM_THREADS="2",
        OPENBLAS_NUM_THREADS="2",
    )
    assert found == {name: [] for name in found}
    assert len(found) == 6


def test_a_thread_of_the_limit_that_names_its_own_number_is_seen() -> None:
    found = told(
        """
def thread():
    # The worker is its thread's: it goes with it, and is not there to be asked afterwards.
    done, asked = threading.Event(), threading.Event()
    def work():
        region(2); done.set(); asked.wait()
    each = threading.Thread(target=work); each.start(); done.wait()
    return each, asked
with omp_magic.limit(1) as held:
    each, asked = thread()
asked.set(); each.join()
told["thread"] = [[one.allowed, one.worked] for one in held.overruns]
"""
    )
    assert [worked for _, worked in found["thread"]] == [3]


def test_threads_that_never_sleep_are_not_taken_for_workers() -> None:
    found = told('tell("one", 1, lambda: region(2))', OMP_WAIT_POLICY="active")
    assert found == {"one": []}


LIGHTGBM = """
import ctypes, json, os, pickle, importlib
import omp_magic, numpy
from passing import counted
X = numpy.random.default_rng(0).random((20_000, 10)); y = (X[:, 0] > 0.5) * 1
def ceiling():
    most = ctypes.c_int(); _LIB.LGBM_GetMaxThreads(ctypes.byref(most)); return most.value
def fit(kind=None, **named):
    return (kind or lightgbm.LGBMClassifier)(n_estimators=15, verbosity=-1, **named).fit(X, y)
def train(**named):
    told = {"verbosity": -1, **named}
    return lightgbm.train(told, lightgbm.Dataset(X, y, params=told), 15)
def state():
    return [lightgbm.LGBMClassifier, lightgbm.LGBMModel.fit, lightgbm.LGBMModel._process_n_jobs,
            lightgbm.train, joblib.cpu_count, joblib.effective_n_jobs, dict(os.environ)]
with omp_magic.limit(1):
    import lightgbm, joblib
    from lightgbm.basic import _LIB
    imported = ceiling()
class Mine(lightgbm.LGBMClassifier):
    pass
before = state()
found = {"imported": imported, "free": [ceiling(), joblib.effective_n_jobs(-1)]}
with omp_magic.limit(1):
    found["inside"] = [ceiling(), joblib.effective_n_jobs(-1)]
    fit(); fit()  # OpenBLAS's thread, loaded just now, spins for a while
    found["worked"] = [counted(fit), counted(lambda: fit(Mine, n_jobs=2)),
                       counted(lambda: train(num_threads=2)), counted(lambda: fit(n_jobs=-1))]
    model = fit(n_jobs=2)
    found["kept"] = [model.n_jobs, b"omp_magic" in pickle.dumps(model),
                     train(num_threads=2).params["num_threads"]]
    with omp_magic.limit(2):
        found["nested"] = ceiling()
    found["again"] = ceiling()
    try:
        with omp_magic.limit("lightgbm=2 joblib=2"):
            found["named"] = [ceiling(), joblib.cpu_count()]
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        found["interrupted"] = ceiling()
    importlib.reload(lightgbm)
    found["reloaded"] = ceiling()
found["after"] = [ceiling(), joblib.effective_n_jobs(-1)]
found["same"] = [one == other for one, other in zip(before, state())]
with omp_magic.limit("openmp=1"):
    found["openmp"] = ceiling()
with omp_magic.limit("blas=1"):
    found["blas"] = ceiling()
_LIB.LGBM_SetMaxThreads(3)
with omp_magic.limit(1, env=False) as held:
    found["bare"] = [ceiling(), held.notes]
with omp_magic.limit("joblib=1", env=False) as held:
    found["bare"] += held.notes
found["own"] = ceiling()
print(json.dumps(found))
"""


def test_a_limit_reaches_lightgbm_by_its_own_ceiling_and_gives_it_back() -> None:
    python = environment("pools", POOLS)
    found = values_in(python, LIGHTGBM, PYTHONPATH=PATHS)
    cpus = found["free"][1]
    assert (found["imported"], found["free"][0]) == (1, -1)
    assert found["inside"] == [1, 1]
    assert found["worked"] == [1, 1, 1, 1]
    assert found["kept"] == [2, False, 2]
    assert (found["nested"], found["again"]) == (2, 1)
    assert found["named"] == [2, min(2, cpus)]
    assert (found["interrupted"], found["reloaded"]) == (1, 1)
    assert found["after"] == [-1, cpus]
    assert found["same"] == [True] * 7
    assert (found["openmp"], found["blas"]) == (1, -1)
    assert found["bare"][:2] == [1, []]
    assert "LOKY_MAX_CPU_COUNT" in found["bare"][2]
    assert found["own"] == 3


def test_the_cpu_count_of_joblib_is_the_limit_and_scikit_learn_forgets_it() -> None:
    code = """
import json, os, omp_magic, joblib, sklearn.utils
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as threads
found = []
with omp_magic.limit("joblib=1"):
    found += [joblib.cpu_count(), joblib.cpu_count(only_physical_cores=True), threads()]
    # A model that asks for all CPUs starts no process.
    found.append(joblib.Parallel(n_jobs=-1)(joblib.delayed(os.getpid)() for _ in range(2)))
found += [joblib.cpu_count() == len(os.sched_getaffinity(0)), threads()]
os.environ["LOKY_MAX_CPU_COUNT"] = "1"
with omp_magic.limit(2):
    found.append(os.environ["LOKY_MAX_CPU_COUNT"])
found += [os.environ["LOKY_MAX_CPU_COUNT"], os.getpid()]
print(json.dumps(found))
"""
    *found, pid = values_in(environment("pools", POOLS), code, PYTHONPATH=PATHS)
    cpus = found[5]
    assert found == [1, 1, 1, [pid, pid], True, cpus, "1", "1"]
    assert cpus >= 1
