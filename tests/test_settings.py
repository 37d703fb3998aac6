"""What environment variables really do: values, precedence, and what each library made of them."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sysconfig
from typing import Any

import pytest
from facts_for_tests import library, setting, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from live import LINUX, run_python

from omp_magic.catalog import BY_KEY, VARIABLES, readers_of
from omp_magic.dialects import DIALECTS
from omp_magic.envvars import llvm_boolean, threads_in
from omp_magic.errors import ParseError
from omp_magic.facts import Library, Pool
from omp_magic.meanings import meaning_of, problem_of
from omp_magic.precedence import ORDERS
from omp_magic.readings import readings_of
from omp_magic.rivals import RIVALRIES, SETTERS, setters_of
from omp_magic.rules import judge
from omp_magic.settings import EnvSetting, Reading

OMP, BLAS, MKL = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
GOMP = library("libgomp", owner="scikit-learn")
IOMP = library("libiomp5", num_threads=None, initialized=False, would_use=3, owner="intel-openmp")
OPENBLAS = library("openblas", owner="numpy")
ON_OPENMP = library("openblas", owner="faiss-cpu", threading_layer="openmp")


@pytest.mark.parametrize(
    ("name", "text", "meaning"),
    [
        (OMP, "4", "4 threads"),
        (OMP, " 4 , 2 ", "4 threads, 2 in nested regions"),
        (OMP, "1,3,2", "1 thread, 3, then 2 in nested regions"),
        (BLAS, "3x", "3 threads"),
        (BLAS, "0", "as if it were not set"),
        (MKL, "3", "3 threads"),
        ("OMP_DYNAMIC", "TRUE", "on"),
        ("KMP_DUPLICATE_LIB_OK", "1", "on"),
        ("KMP_INIT_AT_FORK", "FALSE", "off"),
        ("OMP_SCHEDULE", "monotonic:Static", "monotonic:static"),
        ("OMP_SCHEDULE", "dynamic,4", "dynamic,4"),
        ("OMP_PROC_BIND", "close, spread", "close,spread"),
        ("OMP_PLACES", "{0:4}:2:4", "{0:4}:2:4"),
        ("OMP_PLACES", "cores (2)", "cores(2)"),
        ("OMP_THREAD_LIMIT", "8", "at most 8 threads"),
        ("OMP_WAIT_POLICY", "PASSIVE", "passive"),
        ("KMP_BLOCKTIME", "200ms", "200ms"),
        ("KMP_BLOCKTIME", "infinite", "infinite"),
        ("KMP_AFFINITY", "granularity=fine,compact,1,0", "granularity=fine,compact,1,0"),
        ("KMP_AFFINITY", "", ""),
        ("GOMP_CPU_AFFINITY", "0 3-7:2", "CPUs 0 3-7:2"),
        ("GOMP_SPINCOUNT", "30k", "30k spins"),
        ("NUMBA_NUM_THREADS", "2", "2 threads"),
        ("SLURM_CPUS_PER_TASK", "4", "4 CPUs"),
        ("PYTHON_CPU_COUNT", "default", ""),
    ],
)
def test_meanings(name: str, text: str, meaning: str) -> None:
    assert meaning_of(name, text) == meaning


@pytest.mark.parametrize(
    ("name", "text", "culprit", "innocent"),
    [
        (OMP, "many", "libgomp", "MKL"),
        (OMP, "", "OpenMP", "numexpr"),
        (OMP, "99999999999", "ends the process", "numexpr"),
        ("OMP_DYNAMIC", "1", "libgomp", "LLVM"),
        ("OMP_DYNAMIC", " true", "LLVM", "libgomp"),
        ("OMP_SCHEDULE", "dynamic, 4", "LLVM", "libgomp"),
        ("OMP_WAIT_POLICY", "passive ", "LLVM", "libgomp"),
        (MKL, "3,1", "MKL", "OpenBLAS"),
        ("MKL_DYNAMIC", "0", "takes it for TRUE", "OpenMP"),
        (BLAS, "x", "OpenBLAS", "libgomp"),
        ("NUMEXPR_NUM_THREADS", "x", "numexpr", "libgomp"),
        ("OPENCV_FOR_THREADS_NUM", "", "OpenCV", "libgomp"),
        ("KMP_DUPLICATE_LIB_OK", "maybe", "LLVM", "libgomp"),
        ("GOMP_CPU_AFFINITY", "x", "never ends loading", "MKL"),
    ],
)
def test_problems_name_the_reader(name: str, text: str, culprit: str, innocent: str) -> None:
    problem = problem_of(name, text)
    assert culprit in problem
    assert innocent not in problem


def test_a_problem_is_that_of_the_loaded_libraries() -> None:
    assert "numexpr" not in problem_of(OMP, "4,2")
    assert "numexpr" in problem_of(OMP, "4,2", frozenset({"numexpr", "libgomp"}))
    assert problem_of("OMP_DYNAMIC", "1", frozenset({"libiomp5"})) == ""
    assert "libgomp" in problem_of("OMP_DYNAMIC", "1", frozenset({"libgomp"}))


def test_no_variable_that_reads_well_has_a_problem() -> None:
    for name, text in ((OMP, "4,2"), (BLAS, "0"), ("OMP_PROC_BIND", "false"), ("X", "y")):
        assert problem_of(name, text) == ""


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(VARIABLES)), st.text() | st.text("0123456789,: {}-kxX_.\t+"))
def test_no_value_raises_anything_but_our_own_error(name: str, text: str) -> None:
    with contextlib.suppress(ParseError):
        assert isinstance(meaning_of(name, text), str)
    assert "\n" not in problem_of(name, text)
    for reader in (*ORDERS, *BY_KEY):
        number = threads_in(reader, name, text)
        assert number is None or number >= 1


def test_the_tables_know_their_variables() -> None:
    assert set(DIALECTS) <= set(VARIABLES)
    for order in ORDERS.values():
        names = {*order.variables, *order.caps, *order.also, *order.ignored}
        assert names <= set(VARIABLES)
        assert order.source
    for rivalry in RIVALRIES:
        assert {rivalry.winner, *rivalry.losers} <= set(VARIABLES)
        for family in rivalry.families:
            assert {rivalry.winner, *rivalry.losers} <= {*ORDERS[family].also}
    assert set(SETTERS) <= set(VARIABLES)


def test_llvm_takes_the_beginning_of_a_word() -> None:
    # Tried with Intel OpenMP 2021.4: OMP_DYNAMIC=truex is TRUE, " true " is "Wrong value".
    assert [llvm_boolean(text) for text in ("t", "truex", "YES", "1", "enabled")] == [True] * 5
    assert [llvm_boolean(text) for text in ("f", "no", "0", "off", "disabled")] == [False] * 5
    assert [llvm_boolean(text) for text in ("", " true", "x", "o")] == [None] * 4


def states(
    now: dict[str, str],
    then: dict[str, str],
    *readers: Library | Pool,
    cpus: int = 2,
    limited: bool = False,
) -> dict[str, list[tuple[str, str]]]:
    found = readings_of(
        now,
        then,
        [each for each in readers if isinstance(each, Library)],
        [each for each in readers if isinstance(each, Pool)],
        affinity_cpus=cpus,
        limited=limited,
    )
    return {name: [(each.state, each.by) for each in each_of] for name, each_of in found.items()}


def one(now: dict[str, str], then: dict[str, str], reader: Library | Pool, name: str = OMP) -> str:
    ((state, _),) = states(now, then, reader)[name]
    return state


def python_pool(family: str, variables: tuple[str, ...], **facts: Any) -> Pool:
    given: dict[str, Any] = {"num_threads": 2, "would_use": None, "scope": "process", **facts}
    return Pool(
        name=family, family=family, api="python", library=family, variables=variables, **given
    )


def test_too_late_needs_the_proof_of_the_count() -> None:
    assert one({OMP: "3"}, {}, GOMP) == "too late"
    assert one({OMP: "3"}, {OMP: "2"}, GOMP) == "too late"
    assert states({}, {OMP: "2"}, GOMP) == {}
    assert one({}, {OMP: "1"}, library("libgomp", num_threads=1)) == "too late"
    assert one({OMP: "2"}, {}, GOMP) == "in force"
    assert one({OMP: "3"}, {OMP: "3"}, library("libgomp", num_threads=3)) == "in force"
    assert one({OMP: "3"}, {}, library("libgomp", num_threads=3)) == "in force"
    assert one({OMP: "3"}, {}, library("libgomp", num_threads=5)) == "unknown"
    assert one({OMP: "3"}, {OMP: "3"}, GOMP) == "unknown"
    assert one({OMP: "3"}, {}, library("libgomp", num_threads=None)) == "unknown"
    assert one({OMP: "x"}, {}, GOMP) == "ignored"
    assert states({OMP: "3"}, {}, GOMP, limited=True) == {OMP: [("unknown", "")]}


def test_a_runtime_that_has_not_started_will_still_read() -> None:
    assert one({OMP: "3"}, {}, IOMP) == "to come"
    assert one({OMP: "3"}, {}, library("libiomp5", initialized=None, num_threads=None)) == "unknown"
    assert one({OMP: "3"}, {}, library("libiomp5")) == "too late"


def test_the_winner_and_the_builds_that_ignore_it() -> None:
    both = {BLAS: "1", OMP: "2"}
    small = library("openblas", num_threads=1)
    assert states(both, both, small) == {BLAS: [("in force", "")], OMP: [("overruled", BLAS)]}
    assert states(both, both, ON_OPENMP) == {OMP: [("in force", "")], BLAS: [("ignored", "")]}
    # 0 is as if it were not set, so the next one counts.
    zero = {BLAS: "0", OMP: "1"}
    assert states(zero, zero, small) == {BLAS: [("ignored", "")], OMP: [("in force", "")]}
    # The stronger one came too late, so the weaker one is in force.
    late = states(both, {OMP: "2"}, OPENBLAS, cpus=4)
    assert late == {BLAS: [("too late", "")], OMP: [("in force", "")]}
    gone = states({OMP: "2"}, both, small, cpus=4)
    assert gone == {BLAS: [("too late", "")], OMP: [("overruled", BLAS)]}


def test_openblas_takes_no_more_threads_than_there_are_cpus() -> None:
    assert one({BLAS: "9"}, {BLAS: "9"}, OPENBLAS, BLAS) == "in force"
    # It has as many without the variable, so its count proves nothing of one that came later.
    assert one({BLAS: "9"}, {}, OPENBLAS, BLAS) == "unknown"
    assert one({BLAS: "2"}, {}, OPENBLAS, BLAS) == "in force"
    assert one({BLAS: "99"}, {BLAS: "99"}, library("openblas", num_threads=64), BLAS) == "in force"


def test_a_cap_overrules() -> None:
    capped = {OMP: "3", "OMP_THREAD_LIMIT": "1"}
    found = states(capped, capped, library("libgomp", num_threads=3))
    assert found[OMP] == [("overruled", "OMP_THREAD_LIMIT")]
    assert found["OMP_THREAD_LIMIT"] == [("in force", "")]
    wide = {OMP: "3", "OMP_THREAD_LIMIT": "8"}
    assert states(wide, wide, library("libgomp", num_threads=3))[OMP] == [("in force", "")]


def test_rivals_that_set_no_count() -> None:
    names = {"KMP_AFFINITY": "compact", "OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
    found = states(names, names, library("libiomp5"), GOMP)
    assert found["OMP_PROC_BIND"] == [("overruled", "KMP_AFFINITY"), ("in force", "")]
    verbose = {**names, "KMP_AFFINITY": "verbose"}
    assert states(verbose, verbose, library("libiomp5"))["OMP_PROC_BIND"] == [("in force", "")]
    loose = {"OMP_PROC_BIND": "false", "OMP_PLACES": "cores"}
    assert states(loose, loose, GOMP)["OMP_PLACES"] == [("overruled", "OMP_PROC_BIND")]
    assert states(loose, {}, GOMP)["OMP_PROC_BIND"] == [("unknown", "")]


def test_pools_of_packages() -> None:
    torch = python_pool("torch", (MKL, OMP), lender="/env/libgomp.so.1")
    both = {MKL: "2", OMP: "1"}
    assert states(both, both, torch) == {MKL: [("in force", "")], OMP: [("overruled", MKL)]}
    numexpr = python_pool("numexpr", ("NUMEXPR_NUM_THREADS", OMP, "NUMEXPR_MAX_THREADS"))
    assert one({"NUMEXPR_NUM_THREADS": "3"}, {}, numexpr, "NUMEXPR_NUM_THREADS") == "too late"
    numba = python_pool("numba", ("NUMBA_NUM_THREADS",), num_threads=None, would_use=2)
    assert one({"NUMBA_NUM_THREADS": "3"}, {}, numba, "NUMBA_NUM_THREADS") == "too late"
    arrow = python_pool("pyarrow", (OMP,), num_threads=None, would_use=3)
    assert one({OMP: "3"}, {}, arrow) == "to come"
    blosc = python_pool("blosc2", ("BLOSC_NTHREADS",))
    assert one({"BLOSC_NTHREADS": "9"}, {}, blosc, "BLOSC_NTHREADS") == "in force"
    faiss = python_pool("faiss", (OMP,), lender="/env/libgomp.so.1")
    assert states({OMP: "3"}, {}, faiss) == {}


def test_who_set_it() -> None:
    name = "KMP_DUPLICATE_LIB_OK"
    yes = "True"
    assert setters_of(name, yes, yes, None, {"sklearn", "os"}) == ("sklearn",)
    assert setters_of(name, yes, yes, None, {"sklearn", "threadpoolctl"}) == (
        "sklearn",
        "threadpoolctl",
    )
    assert setters_of(name, yes, yes, yes, {"sklearn"}) == ()
    assert setters_of(name, "1", "1", None, {"sklearn"}) == ()
    assert setters_of(name, yes, yes, None, {}) == ()
    # mkl sets it in C alone. One that Python has too was there before its import.
    layer = "MKL_THREADING_LAYER"
    assert setters_of(layer, None, "INTEL", None, {"mkl"}) == ("mkl",)
    assert setters_of(layer, "INTEL", "INTEL", None, {"mkl"}) == ()


def late(family: str = "libgomp", **facts: Any) -> EnvSetting:
    reading = Reading(reader="GNU libgomp (scikit-learn)", family=family, state="too late")
    return setting(OMP, "3", readings=(reading,), **facts)


def overruled(other: str, mine: str = "2") -> tuple[EnvSetting, EnvSetting]:
    reading = Reading(
        reader="OpenBLAS (numpy)", family="openblas", state="overruled", by=BLAS, num_threads=1
    )
    return setting(OMP, mine, readings=(reading,)), setting(BLAS, other)


@pytest.mark.parametrize(
    ("code", "trips", "rests"),
    [
        ("OMP301", (late(),), (setting(OMP, "3"),)),
        ("OMP302", overruled("1"), overruled("2")),
        (
            "OMP304",
            (setting("OMP_DYNAMIC", "1", problem="libgomp cannot read it"),),
            (setting("OMP_DYNAMIC", "true"),),
        ),
        (
            "OMP304",
            (setting(MKL, "4 "),),
            (setting(MKL, "4"),),
        ),
    ],
)
def test_rule(code: str, trips: tuple[EnvSetting, ...], rests: tuple[EnvSetting, ...]) -> None:
    assert code in {each.code for each in judge(snapshot(environment=trips))}
    assert code not in {each.code for each in judge(snapshot(environment=rests))}


def test_the_remedies_of_a_variable_that_came_too_late() -> None:
    (found,) = judge(snapshot(environment=(late(),)))
    assert found.remedies == (
        "For this session: %omp_limit libgomp=3",
        "Before the kernel starts: OMP_NUM_THREADS=3",
    )
    (found,) = judge(snapshot(environment=(late("numexpr"),)))
    assert found.remedies[0] == "For this session: numexpr.set_num_threads(3)"


def test_who_is_named() -> None:
    name = "KMP_DUPLICATE_LIB_OK"
    known = setting(name, "True", set_by=("sklearn",))
    assert judge(snapshot(environment=(known,))) == ()
    (found,) = judge(snapshot(environment=(known,), libraries=(IOMP,)))
    assert "importing scikit-learn does that" in found.why
    (found,) = judge(snapshot(environment=(setting(name, "True"),)))
    assert "by what is unknown" in found.why
    assert readers_of(name) == ()


def values(code: str, *arguments: str, **env: str) -> Any:
    """Run a program and give the JSON of its last line."""
    ended = run_python(code, *arguments, timeout=120, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().split("\n")[-1])


LOOK = """
import ctypes, json, os, sys
from omp_magic.machine import Machine
from omp_magic.observe import Observer
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
