"""What a server's log and its endpoint for metrics are told: of facts, words and samples."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import EVIL, budget, full, library, pool, snapshot
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from omp_magic.facts.libraries import Gap, Pool
from omp_magic.facts.processes import PythonThreads, ThreadOwner
from omp_magic.facts.sections import Ended, Section
from omp_magic.facts.series import Family
from omp_magic.facts.throttling import Throttling
from omp_magic.facts.usage import Usage
from omp_magic.rules import judge
from omp_magic.views.exposition import encodable_label, exposition
from omp_magic.views.log_lines import lines_of
from omp_magic.views.section_lines import begin_line, end_line
from omp_magic.views.series import FAMILIES, families_of


def usage(**facts: Any) -> Usage:
    given: dict[str, Any] = {
        "wall_s": 2.0,
        "cpu_s": 3.0,
        "allowed_cpus": 2.5,
        "threads_before": 4,
        "peak_threads": 9,
        "peak_rss_bytes": 70_000_000,
        "throttled_s": 0.5,
        "throttled_periods": 7,
        "rss_before_bytes": 70_000_000,
        "rss_after_bytes": 62_000_000,
        "peak_threads_by_owner": (("OpenBLAS (numpy)", 5), ("Python", 4)),
        "worked_by_owner": (("OpenBLAS (numpy)", 5, 2.0),),
    }
    return Usage(**{**given, **facts})


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read a scrape as Prometheus' own parser does."""
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    read = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in found}
    assert len(read) == len(found), "a sample stands twice"
    return read


def test_each_record_of_a_status_is_one_printable_line_with_its_facts() -> None:
    lines = list(lines_of(full()))
    for line in lines:
        assert line.text.isprintable(), line.text
        assert json.loads(json.dumps(line.facts)) == line.facts
    assert [line.severity for line in lines if "finding" in line.facts] == [
        finding.severity for finding in full().findings
    ]
    assert lines[0].text.startswith("2.5 CPUs allowed (cpu.max of /pod7 decides; affinity 16")
    assert "pid 6536" in lines[0].text
    assert lines[0].facts["os_threads"] == 19
    assert "OpenBLAS 0.3.31 from numpy, 16 threads" in lines[1].text
    assert lines[-1].text == "not known: throttling: no <file>"


def test_a_status_names_no_magic_and_no_kernel_and_keeps_what_is_to_be_run() -> None:
    facts = full()
    lines = [line for line in lines_of(facts) if "finding" in line.facts]
    assert lines
    for line, finding in zip(lines, facts.findings, strict=True):
        told = f"{line.text} {json.dumps(line.facts)}"
        assert not re.search(r"%omp|(?i:this|the) kernel\b", told), told
        for remedy in line.facts["finding"]["remedies"]:
            assert json.dumps(remedy["run"])[1:-1] in json.dumps(line.text)
        assert len(line.facts["finding"]["remedies"]) == len(finding.remedies)


def test_a_status_without_runtimes_says_so_and_one_that_failed_says_what_is_missing() -> None:
    quiet = list(lines_of(snapshot()))
    assert [line.severity for line in quiet] == ["info", "info"]
    assert quiet[1].text == "No OpenMP or BLAS runtime is loaded yet"
    lost = snapshot(num_os_threads=None, gaps=(Gap(what="libraries", why="no /proc"),))
    texts = [line.text for line in lines_of(lost)]
    assert "OS threads not known" in texts[0]
    assert texts[1:] == ["The loaded runtimes are not known", "not known: libraries: no /proc"]


def test_a_section_tells_where_it_is_and_what_it_used() -> None:
    section = Section(name="embed\ning", number=12, around=(("request", 10), ("batch", 11)))
    text, facts = begin_line(section, 5, None)
    assert text == (
        "section embed\\ning #12 in batch #11 in request #10 begins: 5 threads, RSS \N{EN DASH}"
    )
    assert facts["in"] == [
        {"section": "request", "number": 10},
        {"section": "batch", "number": 11},
    ]
    text, facts = end_line(section, Ended(usage=usage(), threads=9, shared=True, items=3))
    assert text == (
        "section embed\\ning #12 in batch #11 in request #10 ended after 2.00 s: 3 items, "
        "CPU 3.00 s, 1.50 of 2.5 CPUs busy, RSS 62 MB (-8 MB), 9 threads (OpenBLAS (numpy) 5 with "
        "5 busy; Python 4), throttled 500.0 ms in 7 periods, other sections ran meanwhile, and all "
        "figures are the process's"
    )
    assert facts["threads_by_owner"][0] == {
        "owner": "OpenBLAS (numpy)",
        "threads": 5,
        "busy": 5,
        "cpu_s": 2.0,
    }
    json.dumps(facts)


def test_a_section_of_no_time_has_no_rate_and_no_change_of_nothing() -> None:
    short = usage(wall_s=0.0001, cpu_s=0.0, rss_before_bytes=62_000_000, throttled_s=None)
    text, facts = end_line(Section(name="x", number=1), Ended(usage=short, threads=1))
    assert ": CPU 0.0 ms, RSS 62 MB, 1 thread" in text
    assert (facts["busy_cpus"], facts["rss_before_bytes"]) == (None, 62_000_000)


