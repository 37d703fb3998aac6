"""A limit that was not held: the rule, and what a thread may spin without working."""

from __future__ import annotations

from typing import Any

import pytest
from facts_for_tests import snapshot

from omp_magic.facts.overruns import Overrun, Passing
from omp_magic.knowledge.passed import BY_MODULE, obeys
from omp_magic.knowledge.spinning import spinning_s
from omp_magic.rules import judge

XGBOOST = Passing(name="XGBoost", arguments=("n_jobs", "nthread"))


def overrun(**facts: Any) -> Overrun:
    given: dict[str, Any] = {
        "pool": "GNU libgomp (xgboost)",
        "path": "/env/xgboost.libs/libgomp.so.1",
        "allowed": 1,
        "worked": 2,
        "callers": 1,
        "cpu_s": 0.3,
        "caller_cpu_s": 0.31,
        "spec": "1",
        "set_by": "%omp_limit 1",
    }
    return Overrun(**{**given, **facts})


def test_a_limit_that_was_not_held_is_a_finding_with_who_passes_the_number() -> None:
    assert judge(snapshot()) == ()
    (found,) = judge(snapshot(overruns=(overrun(passing=(XGBOOST,)),)))
    assert (found.code, found.severity) == ("OMP209", "warning")
    assert found.title == (
        "GNU libgomp (xgboost) worked with 2 threads under a limit of 1: XGBoost passes its own "
        "number (n_jobs, nthread)"
    )
    assert found.remedies[0].endswith("as n_jobs=1")
    assert "%pip install 'xgboost>=2.1'" in found.remedies[1]
    assert found.remedies[-1].endswith(": import os; os.environ['OMP_THREAD_LIMIT'] = '1'")


def test_several_libraries_are_named_as_several_and_none_as_none() -> None:
    two = overrun(passing=(XGBOOST, Passing(name="FINUFFT", arguments=("nthreads",))), callers=3)
    assert "for each of 3 threads: one of these passes its own number: XGBoost" in two.sentence
    (found,) = judge(snapshot(overruns=(overrun(),)))
    assert "whoever called it named a number of its own" in found.title
    assert found.remedies[0].startswith("Pass 1 to the call")


@pytest.mark.parametrize(
    ("family", "variables", "seconds"),
    [
        ("libgomp", {}, 0.025),
        ("libgomp", {"GOMP_SPINCOUNT": "3m"}, 0.25),
        ("libgomp", {"GOMP_SPINCOUNT": "10"}, 0.025),
        ("libgomp", {"GOMP_SPINCOUNT": "infinity"}, None),
        ("libgomp", {"OMP_WAIT_POLICY": " Active"}, None),
        ("libgomp", {"KMP_BLOCKTIME": "infinite"}, 0.025),
        ("libomp", {}, 0.3),
        ("libiomp5", {"KMP_BLOCKTIME": "1s"}, 1.5),
        ("libiomp5", {"KMP_BLOCKTIME": "infinite"}, None),
        ("libiomp5", {"KMP_LIBRARY": "turnaround"}, None),
        ("openblas", {}, 0.1),
        ("openblas", {"OPENBLAS_THREAD_TIMEOUT": "28", "OMP_WAIT_POLICY": "active"}, 0.4),
    ],
)
def test_what_a_thread_may_spin(
    family: str, variables: dict[str, str], seconds: float | None
) -> None:
    assert spinning_s(family, variables.get) == seconds


def test_versions_that_hold_to_the_count() -> None:
    xgboost, lightgbm = BY_MODULE["xgboost"], BY_MODULE["lightgbm"]
    assert [obeys(xgboost, each) for each in ("1.7.6", "2.0.3", "2.1.0", "3.2", "?")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert [obeys(lightgbm, each) for each in ("4.1.0", "4.2.0.99", "10.0")] == [False, True, True]
