"""How a program is started: what is set, what stays the user's, and what is refused in one line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from facts_for_tests import budget

from omp_magic.cli.commands import command_of
from omp_magic.cli.parser import Parser
from omp_magic.errors import NoFixError, RequestError, StartError
from omp_magic.facts.starts import KEPT, LEFT, OUT, SET, Start
from omp_magic.knowledge.inherited import AT_START, for_children
from omp_magic.knowledge.precedence import ORDERS
from omp_magic.knowledge.variables import VARIABLES
from omp_magic.rules.stories import STORIES
from omp_magic.starts import making
from omp_magic.starts.asking import _BY_VARIABLE, _GOOD, asked_for, codes_in, sets_in
from omp_magic.starts.fixes import MENDED
from omp_magic.starts.lines import lines_of
from omp_magic.starts.making import MARK, make_start, marked, users_own
from omp_magic.starts.readers import MODULES, readers_here
from omp_magic.starts.tasks import by_tasks
from omp_magic.views.starts import start_lines

COUNTS = (*(name for name, _ in for_children(1)), *AT_START)


def started(environ: dict[str, str] | None = None, cpus: int = 8, **asked: Any) -> Start:
    return make_start(budget(cpus), environ or {}, asked_for(**asked) if asked else None)


def states(start: Start) -> dict[str, tuple[str, str | None]]:
    return {each.name: (each.state, each.value) for each in start.variables}


def test_each_familys_variable_has_a_workers_share() -> None:
    for workers, threads in ((1, 8), (2, 4), (3, 2), (8, 1), (100, 1)):
        start = started(workers=workers)
        assert states(start) == {name: (SET, str(threads)) for name in COUNTS}
        assert (start.threads, start.workers) == (threads, workers)
    assert dict.fromkeys(COUNTS, (SET, "8")) == states(started())
    assert set(COUNTS) <= VARIABLES.keys()


def test_half_a_cpu_is_one_thread() -> None:
    assert set(states(started(cpus=1)).values()) == {(SET, "1")}


def test_what_the_user_set_stays_and_is_not_overruled() -> None:
    start = started({"OMP_NUM_THREADS": "4", "HOME": "/x"})
    found = states(start)
    assert found["OMP_NUM_THREADS"] == (KEPT, "4")
    for stronger in ("OPENBLAS", "MKL", "BLIS", "NUMEXPR"):
        assert found[f"{stronger}_NUM_THREADS"] == (LEFT, None)
    assert found["NUMBA_NUM_THREADS"] == (SET, "8")
    after = start.environ({"OMP_NUM_THREADS": "4", "HOME": "/x"})
    assert (after["OMP_NUM_THREADS"], after["HOME"]) == ("4", "/x")
    assert "MKL_NUM_THREADS" not in after


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        ("OPENBLAS_DEFAULT_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
        ("RAYON_RS_NUM_CPUS", "RAYON_NUM_THREADS"),
        ("NPROC", "PJRT_NPROC"),
    ],
)
def test_an_older_name_of_the_users_is_not_overruled(weaker: str, stronger: str) -> None:
    found = states(started({weaker: "2"}))
    assert found[stronger] == (LEFT, None)
    assert found["OMP_NUM_THREADS"] == (SET, "8")


def test_a_stronger_one_of_the_users_leaves_the_weaker_to_us() -> None:
    found = states(started({"MKL_NUM_THREADS": "2"}))
    assert found["MKL_NUM_THREADS"] == (KEPT, "2")
    assert found["OMP_NUM_THREADS"] == (SET, "8")
    assert found["OPENBLAS_NUM_THREADS"] == (SET, "8")


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_variable_is_none(empty: str) -> None:
    start = started({"OMP_NUM_THREADS": empty, "MKL_NUM_THREADS": empty})
    assert states(start)["OMP_NUM_THREADS"] == (SET, "8")
    assert states(start)["MKL_NUM_THREADS"] == (SET, "8")
    assert "was empty" in {each.name: each.why for each in start.variables}["OMP_NUM_THREADS"]


def test_the_variables_that_yield_are_those_of_the_orders() -> None:
    strongest = {order.variables[0] for order in ORDERS.values()}
    listed = {name for order in ORDERS.values() for name in order.variables}
    weaker = {name for order in ORDERS.values() for name in order.variables[1:]}
    assert weaker == making._YIELDING
    assert strongest | weaker == listed


def test_numexpr_gets_no_count_that_it_refuses() -> None:
    big = states(started(cpus=96))
    assert big["NUMEXPR_NUM_THREADS"] == (SET, "96")
    assert big["NUMEXPR_MAX_THREADS"] == (SET, "96")
    assert "NUMEXPR_MAX_THREADS" not in states(started(cpus=64))
    held = states(started({"NUMEXPR_MAX_THREADS": "2"}))
    assert held["NUMEXPR_NUM_THREADS"] == (SET, "2")


def test_a_spec_names_pools_as_a_limit_does() -> None:
    found = states(started(threads="blas=1 openmp=3"))
    assert found["OMP_NUM_THREADS"] == (SET, "3")
    assert {found[f"{each}_NUM_THREADS"] for each in ("OPENBLAS", "MKL", "BLIS")} == {(SET, "1")}
    assert "POLARS_MAX_THREADS" not in found
    share = states(started(threads="auto/2", workers=2))
    assert share == dict.fromkeys(COUNTS, (SET, "2"))
    assert states(started(threads="3")) == dict.fromkeys(COUNTS, (SET, "3"))
    both = states(started(threads="auto,mkl=1"))
    assert (both["MKL_NUM_THREADS"], both["OMP_NUM_THREADS"]) == ((SET, "1"), (SET, "8"))
    assert "LOKY_MAX_CPU_COUNT" not in both
    assert states(started(threads="joblib=2")) == {"LOKY_MAX_CPU_COUNT": (SET, "2")}


def test_a_number_that_was_named_and_does_not_hold_is_told() -> None:
    start = started({"OMP_NUM_THREADS": "8"}, threads="2")
    assert states(start)["OMP_NUM_THREADS"] == (KEPT, "8")
    assert start.notes == (
        "OMP_NUM_THREADS=8 is set already and stays; --set OMP_NUM_THREADS=2 replaces it",
    )
    assert started({"OMP_NUM_THREADS": "2"}, threads="2").notes == ()


@pytest.mark.parametrize("user", ["1", "99", "4,2"])
def test_a_pool_that_was_named_has_its_number_beside_what_is_set_for_all(user: str) -> None:
    start = started({"OMP_NUM_THREADS": user}, threads="blas=2 numexpr=3")
    found = states(start)
    for each in ("OPENBLAS", "MKL", "BLIS"):
        assert found[f"{each}_NUM_THREADS"] == (SET, "2")
    assert found["NUMEXPR_NUM_THREADS"] == (SET, "3")
    assert "OMP_NUM_THREADS" not in found
    assert start.notes == ()


def test_a_pool_that_was_named_keeps_its_own_older_variable_and_that_is_told() -> None:
    start = started({"GOTO_NUM_THREADS": "4"}, threads="openblas=2")
    assert states(start) == {"OPENBLAS_NUM_THREADS": (LEFT, None)}
    (note,) = start.notes
    assert "OPENBLAS_NUM_THREADS is not set: it would overrule GOTO_NUM_THREADS=4" in note
    assert note.endswith("--set OPENBLAS_NUM_THREADS=2 sets it")


@pytest.mark.parametrize("nothing", ["four", "-1"])
def test_a_value_that_nothing_understands_is_in_nobodys_way_and_is_told(nothing: str) -> None:
    """OpenBLAS would have the machine's CPUs, in a cgroup with half of one too."""
    start = started({"OMP_NUM_THREADS": nothing})
    found = states(start)
    assert found["OMP_NUM_THREADS"] == (KEPT, nothing)
    assert found["OPENBLAS_NUM_THREADS"] == found["NUMEXPR_NUM_THREADS"] == (SET, "8")
    (note,) = start.notes
    assert "nothing understands it; --fix OMP304 replaces it" in note
    lines = start_lines(start, [], {"OMP_NUM_THREADS": nothing})
    assert sum("OMP304" in line for line in lines) == 1
    # OpenBLAS reads digits at the beginning, and libgomp all of a text or nothing.
    assert states(started({"OMP_NUM_THREADS": "1x"}))["OPENBLAS_NUM_THREADS"] == (LEFT, None)
    assert states(started({"GOTO_NUM_THREADS": "x"}))["OPENBLAS_NUM_THREADS"] == (SET, "8")


