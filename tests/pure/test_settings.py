"""What environment variables really do: values, precedence, and what each library made of them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from facts_for_tests import library, setting, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from omp_magic.errors import ParseError
from omp_magic.facts.libraries import Library, Pool
from omp_magic.facts.settings import EnvSetting, Reading
from omp_magic.formats.procfs import Mapped
from omp_magic.knowledge.catalog import BY_KEY, FAMILIES, Family, readers_of
from omp_magic.knowledge.dialects import DIALECTS
from omp_magic.knowledge.envvars import llvm_boolean, threads_in
from omp_magic.knowledge.meanings import meaning_of, problem_of
from omp_magic.knowledge.precedence import ORDERS, order_of
from omp_magic.knowledge.readings import readings_of
from omp_magic.knowledge.rivals import RIVALRIES, SETTERS, setters_of
from omp_magic.knowledge.variables import VARIABLES
from omp_magic.probes.runtimes.images import Image
from omp_magic.probes.runtimes.owners import Owner
from omp_magic.probes.runtimes.pools import threads_at_start
from omp_magic.rules import judge

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
        (MKL, "", "as if it were not set"),
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
        ("OMP_THREAD_LIMIT", "0", "libgomp", "MKL"),
        ("OMP_THREAD_LIMIT", "0", "takes 0 for 1", "MKL"),
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


def test_each_reader_is_named_once() -> None:
    huge = problem_of(OMP, "99999999999", frozenset({"libiomp5"}))
    assert huge.count("LLVM's OpenMP") == 1
    assert "ends the process" in huge


def test_one_value_is_another_number_to_another_reader() -> None:
    # What follows the digits ends int() of Python, and does not count for std::stoi.
    by = {reader: threads_in(reader, OMP, "4,2") for reader in ("libgomp", "numexpr", "pyarrow")}
    assert by == {"libgomp": 4, "numexpr": None, "pyarrow": 4}
    # Empty is not set to MKL; what it cannot read is one thread.
    assert [threads_in("mkl", MKL, text) for text in ("", "0", "4 ", "4")] == [None, None, 1, 4]


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


def test_mkls_own_variable_beats_openmps() -> None:
    """In both orders of size; tried with MKL 2026.2, see tests/process/test_mkl.py."""
    for own, other in (("1", "3"), ("3", "1")):
        both = {OMP: other, MKL: own}
        started = library("mkl", num_threads=int(own))
        assert states(both, both, started) == {MKL: [("in force", "")], OMP: [("overruled", MKL)]}
        sleeping = library("mkl", num_threads=None, initialized=False, would_use=int(own))
        assert states(both, {}, sleeping) == {MKL: [("to come", "")], OMP: [("overruled", MKL)]}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_the_catalog_and_the_orders_name_the_same_winners(family: Family) -> None:
    """Two tables have them: limits, remedies and runtimes that sleep go by the catalog's."""
    order = order_of(family.key)
    assert order is not None
    assert family.variables == order.variables


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_sleeping_runtime_will_use_what_the_first_variable_says(family: Family) -> None:
    """Each variable beats all that follow it."""
    image = Image(
        family=family,
        mapped=Mapped(path="/x.so", device="fe:00", inode=7, starts=(4096,), deleted=False),
        soname=None,
        version=None,
        owner=Owner("x"),
        layer=None,
        getter=None,
        setter=None,
        base=None,
        lender=None,
    )
    for at, winner in enumerate(ORDERS[family.key].variables):
        values = dict.fromkeys(ORDERS[family.key].variables[at:], "5") | {winner: "3"}
        assert threads_at_start(image, values.get, affinity_cpus=8) == 3, winner


def test_openblas_takes_no_more_threads_than_there_are_cpus() -> None:
    assert one({BLAS: "9"}, {BLAS: "9"}, OPENBLAS, BLAS) == "in force"
    # It has as many without the variable: a value that gives what is there is in force.
    assert one({BLAS: "9"}, {}, OPENBLAS, BLAS) == "in force"
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
    loud = {**loose, "OMP_PROC_BIND": " FALSE "}
    assert states(loud, loud, GOMP)["OMP_PLACES"] == [("overruled", "OMP_PROC_BIND")]


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


def test_a_pool_that_was_built_to_read_other_variables_is_not_judged_by_the_table() -> None:
    both = {MKL: "1", OMP: "2"}
    without_mkl = python_pool("torch", (OMP,), lender="/env/libgomp.so.1")
    assert states(both, both, without_mkl) == {}


