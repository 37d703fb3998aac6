"""What changed and who did it: comparisons, and the rules that tell of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from facts_for_tests import budget, library, pool, setting, snapshot

from omp_magic.facts.changes import Change, as_cpu_list, cpus_of_list, narrowed
from omp_magic.facts.cpus import Bound
from omp_magic.facts.settings import Reading
from omp_magic.knowledge.binding import binders_of, may_be_secret
from omp_magic.probes.cpus.budget import with_reason
from omp_magic.probes.state import State
from omp_magic.probes.threads.masks import with_own_cpus
from omp_magic.rules import judge

NARROWED = Change(
    what="affinity",
    before="0-3",
    after="0",
    by="import torch",
    imported=True,
    asked=("OMP_PROC_BIND=CLOSE", "KMP_AFFINITY=compact"),
)
GOMP = library("libgomp", owner="torch")


def codes(facts: object) -> list[str]:
    return [each.code for each in judge(facts)]  # type: ignore[arg-type]  # a Snapshot


@pytest.fixture
def state() -> Iterator[State]:
    made = State()
    made.start(lambda: "cell 7")
    yield made
    made.stop()


def test_an_import_is_one_step_and_the_rest_is_the_cells(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKL_NUM_THREADS", "1")
    state.begin("import paddle")
    state.begin("import paddle.base")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    state.end()
    assert {each.by for each in state.changes()} == {"cell 7", "import paddle"}
    monkeypatch.setenv("PADDLE_HOME", "/x")
    state.end()
    state.end()  # one too many does no harm
    found = {each.name: each for each in state.changes()}
    assert (found["OMP_NUM_THREADS"].by, found["OMP_NUM_THREADS"].imported) == (
        "import paddle",
        True,
    )
    assert (found["MKL_NUM_THREADS"].by, found["MKL_NUM_THREADS"].imported) == ("cell 7", False)
    assert found["PADDLE_HOME"].after == "/x"
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    found = {each.name: each for each in state.changes()}
    assert "OMP_NUM_THREADS" not in found
    assert (found["MKL_NUM_THREADS"].before, found["MKL_NUM_THREADS"].after) == ("1", "2")


def test_what_a_limit_sets_is_nobodys(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    state.own("OMP_NUM_THREADS", "2", "2")
    assert state.changes() == ()
    state.begin("import paddle")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    state.end()
    assert [(each.before, each.after) for each in state.changes()] == [("2", "1")]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    state.own("OMP_NUM_THREADS", "3", "3")
    assert state.changes() == ()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    state.own("OMP_NUM_THREADS", "1", "1")
    assert [each.by for each in state.changes()] == ["import paddle"]


def test_a_state_that_nobody_watches_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    state.begin("import x")
    state.end()
    state.after_cell("cell 1")
    assert state.changes() == ()


def test_lists_of_cpus() -> None:
    for text in ("0", "0-3", "0,2", "0-1,4-5,9"):
        assert as_cpu_list(cpus_of_list(text)) == text
    assert cpus_of_list(None) == frozenset()
    assert narrowed((replace(NARROWED, after="0-3,9"),)) is None


@pytest.mark.parametrize(
    ("family", "values", "names"),
    [
        ("libgomp", {"OMP_PROC_BIND": "true"}, ("OMP_PROC_BIND",)),
        ("libgomp", {"OMP_PROC_BIND": "FALSE", "GOMP_CPU_AFFINITY": "0"}, ()),
        ("libgomp", {"OMP_PLACES": "cores", "GOMP_CPU_AFFINITY": "0"}, ("OMP_PLACES",)),
        ("libgomp", {"KMP_AFFINITY": "compact"}, ()),
        ("libomp", {"KMP_AFFINITY": "granularity=fine,compact"}, ("KMP_AFFINITY",)),
        ("libomp", {"KMP_AFFINITY": "disabled"}, ()),
        ("libiomp5", {"KMP_AFFINITY": "verbose", "OMP_PLACES": "cores"}, ("OMP_PLACES",)),
        ("openblas", {"OMP_PROC_BIND": "true"}, ()),
    ],
)
def test_which_variables_bind(family: str, values: dict[str, str], names: tuple[str, ...]) -> None:
    assert binders_of(family, values) == names


def test_secrets_are_told_by_their_names() -> None:
    assert may_be_secret("OPENAI_API_KEY")
    assert not may_be_secret("CUSTOM_DEVICE_ROOT")
    assert not may_be_secret("OMP_NUM_THREADS")


def test_a_narrowed_kernel_is_told_with_who_what_and_the_way_back() -> None:
    facts = snapshot(budget=budget(1), libraries=(GOMP,), changes=(NARROWED,))
    (finding,) = (each for each in judge(facts) if each.code == "OMP207")
    assert finding.title == "import torch narrowed this kernel from 4 CPUs to 1 CPU"
    assert "OMP_PROC_BIND=CLOSE" in finding.why
    assert "KMP_AFFINITY" not in finding.why  # libgomp does not read it
    assert finding.remedies == (
        "To have the CPUs back: import os; os.sched_setaffinity(0, {0, 1, 2, 3})",
        "Before the kernel starts: unset OMP_PROC_BIND",
    )
    wide = replace(NARROWED, before="0-63")
    facts = snapshot(
        libraries=(GOMP,),
        changes=(wide,),
        environment=(setting("OMP_PROC_BIND", "CLOSE"),),
    )
    (finding,) = (each for each in judge(facts) if each.code == "OMP207")
    assert finding.remedies[0].endswith("os.sched_setaffinity(0, range(0, 64))")
    assert (
        "before import torch: import os; os.environ.pop('OMP_PROC_BIND', None)"
        in (finding.remedies[1])
    )


def test_what_a_cells_own_line_did_to_the_cpus_is_no_finding() -> None:
    cell = replace(NARROWED, by="cell 3", imported=False)
    assert "OMP207" not in codes(snapshot(libraries=(GOMP,), changes=(cell,)))
    llvm = library("libomp")
    assert "OMP207" in codes(snapshot(libraries=(llvm,), changes=(cell,)))
    assert "OMP207" not in codes(
        snapshot(libraries=(replace(llvm, initialized=False),), changes=(cell,))
    )
    assert "OMP207" not in codes(snapshot(libraries=(llvm,), changes=(replace(cell, asked=()),)))


def test_a_team_has_the_cpus_of_its_own_threads() -> None:
    bound = replace(
        pool(2), name="GNU libgomp (torch)", family="libgomp", api="openmp", library=GOMP.path
    )
    blas = replace(pool(2), library="/blas.so")
    idle = replace(pool(4), family="libgomp", library="/other.so")
    masks = {1: frozenset({0}), 2: frozenset({1}), 3: frozenset({0})}
    own = with_own_cpus(
        (bound, blas, idle), NARROWED, masks, lambda _: {2: GOMP.path, 3: "/blas.so"}
    )
    assert [each.bound_cpus for each in own] == [2, 1, 4]
    master = replace(NARROWED, asked=("OMP_PROC_BIND=master",))
    assert with_own_cpus((idle,), master, masks, lambda _: {})[0].bound_cpus == 1
    facts = snapshot(budget=budget(1), libraries=(GOMP,), changes=(NARROWED,), pools=own)
    (finding,) = (each for each in judge(facts) if each.code == "OMP201")
    assert finding.title == "OpenBLAS (numpy) uses 2 threads where 1 CPU is allowed"
    assert "OMP201" not in codes(replace(facts, pools=own[:1]))
    quota = Bound(source="cgroup v2", cpus=0.5, where="/pod", detail="cpu.max x")
    tight = replace(facts.budget, bounds=(*facts.budget.bounds, quota))
    assert "OMP201" not in codes(replace(facts, budget=tight, pools=own[:1]))
    assert "OMP205" in codes(replace(facts, budget=tight, pools=own[:1]))


def test_the_budget_says_what_narrowed_it() -> None:
    bound = with_reason(budget(1), NARROWED).binding
    assert bound.reason.startswith("narrowed from CPUs 0-3 to 0 by import torch (OMP_PROC_BIND")


def test_small_pools_are_put_down_to_the_import_that_set_their_variable() -> None:
    by_paddle = Change(
        what="variable", name="OMP_NUM_THREADS", after="1", by="import paddle", imported=True
    )
    readings = (
        Reading(reader="OpenBLAS (scipy)", family="openblas", state="in force", num_threads=1),
        Reading(reader="OpenBLAS (numpy)", family="openblas", state="too late", num_threads=4),
    )
    one = setting("OMP_NUM_THREADS", "1", readings=readings, set_by=("paddle",), change=by_paddle)
    facts = snapshot(environment=(one,), changes=(by_paddle,))
    (finding,) = judge(facts)
    assert finding.code == "OMP208"
    assert "import paddle set OMP_NUM_THREADS=1: OpenBLAS (scipy) has 1 thread" in finding.title
    assert "numpy" not in finding.title
    assert any(
        line.endswith("os.environ.pop('OMP_NUM_THREADS', None)") for line in finding.remedies
    )
    in_c = replace(one, python=None)
    remedies = judge(replace(facts, environment=(in_c,)))[0].remedies
    assert any(line.endswith("os.unsetenv('OMP_NUM_THREADS')") for line in remedies)
    own = replace(one, set_by=(), change=replace(by_paddle, imported=False, by="cell 3"))
    assert codes(replace(facts, environment=(own,))) == ["OMP301"]
    assert codes(replace(facts, environment=(replace(one, native="4", python="4"),))) == []
    before = replace(one, change=replace(by_paddle, before="4"))
    remedies = judge(replace(facts, environment=(before,)))[0].remedies
    assert remedies[1].endswith("os.environ['OMP_NUM_THREADS'] = '4'")


def test_changes_are_shown_where_no_table_has_them() -> None:
    limit = Change(
        what="rlimit", name="RLIMIT_NOFILE", before="soft 2, hard 4", after="soft 1, hard 4",
        by="import x", imported=True,
    )  # fmt: skip
    root = Change(what="variable", name="X_ROOT", after="", by="import x", imported=True)
    facts = snapshot(changes=(limit, root, replace(limit, name="RLIMIT_AS", imported=False)))
    text, html = str(facts), facts._repr_mimebundle_()["text/html"]
    for shown in (text, html):
        assert "rlimit RLIMIT_NOFILE: soft 2, hard 4 before, soft 1, hard 4 since import x" in shown
        assert "X_ROOT" not in shown
        assert "RLIMIT_AS" not in shown
    assert "variable X_ROOT: not set before, empty since import x" in str(
        replace(facts, shown=frozenset({"env"}))
    )
    assert facts.to_dict()["changes"][0]["name"] == "RLIMIT_NOFILE"


def test_the_affinity_of_this_process_is_no_change_when_it_is_not(state: State) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not tell the affinity")
    mask = os.sched_getaffinity(0)
    if len(mask) < 2:
        pytest.skip("one CPU cannot be narrowed")
    try:
        state.begin("loading libx.so")
        os.sched_setaffinity(0, {min(mask)})
        state.end()
        (change,) = state.changes()
        assert (change.what, change.by, change.after) == (
            "affinity",
            "loading libx.so",
            str(min(mask)),
        )
    finally:
        os.sched_setaffinity(0, mask)
    assert state.changes() == ()