def test_what_says_something_to_somebody_is_not_told() -> None:
    for name, text in (
        ("OMP_NUM_THREADS", "4,2"),
        ("OMP_NUM_THREADS", " 4 "),
        ("OPENBLAS_NUM_THREADS", "0"),  # OpenBLAS's way to say: as if it were not set
        ("TOKIO_WORKER_THREADS", "x"),  # whose forms are not known
    ):
        assert started({name: text}).notes == ()


def test_what_is_set_by_word_wins_and_is_followed() -> None:
    start = started({"OMP_NUM_THREADS": "8"}, sets=["OMP_NUM_THREADS=3", "KMP_AFFINITY="])
    found = states(start)
    assert found["OMP_NUM_THREADS"] == (SET, "3")
    assert found["MKL_NUM_THREADS"] == (LEFT, None)
    assert found["KMP_AFFINITY"] == (OUT, None)
    assert "KMP_AFFINITY" not in start.environ({"KMP_AFFINITY": "compact"})
    told = states(started({"OMP_NUM_THREADS": "8"}, sets=["MKL_NUM_THREADS=2"]))
    assert told["MKL_NUM_THREADS"] == (SET, "2")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"workers": "0"}, "found '0'; accepted: a number of workers, 1 to 8192; example: "),
        ({"workers": "two"}, "found 'two'"),
        ({"workers": "9999"}, "1 to 8192"),
        ({"threads": "x"}, "example: omp-magic run --threads "),
        ({"threads": ""}, "accepted: N (1 to 8192)"),
        ({"threads": "libgomp=2"}, "a pool with a variable of its own; libgomp has none: openmp=N"),
        ({"threads": "torch=2"}, "torch has none: it takes openmp=N or mkl=N when"),
        ({"threads": "pyarrow=2"}, "pyarrow has none: pyarrow-io=N"),
        ({"threads": "faiss=2"}, "faiss has none: openmp=N"),
        ({"sets": ["OMP_NUM_TREADS=4"]}, "did you mean OMP_NUM_THREADS?"),
        ({"sets": ["AWS_SECRET_ACCESS_KEY=x"]}, "a variable that OpenMP, a BLAS"),
        ({"sets": ["OMP_NUM_THREADS"]}, "NAME=VALUE, or NAME= to take one out"),
        ({"sets": ["OMP_NUM_THREADS=four"]}, "a number of threads such as '4'"),
        ({"sets": ["OMP_NUM_THREADS=1", "OMP_NUM_THREADS=2"]}, "each variable once"),
        ({"sets": ["OMP_PLACES=\x1b[2J"]}, "that can be printed"),
        ({"codes": ["OMP999"]}, "accepted: a finding's code"),
        ({"codes": ["nonsense"]}, "OMP104, OMP201"),
        ({"sets": ["OMP_SCHEDULE=x"]}, "example: omp-magic run --set OMP_SCHEDULE=dynamic,4 --"),
    ],
)
def test_what_cannot_be_followed_is_one_line(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as raised:
        asked_for(**asked)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_example_is_in_the_words_of_who_asks() -> None:
    for asking, said in (
        ("%omp_env {}", "example: %omp_env --workers 4"),
        ("omp_magic.environment({})", "example: omp_magic.environment(workers=4)"),
    ):
        with pytest.raises(StartError, match=r"found 'x'") as raised:
            asked_for(workers="x", asking=asking)
        assert str(raised.value).endswith(said)


def fixed(code: str, environ: dict[str, str] | None = None, **asked: Any) -> Start:
    return started(environ, codes=[code], **asked)


def test_every_finding_has_a_cure_or_says_what_mends_it() -> None:
    assert MENDED.keys() == STORIES.keys()
    for code, cure in MENDED.items():
        if isinstance(cure, str):
            with pytest.raises(NoFixError) as raised:
                fixed(code)
            assert str(raised.value).startswith(f"{code}: no variable mends it; ")
            assert "\n" not in str(raised.value)
        # What silences Error #15 is no cure of it.
        assert "KMP_DUPLICATE_LIB_OK" not in str(cure)


def test_mkls_layer_and_the_duplicate_check() -> None:
    assert states(fixed("104", {"MKL_THREADING_LAYER": "INTEL"}))["MKL_THREADING_LAYER"] == (
        SET,
        "GNU",
    )
    assert states(fixed("OMP303"))["KMP_DUPLICATE_LIB_OK"] == (SET, "FALSE")


@pytest.mark.parametrize("code", ["OMP201", "OMP202", "OMP203", "OMP205"])
def test_too_many_threads_of_the_users_are_fewer(code: str) -> None:
    user = {"OMP_NUM_THREADS": "64,2", "MKL_NUM_THREADS": "2", "GOTO_NUM_THREADS": "64"}
    found = states(fixed(code, user, workers=2))
    assert found["OMP_NUM_THREADS"] == (SET, "4")
    assert found["MKL_NUM_THREADS"] == (KEPT, "2")
    assert found["GOTO_NUM_THREADS"] == (OUT, None)


def test_a_cure_goes_by_the_number_that_was_named() -> None:
    user = {"OMP_NUM_THREADS": "64", "MKL_NUM_THREADS": "two", "GOTO_NUM_THREADS": "2"}
    start = fixed("OMP201", user, threads="1")
    found = states(start)
    assert found["OMP_NUM_THREADS"] == (SET, "1")
    assert found["GOTO_NUM_THREADS"] == (OUT, None)
    assert "64 is more than --threads says" in start.variables[0].why
    assert states(fixed("OMP304", user, threads="1"))["MKL_NUM_THREADS"] == (SET, "1")
    # More than the CPUs is what OMP201 is about.
    assert states(fixed("OMP201", user, threads="32"))["OMP_NUM_THREADS"] == (SET, "8")


def test_codes_are_one_word_or_several_and_none_is_refused() -> None:
    assert codes_in("104, OMP303") == codes_in(["104", "OMP303"]) == ["104", "OMP303"]
    assert (codes_in(104), codes_in(None)) == (["104"], [])
    for nothing in ("", " ", ","):
        with pytest.raises(StartError, match="accepted: a finding's code"):
            asked_for(codes=codes_in(nothing))


def test_none_takes_a_variable_out_and_zero_is_a_value() -> None:
    given = {"KMP_BLOCKTIME": 0, "OMP_PLACES": "cores", "KMP_AFFINITY": None}
    found = states(started(sets=sets_in(given)))
    assert found["KMP_BLOCKTIME"] == (SET, "0")
    assert found["OMP_PLACES"] == (SET, "cores")
    assert found["KMP_AFFINITY"] == (OUT, None)
    assert sets_in("OMP_PLACES=cores") == ["OMP_PLACES=cores"]
    assert sets_in(None) == []
    for wrong in (4, [("OMP_PLACES", "cores")]):
        with pytest.raises(StartError, match="accepted: NAME=VALUE"):
            asked_for(sets=sets_in(wrong))


def test_threads_are_a_number_or_a_mapping_too() -> None:
    assert started(threads=2) == started(threads="2")
    assert states(started(threads={"blas": 1})) == states(started(threads="blas=1"))


def test_what_binds_is_taken_out() -> None:
    user = {"GOMP_CPU_AFFINITY": "0", "OMP_PLACES": "cores", "OMP_PROC_BIND": "close"}
    found = states(fixed("OMP207", user))
    assert found["GOMP_CPU_AFFINITY"] == found["OMP_PLACES"] == (OUT, None)
    assert found["OMP_PROC_BIND"] == (SET, "false")
    assert states(fixed("OMP207"))["OMP_PROC_BIND"] == (SET, "false")


def test_numba_gets_a_layer_that_is_there() -> None:
    assert states(fixed("OMP212", layers=("tbb", "omp")))["NUMBA_THREADING_LAYER"] == (SET, "tbb")
    with pytest.raises(NoFixError, match="pip install tbb"):
        fixed("OMP212", layers=())


def test_what_overrules_another_is_taken_out() -> None:
    user = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "2", "KMP_BLOCKTIME": "0"}
    found = states(fixed("OMP302", {**user, "OMP_WAIT_POLICY": "active"}))
    assert found["MKL_NUM_THREADS"] == found["KMP_BLOCKTIME"] == (OUT, None)
    assert found["OMP_NUM_THREADS"] == (KEPT, "4")
    same = states(fixed("OMP302", {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "4"}))
    assert same["MKL_NUM_THREADS"] == (KEPT, "4")