NUM, MOST = "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS"


def numexpr_pool(num_threads: int, most: int = 64) -> Pool:
    return python_pool(
        "numexpr", (NUM, OMP, MOST), num_threads=num_threads, taken=((MOST, str(most)),)
    )


@pytest.mark.parametrize(
    ("now", "then", "count", "most", "found"),
    [
        # Tried with 2.14 on 2 CPUs. Its most is read at import: later it has no effect.
        ({MOST: "1"}, {}, 2, 64, {MOST: [("too late", "")]}),
        ({MOST: "1"}, {MOST: "1"}, 1, 1, {MOST: [("in force", "")]}),
        # Set between the start and the import.
        ({MOST: "3"}, {}, 3, 3, {MOST: [("in force", "")]}),
        ({MOST: "x"}, {MOST: "x"}, 1, 0, {MOST: [("in force", "")]}),
        # More than the most is refused: one thread. By the built-in 64, or by the variable.
        ({NUM: "100"}, {NUM: "100"}, 1, 64, {NUM: [("refused", "")]}),
        ({OMP: "65"}, {OMP: "65"}, 1, 64, {OMP: [("refused", "")]}),
        ({NUM: "8", MOST: "2"}, {NUM: "8", MOST: "2"}, 1, 2,
         {NUM: [("refused", MOST)], MOST: [("in force", "")]}),
        # Both: the most came after the start, so the built-in one decided.
        ({NUM: "100", MOST: "1"}, {NUM: "100"}, 1, 64,
         {NUM: [("refused", "")], MOST: [("too late", "")]}),
        ({NUM: "100", MOST: "128"}, {NUM: "100", MOST: "128"}, 100, 128,
         {NUM: [("in force", "")], MOST: [("in force", "")]}),
        ({NUM: "3"}, {}, 2, 64, {NUM: [("too late", "")]}),
        ({NUM: "100"}, {}, 2, 64, {NUM: [("too late", "")]}),
        ({NUM: "2", OMP: "1"}, {NUM: "2", OMP: "1"}, 2, 64,
         {NUM: [("in force", "")], OMP: [("overruled", NUM)]}),
        ({NUM: "", OMP: "1"}, {NUM: "", OMP: "1"}, 1, 64,
         {NUM: [("ignored", "")], OMP: [("in force", "")]}),
        # numexpr.set_num_threads() was called.
        ({NUM: "3"}, {NUM: "3"}, 5, 64, {NUM: [("unknown", "")]}),
    ],
)  # fmt: skip
def test_numexpr_reads_as_its_code_does(
    now: dict[str, str], then: dict[str, str], count: int, most: int, found: dict[str, Any]
) -> None:
    assert states(now, then, numexpr_pool(count, most)) == found


def told(now: dict[str, str], then: dict[str, str], *pools: Pool) -> dict[str, str]:
    readings = readings_of(now, then, (), pools, affinity_cpus=2)
    environment = tuple(
        setting(name, text, at_exec=then.get(name), readings=readings.get(name, ()))
        for name, text in now.items()
    )
    return {each.code: each.title for each in judge(snapshot(environment=environment))}


def test_what_numexpr_refused_and_what_came_too_late_are_findings() -> None:
    assert told({MOST: "1"}, {}, numexpr_pool(2)) == {
        "OMP301": "NUMEXPR_MAX_THREADS was set too late for numexpr"
    }
    refused = "NUMEXPR_NUM_THREADS=100 is refused by numexpr: it has one thread"
    assert told({NUM: "100"}, {NUM: "100"}, numexpr_pool(1)) == {"OMP304": refused}
    both = told({NUM: "100", MOST: "1"}, {NUM: "100"}, numexpr_pool(1))
    assert both == {
        "OMP301": "NUMEXPR_MAX_THREADS was set too late for numexpr", "OMP304": refused,
    }  # fmt: skip


def reading(now: dict[str, str], then: dict[str, str], reader: Library | Pool) -> Reading:
    pools = [reader] if isinstance(reader, Pool) else []
    libraries = [reader] if isinstance(reader, Library) else []
    ((found,),) = readings_of(now, then, libraries, pools, affinity_cpus=2).values()
    return found


