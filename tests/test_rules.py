"""Each rule in two lines: facts that trip it, and facts that don't."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, setting, snapshot

from omp_magic.cpus import Load, Throttling
from omp_magic.rules import RULES, judge
from omp_magic.rules.rule import SEVERITIES

IOMP = library("libiomp5", kin="llvm", initialized=True, num_threads=2, owner="intel-openmp")
OMP = library("libomp", kin="llvm", initialized=False, num_threads=None, owner="faiss")
GOMP = library("libgomp", owner="scikit-learn")
OPENBLAS = library("openblas", api="blas", owner="numpy")
MASK = setting("KMP_DUPLICATE_LIB_OK", "True")


def counters(periods: int, throttled: int) -> Throttling:
    return Throttling(
        group="/pod7", periods=periods, throttled_periods=throttled, throttled_us=1_130_000
    )


def codes(**facts: Any) -> set[str]:
    return {finding.code for finding in judge(snapshot(**facts))}


@pytest.mark.parametrize(
    ("code", "trips", "rests"),
    [
        ("OMP101", {"libraries": (IOMP, OMP)}, {"libraries": (IOMP, GOMP)}),
        ("OMP101", {"libraries": (OMP, replace(OMP, inode=9))}, {"libraries": (OMP,)}),
        (
            "OMP101",
            {"libraries": (IOMP, OMP)},
            {"libraries": (IOMP, OMP), "environment": (MASK,)},
        ),
        (
            "OMP102",
            {"libraries": (IOMP, OMP), "environment": (MASK,)},
            {"libraries": (IOMP, OMP)},
        ),
        ("OMP105", {"libraries": (IOMP, GOMP)}, {"libraries": (GOMP, OPENBLAS)}),
        (
            "OMP105",
            {"libraries": (IOMP, GOMP)},
            {"libraries": (replace(IOMP, serves=True), replace(GOMP, serves=False))},
        ),
        (
            "OMP106",
            {"libraries": (OPENBLAS, replace(OPENBLAS, owner="scipy"))},
            {"libraries": (OPENBLAS,)},
        ),
        (
            "OMP110",
            {"libraries": (replace(GOMP, replaced=True),)},
            {"libraries": (replace(GOMP, replaced=None),)},
        ),
        (
            "OMP201",
            {"pools": (pool(3),), "budget": budget(affinity=2)},
            {"pools": (pool(2),), "budget": budget(affinity=2)},
        ),
        (
            "OMP201",
            {"pools": (pool(48),), "budget": budget(affinity=48, quota=4.0)},
            {"pools": (pool(8),), "budget": budget(affinity=48, quota=4.0)},
        ),
        (
            "OMP201",
            {"pools": (pool(None, would_use=16),), "budget": budget(affinity=2)},
            {"pools": (pool(None),), "budget": budget(affinity=2)},
        ),
        (
            "OMP205",
            {"pools": (pool(2),), "budget": budget(affinity=2, quota=0.5)},
            {"pools": (pool(2),), "budget": budget(affinity=2, quota=1.5)},
        ),
        (
            "OMP203",
            {"load": Load(interval_s=10.0, throttled_share=0.37, throttled_s=4.1)},
            {"load": Load(interval_s=10.0, throttled_share=0.01, throttled_s=0.1)},
        ),
        ("OMP203", {"throttling": (counters(42, 30),)}, {"throttling": (counters(4, 4),)}),
        (
            "OMP203",
            {"throttling": (counters(42, 30),)},
            {
                "throttling": (counters(42, 30),),
                "load": Load(interval_s=1.0, throttled_share=0.0, throttled_s=0.0),
            },
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.98, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=3.9, starved_share=0.51)},
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51, throttled_share=0.9)},
        ),
        (
            "OMP206",
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=0.51)},
            {"load": Load(interval_s=10.0, used_cpus=0.5, starved_share=None)},
        ),
        ("OMP303", {"environment": (MASK,)}, {"environment": (setting(MASK.name, "0"),)}),
        (
            "OMP304",
            {"environment": (setting("OMP_NUM_THREADS", "many"),)},
            {"environment": (setting("OMP_NUM_THREADS", "4,2"),)},
        ),
        (
            "OMP305",
            {"environment": (setting("MKL_THREADING_LAYER", "INTEL", python=None),)},
            {"environment": (setting("MKL_THREADING_LAYER", "INTEL"),)},
        ),
    ],
)
def test_rule(code: str, trips: dict[str, Any], rests: dict[str, Any]) -> None:
    assert code in codes(**trips)
    assert code not in codes(**rests)


def test_an_empty_process_has_no_findings() -> None:
    assert codes() == set()


def test_findings_are_sorted_and_whole() -> None:
    facts = snapshot(
        libraries=(IOMP, OMP, GOMP, OPENBLAS, replace(OPENBLAS, owner="scipy")),
        pools=(pool(16),),
        environment=(setting("OMP_NUM_THREADS", "x"),),
    )
    found = judge(facts)
    assert [each.severity for each in found] == sorted(
        (each.severity for each in found), key=SEVERITIES.index
    )
    for each in found:
        assert each.title
        assert each.why
        assert each.evidence
        assert each.remedies
        assert each.source.startswith("https://")


def test_what_is_coming_is_judged_as_if_it_were_there() -> None:
    assert "OMP101" in {each.code for each in judge(snapshot(libraries=(IOMP,)), coming=(OMP,))}


def test_duplicate_ok_is_never_the_remedy() -> None:
    for each in judge(snapshot(libraries=(IOMP, OMP))):
        assert not any("KMP_DUPLICATE_LIB_OK" in remedy for remedy in each.remedies)


def test_who_set_the_variable() -> None:
    (late,) = judge(snapshot(environment=(MASK,)))
    assert "threadpoolctl or scikit-learn" in late.why
    (early,) = judge(snapshot(environment=(replace(MASK, at_exec="True"),)))
    assert "before this kernel started" in early.why


def test_codes_are_unique_and_in_the_known_form() -> None:
    numbers = [rule.code for rule in RULES]
    assert len(numbers) == len(set(numbers))
    assert all(re.fullmatch(r"OMP[123]\d\d", number) for number in numbers)
    assert all(rule.severity in SEVERITIES for rule in RULES)
