"""What a session of tests ends with, judged from what was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from facts_for_tests import library, setting, snapshot

from omp_magic.facts.changes import Change
from omp_magic.rules import judge
from omp_magic.testing.problems import Problem, problems_of, together
from omp_magic.testing.seen import Seen, Told

BLAS, GOMP = ("/a/libopenblas.so", "1"), ("/a/libgomp.so", "2")


def told(what: str, name: str, after: str | None, *, imported: bool, wish: bool = False) -> Told:
    before = "0-3" if what == "affinity" else None
    by = "import x" if imported else "in test_a.py::test_b"
    change = Change(what=what, name=name, before=before, after=after, by=by, imported=imported)
    when = "import x, while test_a.py was collected" if imported else by
    return Told(change=change, when=when, wish=wish)


def seen(*changes: Told) -> Seen:
    return Seen(told={(each.change.what, each.change.name): each for each in changes})


def problems(what: Seen, **facts: Any) -> list[Problem]:
    found = snapshot(**facts)
    return problems_of(what, found.with_findings(judge(found)))


def test_a_count_that_is_given_back_is_none() -> None:
    counts = Seen()
    for threads, when in ((4, "first"), (1, "in test_a"), (4, "in test_b"), (None, "in test_c")):
        counts.counted(BLAS, "OpenBLAS (numpy)", threads, when)
    assert problems(counts) == []


def test_a_count_that_a_conftest_wants_is_what_tests_have_to_give_back() -> None:
    counts = Seen()
    counts.counted(BLAS, "OpenBLAS (numpy)", 4, "first")
    counts.counted(BLAS, "OpenBLAS (numpy)", 1, "before the tests were collected", wish=True)
    assert problems(counts) == []
    counts.counted(BLAS, "OpenBLAS (numpy)", 4, "in t.py::a")
    (problem,) = problems(counts)
    assert problem.finding.title == "OpenBLAS (numpy) has 4 threads and had 1 before"
    counts.counted(BLAS, "OpenBLAS (numpy)", 1, "in t.py::b")
    assert problems(counts) == []


def test_counts_that_one_test_changed_are_one_problem_with_its_name() -> None:
    counts = Seen()
    for key, title in ((BLAS, "OpenBLAS (numpy)"), (GOMP, "GNU libgomp (faiss-cpu)")):
        for threads, when in (
            (4, "first"),
            (2, "in t.py::a"),
            (1, "in t.py::b"),
            (1, "in t.py::c"),
        ):
            counts.counted(key, title, threads, when)
    (problem,) = problems(counts)
    assert (problem.finding.code, problem.finding.severity) == ("limits", "error")
    assert problem.finding.title == (
        "OpenBLAS (numpy) has 1 thread and had 4 before, and GNU libgomp (faiss-cpu)"
    )
    assert problem.when == ("changed in t.py::b",)
    assert problem.is_allowed({"limits"})
    assert not problem.is_allowed({"OMP105"})
    counts.counted(("/c", "3"), "MKL", 8, "first")
    counts.counted(("/c", "3"), "MKL", 4, "in t.py::z")
    assert len(problems(counts)) == 2


def test_a_duplicate_says_with_what_its_copies_came() -> None:
    copies = (
        library("libomp", path="/a/libomp.so", owner="a", initialized=True),
        library("libiomp5", path="/b/libiomp5.so", owner="b", initialized=False),
    )
    came = {
        "/a/libomp.so": "before the tests were collected",
        "/b/libiomp5.so": "import b, in test_a.py::test_b",
        "/c/libopenblas.so": "import c, in test_a.py::test_c",
    }
    (problem,) = problems(Seen(came=came), libraries=copies)
    assert problem.finding.code == "OMP101"
    assert problem.when == (
        "libomp.so came before the tests were collected",
        "libiomp5.so came with import b, in test_a.py::test_b",
    )
    masked = problems(
        Seen(came=came),
        libraries=copies,
        environment=(setting("KMP_DUPLICATE_LIB_OK", "TRUE", at_exec="TRUE"),),
    )
    assert [(each.finding.code, each.finding.severity) for each in masked] == [
        ("OMP102", "warning"),
    ]


def test_an_import_s_variable_is_an_error_unless_its_package_always_sets_it() -> None:
    always = told("variable", "KMP_INIT_AT_FORK", "FALSE", imported=True)
    other = told("variable", "OMP_NUM_THREADS", "7", imported=True)
    found = problems(seen(always, other))
    assert [(each.finding.severity, each.allowing) for each in found] == [
        *(("warning", "KMP_INIT_AT_FORK"), ("error", "OMP_NUM_THREADS")),
    ]
    assert found[1].finding.title == "OMP_NUM_THREADS: not set before, '7' now"
    assert found[1].when == ("changed by import x, while test_a.py was collected",)
    assert found[1].is_allowed({"OMP_NUM_THREADS"})
    assert found[1].is_allowed({"env"})
    assert problems(seen(replace(always, when="in t")))[0].finding.severity == ("warning")


def test_what_a_test_sets_and_keeps_is_one_and_what_a_conftest_sets_is_none() -> None:
    kept = told("variable", "OMP_NUM_THREADS", "3", imported=False)
    (problem,) = problems(seen(kept))
    assert problem.finding.remedies == (
        "Set it for a test: monkeypatch.setenv('OMP_NUM_THREADS', '3')",
    )
    gone = replace(kept.change, before="2", after=None)
    (problem,) = problems(seen(replace(kept, change=gone)))
    assert problem.finding.remedies == (
        "Unset it for a test: monkeypatch.delenv('OMP_NUM_THREADS')",
    )
    assert problems(seen(replace(kept, wish=True))) == []
    mask = told("affinity", "", "0", imported=False, wish=True)
    assert problems(seen(mask)) == []
    bound = replace(mask, change=replace(mask.change, asked=("OMP_PROC_BIND=true",)))
    assert [each.finding.code for each in problems(seen(bound))] == ["cpus"]


def test_a_variable_that_is_in_no_table_is_never_told() -> None:
    secret = told("variable", "MY_TOKEN", "hunter2", imported=True)
    assert problems(seen(secret)) == []
    assert problems(seen(told("rlimit", "RLIMIT_NOFILE", "soft 1", imported=True))) == []


def test_cpus_that_were_taken_are_an_error() -> None:
    by_test = told("affinity", "", "0", imported=False)
    (problem,) = problems(seen(by_test))
    assert (problem.finding.code, problem.allowing) == ("cpus", "cpus")
    assert problem.finding.title == "The main thread's CPUs: 0-3 before, 0 now"
    by_import = told("affinity", "", "0", imported=True)
    (problem,) = problems(seen(by_import), changes=(by_import.change,))
    assert (problem.finding.code, problem.finding.severity) == ("OMP207", "error")
    assert problem.is_allowed({"cpus"})


def test_workers_send_what_they_found_and_the_same_is_told_once() -> None:
    kept = told("variable", "OMP_NUM_THREADS", "3", imported=False)
    (problem,) = problems(seen(kept))
    sent = json.loads(json.dumps(problem.to_dict()))
    assert Problem.of_dict(sent) == problem
    both = [replace(problem, workers=(each,)) for each in ("gw0", "gw1", "gw0")]
    (one,) = together(both)
    assert one.workers == ("gw0", "gw1")