def test_what_is_not_known_has_a_reason() -> None:
    """Measured with polars 2.1, OpenCV 5.0, pyarrow 26 and numba 0.68."""
    name, note = "OPENCV_FOR_THREADS_NUM", "not asked: it fixes the variable"
    resting = python_pool("cv2", (name,), num_threads=None, note=note)
    assert (reading({name: "1"}, {}, resting).state) == "unknown"
    assert reading({name: "1"}, {}, resting).why == note
    # Set before the start it is this value, whenever OpenCV reads it.
    assert reading({name: "1"}, {name: "1"}, resting).state == "in force"
    called = reading({OMP: "3"}, {OMP: "3"}, library("libgomp", num_threads=5))
    assert called.state == "unknown"
    assert "a call has set them" in called.why
    limit = "OMP_THREAD_LIMIT"
    arrow = python_pool("pyarrow", (OMP, limit))
    assert reading({limit: "1"}, {}, arrow).state == "too late"
    assert reading({limit: "100"}, {}, arrow).state == "in force"
    layer = "NUMBA_THREADING_LAYER"
    numba = python_pool("numba", ("NUMBA_NUM_THREADS",), taken=((layer, "default"),))
    assert reading({layer: "workqueue"}, {}, numba).state == "too late"
    assert reading({layer: "default"}, {}, numba).state == "in force"
    # On the threads of libgomp it has a count of its own.
    lent = python_pool("numba", ("NUMBA_NUM_THREADS",), lender="/usr/lib/libgomp.so.1")
    assert reading({"NUMBA_NUM_THREADS": "3"}, {}, lent).state == "too late"


@pytest.mark.parametrize(
    ("name", "text", "taken", "state"),
    [
        ("OMP_DYNAMIC", "true", "1", "in force"),
        ("OMP_DYNAMIC", "true", "0", "too late"),
        ("OMP_DYNAMIC", "x", "0", "ignored"),
        ("OMP_MAX_ACTIVE_LEVELS", "300", "255", "in force"),  # GCC 12 has no more
        ("OMP_MAX_ACTIVE_LEVELS", "3", "1", "too late"),
        ("OMP_THREAD_LIMIT", "7", "7", "in force"),
        ("OMP_THREAD_LIMIT", "7", "2147483647", "too late"),
        ("OMP_PROC_BIND", "spread,close", "4", "in force"),
        ("OMP_PROC_BIND", "close", "0", "too late"),
        ("OMP_PLACES", "cores", "2", "in force"),
        ("GOMP_CPU_AFFINITY", "0-1", "0", "too late"),
    ],
)
def test_what_the_runtime_itself_tells(name: str, text: str, taken: str, state: str) -> None:
    started = library("libgomp", owner="x", taken=((name, taken),))
    assert reading({name: text}, {}, started).state == state
    if state != "ignored":
        assert reading({name: text}, {name: text}, started).state == "in force"


def test_what_no_function_tells_has_its_own_reason() -> None:
    late = reading({"OMP_WAIT_POLICY": "passive"}, {}, GOMP)
    assert late.state == "unknown"
    assert "how its threads wait" in late.why


def test_opencv_reads_digits_alone() -> None:
    """Any other text raises: std::stoull and a suffix, OpenCV 5.0."""
    assert [threads_in("cv2", "OPENCV_FOR_THREADS_NUM", t) for t in ("3", " 2", "1,2", "x")] == [
        3, None, None, None,
    ]  # fmt: skip


def test_mkl_has_a_thread_for_each_core_without_a_variable() -> None:
    four = library("mkl", num_threads=4)
    # Two threads a core: 8 CPUs are 4 cores.
    for cpus in (4, 8):
        assert states({MKL: "3"}, {}, four, cpus=cpus) == {MKL: [("too late", "")]}
    assert states({MKL: "3"}, {}, four, cpus=16) == {MKL: [("unknown", "")]}


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
    assert found.remedies[0] == "For this session: import numexpr; numexpr.set_num_threads(3)"


def test_who_is_named() -> None:
    name = "KMP_DUPLICATE_LIB_OK"
    known = setting(name, "True", set_by=("sklearn",))
    assert judge(snapshot(environment=(known,))) == ()
    (found,) = judge(snapshot(environment=(known,), libraries=(IOMP,)))
    assert "importing scikit-learn does that" in found.why
    (found,) = judge(snapshot(environment=(setting(name, "True"),)))
    assert "by what is unknown" in found.why
    assert readers_of(name) == ()