def test_what_nobody_can_read_is_replaced_or_taken_out() -> None:
    user = {"OMP_NUM_THREADS": "four", "OMP_PROC_BIND": "maybe", "OMP_SCHEDULE": "static"}
    found = states(fixed("OMP304", user))
    assert found["OMP_NUM_THREADS"] == (SET, "8")
    assert found["OMP_PROC_BIND"] == (OUT, None)
    assert "OMP_SCHEDULE" not in found


def test_the_lines_tell_each_variable_and_what_is_wrong_with_the_users() -> None:
    user = {"OMP_NUM_THREADS": "99", "OMP_PROC_BIND": "may\nbe", "TOKEN": "hunter2"}
    text = "\n".join(start_lines(started(user, workers=2), ["torchrun", "--key", "s3"], user))
    assert "8 CPUs: " in text
    assert "2 workers of 4 threads" in text
    assert "OMP_NUM_THREADS=99" in text
    assert "more than the 4 threads that the CPUs allow" in text
    assert "OMP_PROC_BIND: found 'may\\nbe'" in text
    assert "would overrule OMP_NUM_THREADS=99" in text
    assert "torchrun sets OMP_NUM_THREADS=1" in text
    assert "hunter2" not in text
    assert "s3" not in text


def test_who_reads_a_variable_here() -> None:
    found = readers_here({"openblas": {"numpy", "scipy"}, "mkl": {"mkl"}}, ("torch", "polars"))
    assert found["OPENBLAS_NUM_THREADS"] == ("numpy", "scipy")
    assert found["MKL_NUM_THREADS"] == ("mkl", "torch")
    assert found["POLARS_MAX_THREADS"] == ("polars",)
    assert found["NUMBA_NUM_THREADS"] == ()
    assert {"jaxlib", "tokenizers", "numba", "cv2"} <= set(MODULES)