def test_a_section_deep_in_others_names_the_innermost() -> None:
    around = tuple(("x", number) for number in range(1, 1000))
    text, facts = begin_line(Section(name="x", number=1000, around=around), 1, None)
    assert text.startswith("section x #1000 in x #999 in x #998")
    assert "in x #992 in 991 more begins" in text
    assert [each["number"] for each in facts["in"]] == list(range(992, 1000))
    text, facts = begin_line(Section(name="x", number=9, around=around[:8]), 1, None)
    assert "in x #1 begins" in text
    assert len(facts["in"]) == 8


def test_a_section_that_failed_or_was_not_measured_says_so() -> None:
    section = Section(name="x", number=1)
    text, facts = end_line(section, Ended(failed="ValueError", usage=usage(), threads=9))
    assert text.startswith("section x #1 failed: ValueError after 2.00 s: CPU")
    assert facts["failed"] == "ValueError"
    text, facts = end_line(section, Ended(why="it began before a fork, in process 7"))
    assert text == "section x #1 ended; not measured: it began before a fork, in process 7"
    assert "wall_s" not in facts
    unknown = usage(
        peak_threads_by_owner=None,
        worked_by_owner=None,
        rss_after_bytes=None,
        throttled_s=None,
        gaps=(Gap(what="owners of threads", why="no clocks"),),
    )
    text, facts = end_line(section, Ended(usage=unknown))
    assert "RSS \N{EN DASH}, threads not known, no quota" in text
    assert text.endswith("not known: owners of threads (no clocks)")
    assert facts["threads_by_owner"] is None


def test_every_family_can_be_given_and_is_read_back_by_prometheus() -> None:
    facts = full()
    facts = replace(
        facts,
        throttling=(Throttling(group="/pod7", periods=10, throttled_periods=3, throttled_us=5),),
        thread_owners=(
            ThreadOwner(path=EVIL, package=None, num_threads=2),
            ThreadOwner(path="/env/liba.so", package="a", num_threads=1),
        ),
        python_threads=PythonThreads(alive=3, of_executors=0),
        pools=(*facts.pools, pool(None)),
    )
    families = families_of(facts, "1.0", 12.5, 70_000_000)
    assert [each.name for each in families] == [each.name for each in FAMILIES]
    read = samples(exposition(families))
    assert read["omp_magic_quota_cpus", ()] == 2.5
    assert read["omp_magic_process_cpu_seconds_total", ()] == 12.5
    assert read["omp_magic_throttled_seconds_total", (("group", "/pod7"),)] == 5e-6
    assert read["omp_magic_owner_threads", (("owner", "Python"),)] == 3
    assert read["omp_magic_owner_threads", (("owner", "liba.so (a)"),)] == 1
    both = [("family", "openblas"), ("library", "OpenBLAS (numpy)")]
    assert read["omp_magic_pool_threads", tuple(both)] == 16
    both[1] = ("library", "OpenBLAS (numpy) 2")
    assert read["omp_magic_pool_threads", tuple(both)] == 2
    assert read["omp_magic_unknown", (("what", "throttling"),)] == 1
    for finding in facts.findings:
        labels = (("code", finding.code), ("severity", finding.severity))
        assert read["omp_magic_findings", labels] >= 1


def test_what_is_not_known_has_no_sample() -> None:
    gaps = tuple(Gap(what=what, why="?") for what in ("budget", "findings"))
    read = samples(
        exposition(families_of(snapshot(num_os_threads=None, gaps=gaps), "1", None, None))
    )
    assert {name for name, _ in read} == {"omp_magic_info", "omp_magic_unknown"}


@pytest.mark.parametrize(
    ("runtimes", "flag"),
    [
        (("libomp", "libiomp5"), 1.0),
        (("libomp", "libgomp"), 0.0),
        (("libgomp",), 0.0),
    ],
)
def test_two_runtimes_that_cannot_share_a_process_are_a_flag(
    runtimes: tuple[str, ...], flag: float
) -> None:
    libraries = tuple(
        library(each, inode=number, initialized=not number, num_threads=None)
        for number, each in enumerate(runtimes)
    )
    facts = snapshot(libraries=libraries, budget=budget())
    facts = facts.with_findings(judge(facts))
    read = samples(exposition(families_of(facts, "1", None, None)))
    assert read["omp_magic_duplicate_runtimes", ()] == flag


def test_a_pool_that_borrows_threads_is_not_counted_twice() -> None:
    lent = Pool(
        name="OpenBLAS (faiss)",
        family="openblas",
        api="blas",
        library="/env/lib.so",
        num_threads=2,
        would_use=None,
        scope="process",
        lender="/env/libgomp.so",
    )
    read = samples(exposition(families_of(snapshot(pools=(lent,)), "1", None, None)))
    assert not any(name == "omp_magic_pool_threads" for name, _ in read)


@given(st.text(), st.text(), st.floats(allow_nan=False))
def test_any_label_and_number_comes_back_as_it_was(one: str, other: str, number: float) -> None:
    rows = (((one, other), number),)
    family = Family(name="x", kind="counter", told="A \\ b\nc", labels=("a", "b"), samples=rows)
    [read] = text_string_to_metric_families(exposition([family]))
    assert read.documentation == "A \\ b\nc"
    [sample] = read.samples
    assert sample.labels == {"a": encodable_label(one), "b": encodable_label(other)}
    assert sample.value == number
