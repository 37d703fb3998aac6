"""What loaded libraries made of variables, as a status tells it and as they say."""

from __future__ import annotations

import glob
import itertools
import json
import os
import sysconfig
from typing import Any

import pytest
from live import LINUX, run_python

from omp_magic.knowledge.catalog import BY_KEY
from omp_magic.knowledge.envvars import llvm_boolean, threads_in
from omp_magic.knowledge.meanings import meaning_of, problem_of

OMP, BLAS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"


def values(code: str, *arguments: str, **env: str) -> Any:
    """Run a program and give the JSON of its last line."""
    ended = run_python(code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().split("\n")[-1])


LOOK = """
import ctypes, json, os, sys
from omp_magic.machine import Machine
from omp_magic.probes.observe import Observer
observer = Observer(Machine.here())
def look():
    facts = observer.take()
    return {s.name: {r.family + " " + (next((l.owner or "" for l in facts.libraries
                if l.family == r.family and (l.owner or l.name) in r.reader), "")):
                [r.state, r.by, r.num_threads] for r in s.readings} for s in facts.environment}
def codes(): return sorted({f.code for f in __import__("omp_magic").snapshot().findings})
"""


LIVE = pytest.mark.skipif(not LINUX, reason="reads what loaded libraries made of it: Linux only")


@LIVE
def test_set_after_libgomp_was_loaded_is_too_late_and_does_nothing() -> None:
    cpus = len(os.sched_getaffinity(0))
    seen = values(
        LOOK + "import sklearn.cluster\n"
        "os.environ['OMP_NUM_THREADS'] = sys.argv[1]\n"
        "seen = look()['OMP_NUM_THREADS'], codes()\n"
        "path = next(l.path for l in observer.take().libraries if l.family == 'libgomp')\n"
        "print(json.dumps([*seen, ctypes.CDLL(path).omp_get_max_threads()]))",
        str(cpus + 1),
    )
    assert seen[0]["libgomp scikit-learn"] == ["too late", "", cpus]
    assert "OMP301" in seen[1]
    assert seen[2] == cpus


@LIVE
def test_set_before_the_first_call_of_libiomp5_is_to_come_and_takes_effect(libiomp5: str) -> None:
    seen = values(
        LOOK + "lib = ctypes.CDLL(sys.argv[1])\n"
        "os.environ['OMP_NUM_THREADS'] = '3'\n"
        "before, found = look()['OMP_NUM_THREADS'], codes()\n"
        "count = lib.omp_get_max_threads()\n"
        "after = look()['OMP_NUM_THREADS']\n"
        "os.environ['OMP_NUM_THREADS'] = '1'\n"
        "print(json.dumps([before, found, count, after, lib.omp_get_max_threads()]))",
        libiomp5,
    )
    assert seen[0] == {"libiomp5 intel-openmp": ["to come", "", 3]}
    assert not {"OMP301", "OMP302"} & set(seen[1])
    assert seen[2] == 3
    assert seen[3] == {"libiomp5 intel-openmp": ["in force", "", 3]}
    assert seen[4] == 3


@LIVE
def test_numpys_openblas_and_that_of_faiss() -> None:
    seen = values(
        LOOK + "import numpy, faiss\n"
        "seen = look()\n"
        "import threadpoolctl\n"
        "counts = sorted([i['user_api'], i.get('threading_layer'), i['num_threads']]\n"
        "    for i in threadpoolctl.threadpool_info())\n"
        "print(json.dumps([seen, counts]))",
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="3",
    )
    omp, blas = seen[0][OMP], seen[0][BLAS]
    assert omp["openblas numpy"] == ["overruled", BLAS, 1]
    assert blas["openblas numpy"] == ["in force", "", 1]
    assert blas["openblas faiss-cpu"] == ["ignored", "", 3]
    assert omp["openblas faiss-cpu"] == ["in force", "", 3]
    assert ["openmp", None, 3] in seen[1]
    assert ["blas", "pthreads", 1] in seen[1]


@LIVE
def test_set_before_the_start_is_in_force() -> None:
    seen = values(LOOK + "import sklearn.cluster\nprint(json.dumps(look()))", OMP_NUM_THREADS="1")
    assert {tuple(each) for each in seen[OMP].values()} == {("in force", "", 1)}
    assert len(seen[OMP]) == 3  # libgomp, NumPy's OpenBLAS and SciPy's