def test_a_file_has_what_is_read_here_or_was_named() -> None:
    readers = readers_here({"openblas": {"numpy"}}, ())
    both = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    for threads, names in (
        (None, both),
        ("1", both),
        ("auto/2", both),
        ("blas=1 openmp=2", both),
        ("1 polars=2", both | {"POLARS_MAX_THREADS"}),
    ):
        lines, foot = lines_of(started(threads=threads), readers)
        assert {each.name for each in lines} == names, threads
        assert "variables that nothing here reads" in foot[-1] or "blas" in str(threads)
        assert len(foot[-1]) < 120
    lines, _ = lines_of(started({"NUMBA_NUM_THREADS": "2"}, sets=["MKL_DYNAMIC=TRUE"]), readers)
    assert {each.name for each in lines} == both | {"NUMBA_NUM_THREADS", "MKL_DYNAMIC"}


def test_what_a_run_above_counted_is_no_users() -> None:
    first = started(cpus=8)
    after = marked(first, first.environ({"HOME": "/x"}))
    assert users_own(after) == ({"HOME": "/x"}, frozenset())
    assert users_own({**after, "OMP_NUM_THREADS": "3"})[0] == {"HOME": "/x", "OMP_NUM_THREADS": "3"}
    # What was said there stays where nothing is said here; a file still has what is read here.
    told = asked_for(threads="2", sets=["MKL_NUM_THREADS=1"])
    after = marked(make_start(budget(8), {}, told), {"OMP_NUM_THREADS": "2"}, told)
    own, above = users_own(after)
    assert above == {"OMP_NUM_THREADS"}
    again = make_start(budget(8), own, None, above)
    assert states(again)["OMP_NUM_THREADS"] == (KEPT, "2")
    lines, _ = lines_of(again, {})
    assert [each.name for each in lines] == ["OMP_NUM_THREADS"]
    assert "omp-magic run above" in "".join(start_lines(again, [], own))
    assert marked(again, again.environ(own), None, above)[MARK].split()[0] == "told"
    assert users_own(after, told) == ({}, frozenset())
    # A mark that is none holds nothing back.
    for mark in ("", "told", "OMP_NUM_THREADS", "OMP_NUM_THREADS=", "= =x"):
        assert users_own({MARK: mark, "OMP_NUM_THREADS": "2"})[0]["OMP_NUM_THREADS"] == "2"


