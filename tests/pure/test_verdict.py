"""The verdict: the worst thing that is true, first."""

from __future__ import annotations

from dataclasses import replace

from facts_for_tests import budget, pool, snapshot

from omp_magic.facts.libraries import Finding
from omp_magic.facts.load import Load, Neighbour, Neighbours
from omp_magic.facts.snapshots import Snapshot
from omp_magic.views.verdict import verdict_of


def found(code: str, severity: str) -> Finding:
    return Finding(code=code, severity=severity, title=f"{code} happens", why="because")


def with_findings(*findings: Finding) -> Snapshot:
    return replace(snapshot(budget=budget(2), pools=(pool(2),)), findings=findings)


def test_what_ends_the_kernel_comes_before_all_else() -> None:
    facts = with_findings(found("OMP101", "error"), found("OMP201", "warning"))
    assert verdict_of(facts).text == "OMP101 happens"
    assert verdict_of(facts).tone == "error"


def test_what_costs_time_now_comes_before_what_may_come() -> None:
    facts = with_findings(found("OMP105", "warning"), found("OMP206", "warning"))
    assert verdict_of(facts).code == "OMP206"
    assert verdict_of(with_findings(found("OMP105", "warning"))).code == "OMP105"
    assert verdict_of(with_findings(found("OMP105", "warning"))).tone == "warning"


def test_more_threads_than_cpus_are_said_in_numbers() -> None:
    facts = snapshot(budget=budget(16, 0.5), pools=(pool(16), pool(2)))
    told = verdict_of(facts)
    assert told.text == "16 threads want 0.5 CPUs"
    assert told.tone == "warning"
    assert "2 pools have 18 together" in told.more
    assert verdict_of(with_findings(), busy=3).text == "3 busy threads share 2 CPUs"


def test_a_note_alone_is_fine() -> None:
    told = verdict_of(with_findings(found("OMP106", "info")))
    assert told.text == "2 threads for 2 CPUs, fine"
    assert told.tone == "fine"
    assert verdict_of(snapshot(budget=budget(2))).text == "2 CPUs allowed"


def test_neighbours_are_named() -> None:
    largest = tuple(Neighbour(pid=n, command="python", cpus=n / 1000) for n in (812, 700, 90))
    others = Neighbours(cpus=1.69, allowed_cpus=2.0, group="/pod7", largest=largest)
    load = Load(interval_s=1.0, used_cpus=0.31, starved_share=0.85, neighbours=others)
    facts = replace(with_findings(found("OMP211", "warning")), load=load)
    assert verdict_of(facts).more == "pid 812 python 0.81, pid 700 python 0.70, …"


def test_what_crowds_the_cpus_comes_before_what_comes_of_it() -> None:
    taken = snapshot(budget=budget(16, 0.5), pools=(pool(16),))
    told = verdict_of(replace(taken, findings=(found("OMP203", "warning"),)))
    assert told.text == "16 threads want 0.5 CPUs"
    assert told.more.endswith("; oMP203 happens")
    fits = replace(taken, pools=(pool(1),), findings=(found("OMP203", "warning"),))
    assert verdict_of(fits).code == "OMP203"
