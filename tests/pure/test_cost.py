"""The card of a cell's cost: what it says first is true of what was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omp_magic.facts.libraries import Gap
from omp_magic.facts.usage import Usage
from omp_magic.views.cost import CostCard, judged_usage, working_threads

USAGE = Usage(
    wall_s=1.2,
    cpu_s=1.18,
    allowed_cpus=2.0,
    threads_before=13,
    peak_threads=15,
    peak_rss_bytes=812_000_000,
    throttled_s=None,
    children_cpu_s=0.0,
    peak_threads_by_owner=(("Python", 9), ("OpenBLAS (numpy)", 1)),
    worked_by_owner=(("Python", 1, 1.18),),
)


def said(least: int | None = None, **facts: Any) -> tuple[str, str]:
    verdict = judged_usage(replace(USAGE, **facts), least)
    return verdict.text, verdict.tone


def by(*rows: tuple[str, int, float]) -> dict[str, Any]:
    return {"worked_by_owner": rows, "cpu_s": sum(row[2] for row in rows)}


def test_one_thread_was_enough_only_where_more_were_allowed() -> None:
    assert said(2) == ("1 thread was enough: 0.98 of 2 CPUs busy", "fine")
    for least in (1, None):
        assert said(least) == ("1 thread did all the work: 0.98 of 2 CPUs busy", "fine")
    # One thread of a pool besides the one that calls it: two.
    both = by(("Python", 1, 1.14), ("OpenBLAS (numpy)", 1, 1.14))
    assert said(2, **both) == ("2 threads kept 1.90 of 2 CPUs busy", "fine")


def test_threads_that_nobody_met_are_not_denied() -> None:
    # The rows have half the CPU time only: others worked, and came and went unseen.
    assert said(2, cpu_s=2.3)[0] == "1.92 of 2 CPUs busy"
    # One thread cannot keep 1.9 CPUs busy.
    assert said(2, **by(("Python", 1, 2.28)))[0] == "1.90 of 2 CPUs busy"
    assert said(2, worked_by_owner=None)[0] == "0.98 of 2 CPUs busy"
    assert said(2, worked_by_owner=())[0] == "0.98 of 2 CPUs busy"
    wakes = (("Python", 1, 1.18), ("libzmq", 1, 0.004))
    assert working_threads(replace(USAGE, worked_by_owner=wakes)) == 1


def test_threads_share_cpus_where_they_are_one_pools() -> None:
    crowd = by(("libgomp (x)", 7, 2.0), ("Python", 1, 0.3))
    assert said(8, **crowd) == ("8 threads shared 2 CPUs: 1.92 busy", "warning")
    # Threads of Python take turns, and pools may have run one after the other.
    assert said(8, **by(("Python", 8, 1.18)))[0] == "8 threads kept 0.98 of 2 CPUs busy"
    apart = by(("OpenBLAS (numpy)", 1, 0.9), ("libgomp (x)", 1, 0.9), ("Python", 1, 0.5))
    assert said(2, **apart) == ("3 threads kept 1.92 of 2 CPUs busy", "fine")
    # Many threads that leave CPUs idle crowd nobody.
    few = by(("libgomp (x)", 7, 1.0), ("Python", 1, 0.3))
    assert said(8, **few) == ("8 threads kept 1.08 of 2 CPUs busy", "fine")


def test_a_quota_that_stopped_it_comes_first() -> None:
    crowd = by(("libgomp (x)", 7, 0.5), ("Python", 1, 0.08))
    text, tone = said(8, **crowd, allowed_cpus=0.5, throttled_s=0.4, throttled_periods=9)
    assert (text, tone) == (
        "8 threads shared 0.5 CPUs: throttled 400.0 ms in a run of 1.20 s",
        "warning",
    )
    one = said(1, **by(("Python", 1, 0.55)), allowed_cpus=0.5, throttled_s=0.4)[0]
    assert one.startswith("1 thread ran on 0.5 CPUs: throttled")
    # While it slept, others may have used up the quota.
    idle = said(1, cpu_s=0.01, allowed_cpus=0.5, throttled_s=0.4)[0]
    assert idle == "0.01 of 0.5 CPUs busy: its cgroup was throttled 400.0 ms in a run of 1.20 s"
    assert said(2, throttled_s=0.01)[0].startswith("1 thread was enough")


def test_waiting_is_told_from_a_small_quota_and_from_children() -> None:
    assert said(2, cpu_s=0.12) == ("Mostly waiting: 0.10 of 2 CPUs busy", "fine")
    assert said(1, **by(("Python", 1, 0.55)), allowed_cpus=0.5)[0].startswith("1 thread did all")
    verdict = judged_usage(replace(USAGE, cpu_s=0.12, children_cpu_s=2.4), 2)
    assert verdict.text == "Child processes that ended in it had used 2.40 s of CPU time"
    assert verdict.more == "0.10 of 2 CPUs busy in this process"
    assert said(2, wall_s=0.0004, cpu_s=0.0009)[0] == "Too short to judge: 0.4 ms"


@pytest.mark.parametrize(("tone", "edge"), [("fine", "omp-k"), ("warning", "omp-w")])
def test_text_and_html_are_one_objects(tone: str, edge: str) -> None:
    throttled_s = 0.4 if tone == "warning" else None
    usage = replace(USAGE, throttled_s=throttled_s, gaps=(Gap(what="x", why="<b>"),))
    card = CostCard("2", usage, 2)
    made = card._repr_mimebundle_()
    assert made["text/plain"] == str(card)
    verdict, line, *_ = str(card).split("\n")
    assert verdict == card.verdict.text
    assert line.startswith("omp_limit 2: wall 1.20 s · CPU 1.18 s")
    assert f'<div class="omp-magic {edge}">' in made["text/html"]
    assert f"<header><b>{verdict}</b>" in made["text/html"]
    assert "not known: x (&lt;b&gt;)" in made["text/html"]
    assert set(card._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