@LIVE
def test_a_clean_environment_raises_no_alarm() -> None:
    seen = values(
        LOOK + "import numpy, scipy.linalg, sklearn.cluster, pandas\n"
        "by = {s.name: s.set_by for s in observer.take().environment}\n"
        "print(json.dumps([codes(), by]))"
    )
    assert not [code for code in seen[0] if code.startswith("OMP3")]
    assert seen[1] == {
        "KMP_DUPLICATE_LIB_OK": ["sklearn", "threadpoolctl"],
        "KMP_INIT_AT_FORK": ["sklearn", "joblib"],
    }


@LIVE
def test_while_a_limit_is_in_force_no_count_proves_anything() -> None:
    cpus = len(os.sched_getaffinity(0))
    seen = values(
        LOOK + "import sklearn.cluster, omp_magic\n"
        "with omp_magic.limit(int(sys.argv[1])):\n"
        "    os.environ['OMP_NUM_THREADS'] = str(int(sys.argv[1]) + 1)\n"
        "    inside = codes()\n"
        "print(json.dumps([inside, codes()]))",
        str(cpus),
    )
    assert "OMP301" not in seen[0]
    assert "OMP301" in seen[1]


def wheel_libgomp() -> str:
    """Give scikit-learn's libgomp."""
    folder = os.path.join(sysconfig.get_paths()["purelib"], "scikit_learn.libs")
    found = glob.glob(os.path.join(folder, "libgomp*"))
    if not found:
        pytest.skip("no libgomp: scikit-learn has one in its wheels for Linux only")
    return found[0]


ASK = """
import ctypes, json, sys
print(json.dumps([[lib.omp_get_max_threads(), lib.omp_get_dynamic()]
                  for lib in map(ctypes.CDLL, sys.argv[1:])]))
"""


@LIVE
@pytest.mark.parametrize(
    "text", ["3", " 3 , 2 ", "+3", "0", "", "x", "3x", "3,", "3,0", ",3", "3 2", "-1", "0x3", "3.0"]
)
def test_counts_as_the_real_runtimes_read_them(libiomp5: str, text: str) -> None:
    (gomp, _), (iomp, _) = values(ASK, wheel_libgomp(), libiomp5, OMP_NUM_THREADS=text)
    cpus = len(os.sched_getaffinity(0))
    assert (threads_in("libgomp", OMP, text) or cpus) == gomp
    assert (threads_in("libiomp5", OMP, text) or cpus) == iomp
    fine = problem_of(OMP, text, frozenset({"libgomp"})) == ""
    assert fine is (threads_in("libgomp", OMP, text) is not None)


@LIVE
@pytest.mark.parametrize(
    "text", ["true", "TRUE", "1", " true", "t", "truex", "yes", "off", "", "x"]
)
def test_booleans_as_the_real_runtimes_read_them(libiomp5: str, text: str) -> None:
    (_, gomp), (_, iomp) = values(ASK, wheel_libgomp(), libiomp5, OMP_DYNAMIC=text)
    if not problem_of("OMP_DYNAMIC", text, frozenset({"libgomp"})):
        assert (meaning_of("OMP_DYNAMIC", text) == "on") == bool(gomp)
    assert (llvm_boolean(text) is True) == bool(iomp)


STRONGER = list(itertools.pairwise(BY_KEY["openblas"].variables))


@LIVE
@pytest.mark.parametrize(("winner", "loser"), STRONGER)
def test_the_order_of_openblas_variables_is_the_real_ones(winner: str, loser: str) -> None:
    for own, other in (("1", "2"), ("2", "1")):
        (count,) = values(
            LOOK
            + "import numpy\nprint(json.dumps([l.num_threads for l in observer.take().libraries]))",
            **{winner: own, loser: other},
        )
        # It takes no more than there are CPUs, so with one CPU both orders give 1.
        assert count == min(int(own), len(os.sched_getaffinity(0)))


@LIVE
@pytest.mark.parametrize("text", ["1", " 1", "1x", "1.5", "0", "x", "-1", "", "99"])
def test_counts_as_the_real_openblas_reads_them(text: str) -> None:
    cpus = len(os.sched_getaffinity(0))
    (count,) = values(
        LOOK
        + "import numpy\nprint(json.dumps([l.num_threads for l in observer.take().libraries]))",
        OPENBLAS_NUM_THREADS=text,
    )
    assert count == min(threads_in("openblas", BLAS, text) or cpus, cpus)