def test_more_than_the_cpus_is_told() -> None:
    for text in ("64", "64,2"):
        (note,) = started({"OMP_NUM_THREADS": text}).notes
        assert note.endswith(
            "more than the 8 threads that the CPUs allow; --fix OMP201 replaces it"
        )
    assert "allow each worker" in started({"OMP_NUM_THREADS": "8"}, workers=2).notes[0]
    assert started({"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "1"}).notes == ()
    assert started(workers=9).notes == ("9 workers are more than the CPUs: 8 would do",)
    assert started(workers=8).notes == ()


def by_tasks_of(environ: dict[str, str] | None = None, cpus: int = 8, **asked: Any) -> Start:
    told = "workers" in asked
    found, own, above = by_tasks(asked_for(**asked), cpus, environ or {}, told=told)
    return make_start(budget(cpus), own, found, above)


def test_tasks_fill_the_cpus_where_nobody_says_how_many_there_are() -> None:
    start = by_tasks_of()
    assert {each.value for each in start.variables} == {"1"}
    assert not start.notes
    assert start_lines(start, [], {})[0].endswith("; 8 tasks at once of 1 thread")
    assert by_tasks_of(cpus=1).threads == 1
    assert by_tasks_of(workers=2).threads == 4
    assert by_tasks_of(workers=1).threads == 8
    assert dict(states(by_tasks_of(threads=4)))["OMP_NUM_THREADS"] == (SET, "4")


def test_tasks_of_workers_are_not_called_workers() -> None:
    (note,) = by_tasks_of(cpus=2, workers=4).notes
    assert note.startswith("4 tasks at once (workers times their threads) are more than the CPUs")
    assert note.endswith("2 would do")


@pytest.mark.parametrize("asked", [{}, {"threads": 4}, {"workers": 4}])
def test_more_than_a_tasks_share_is_not_written_for_workers(asked: dict[str, Any]) -> None:
    """It would take out Dask's own 1 of OpenBLAS too, which yields to OMP_NUM_THREADS."""
    own = {"OMP_NUM_THREADS": "8", "GOTO_NUM_THREADS": "6,2", "NUMBA_NUM_THREADS": "1"}
    start = by_tasks_of(own, **asked)
    found = states(start)
    assert not start.left
    assert "GOTO_NUM_THREADS" not in found
    assert found["OMP_NUM_THREADS"][0] == found["OPENBLAS_NUM_THREADS"][0] == SET
    assert found["OMP_NUM_THREADS"][1] in ("1", "2", "4")
    assert found["NUMBA_NUM_THREADS"] == (KEPT, "1")
    told = "and wins where a nanny starts: unset OMP_NUM_THREADS GOTO_NUM_THREADS"
    assert start.notes[0].endswith(told)


def test_the_help_has_every_name_and_an_example_is_accepted() -> None:
    told = next(line for line in _help("run") if line)
    assert not [name for name in _BY_VARIABLE if name and name not in told]
    for name in VARIABLES:
        with suppress(StartError):
            asked_for(sets=[f"{name}=?? nope,,"])
    assert all(asked_for(sets=[f"XLA_FLAGS={each}"]) for each in _GOOD)


def _help(name: str) -> list[str]:
    command = command_of(name)
    parser = Parser(prog=name)
    command.add(parser)
    return [parser.format_help()]
