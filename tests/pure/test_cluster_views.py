"""A cluster in text of any width, in HTML that is safe and small, and what is said first."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from facts_for_tests import EVIL
from madeclusters import NANNY, NUMPY, SKLEARN, cluster, silent, simulated, state_of, worker

from omp_magic.facts.clustersnapshots import ClusterSnapshot
from omp_magic.facts.gaps import Gap
from omp_magic.facts.libraries import Finding
from omp_magic.views.cluster import MOST_GROUPS, table_of, verdict_of
from omp_magic.views.cluster_groups import clipped


def mixed(**facts: Any) -> ClusterSnapshot:
    """Give 40 workers of two kinds, three silent ones besides."""
    return cluster(
        [
            *(worker(SKLEARN, n, tasks=2) for n in range(37)),
            *(worker(NUMPY, 37 + n, tasks=2) for n in range(3)),
            *(silent(40 + n) for n in range(2)),
            silent(42, why="lost", host="10.0.0.9"),
        ],
        **facts,
    )


def html_of(found: ClusterSnapshot) -> str:
    return found._repr_mimebundle_(include=["text/html"])["text/html"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_text_fits_and_says_the_worst_first(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = str(mixed(limit="auto")).split("\n")
    text = re.sub(r"\s+", " ", " ".join(lines))
    assert text.startswith("! 42 workers on node-1 may run at least 157 threads at once on 2 CPUs")
    assert "LocalCluster 7f3a · 43 workers on 2 hosts · 3 without an answer · 2 kinds" in text
    assert "limit auto" in text
    assert (
        text.index("differs") < text.index("as 1, but no OpenBLAS (scipy)") < text.index("OMP401")
    )
    # Once, in the row of those that are so.
    assert text.count("no answer in 10 s") == 1
    assert "no answer: no answer" not in text
    assert "not known:" not in text
    # Code is whole, however narrow; all else is broken between words.
    code = [each for each in lines if len(each) > width]
    assert all(re.match(r" {4,}\S.*(\(|--)", each) for each in code), code


def test_forty_workers_are_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    rows = re.findall(r"(?m)^ +(\d)  +(\d+)  (.*?)  +2  +(\d)", str(mixed()))
    assert [(row[0], row[1], row[3]) for row in rows] == [("1", "37", "4"), ("2", "3", "3")]


def test_workers_that_are_well_have_a_quiet_verdict() -> None:
    found = cluster([worker(NANNY, n) for n in range(2)])
    assert verdict_of(found).tone == "fine"
    assert str(found).startswith("✓ 2 workers on 1 host: up to 2 threads at once on 2 CPUs")
    assert "differs" not in str(found)
    assert verdict_of(cluster([])).text == "The cluster has no workers"
    assert verdict_of(cluster([silent()])).code == "OMP405"


def test_an_error_of_a_few_workers_comes_before_a_warning_of_all() -> None:
    fatal = Finding(code="OMP101", severity="error", title="This kernel will die", why="x")
    workers = [replace(each, findings=(fatal,)) for each in mixed().workers[:3]]
    found = cluster([*workers, *mixed().workers[3:]])
    assert verdict_of(found).text == "This kernel will die: on 3 of 43 workers"
    assert verdict_of(found).code == "OMP101"
    assert "on 3 of 43 (tcp://10.0.0.7:40000 (0)," in str(found)


def test_what_is_not_known_is_told_with_who() -> None:
    gap = Gap(what="threads", why="no permission")
    found = cluster(
        [worker(number=n, gaps=(gap,)) for n in range(9)], gaps=(Gap(what="scheduler", why="gone"),)
    )
    said = table_of(found).gaps
    assert said[0] == "scheduler: gone"
    assert said[1].startswith("threads: no permission (tcp://10.0.0.7:40000 (0), ")
    assert said[1].endswith(" and 5 more)")


def test_a_worker_that_is_nowhere_is_on_no_host_of_its_own() -> None:
    nowhere = silent(0, address="worker 0", host="")
    assert "2 workers on 1 host \N{MIDDLE DOT}" in table_of(cluster([worker(), nowhere])).about
    assert "1 worker \N{MIDDLE DOT}" in table_of(cluster([nowhere])).about


def evil() -> ClusterSnapshot:
    state = state_of(SKLEARN)
    libraries = tuple(
        replace(each, path=EVIL, owner=EVIL, version=EVIL) for each in state.libraries
    )
    pools = tuple(replace(each, name=EVIL) for each in state.pools)
    bad = replace(
        state,
        prefix=EVIL,
        python=EVIL,
        bound=EVIL,
        libraries=libraries,
        pools=pools,
        variables=((EVIL, EVIL),),
        limits=(EVIL,),
    )
    finding = Finding(code="OMP101", severity="warning", title=EVIL, why=EVIL)
    known: dict[str, Any] = {
        "host": EVIL,
        "cgroup": EVIL,
        "quota_cpus": 0.5,
        "findings": (finding,),
    }
    return cluster(
        [
            worker(),
            worker(state=bad, address=EVIL, name=EVIL, machine=EVIL, **known),
            silent(why=EVIL, address=EVIL + "2", host=EVIL + "3"),
        ],
        title=EVIL,
        gaps=(Gap(what=EVIL, why=EVIL),),
    )


def test_nothing_from_outside_is_markup_or_moves_the_terminal() -> None:
    page, text = html_of(evil()), str(evil())
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    for char in ("\x1b", "\udcff"):
        assert char not in page
        assert char not in text
    page.encode()
    text.encode()


def test_a_page_shows_more_on_demand_and_is_as_the_text() -> None:
    page = html_of(mixed())
    assert page.count("<details") >= 3 + 4
    # Right-aligned words and columns as wide as the page are far from what they belong to.
    assert 'class="omp-right' not in page
    for caption in ("Kinds of workers", "Hosts"):
        assert f'<table class="omp-t" style="width:auto"><caption>{caption}' in page
    assert "1: 37 workers on node-1" in page
    assert "libgomp-e985bcbb.so.1.0.0" in page
    assert "and 17 more: to_frame() has each" in page
    assert page.count("<details") == page.count("</details>")
    for kind in ("div", "table", "tr", "section", "ul", "li"):
        assert len(re.findall(rf"<{kind}\b", page)) == page.count(f"</{kind}>"), kind


@pytest.mark.parametrize("states", [2, 0])
def test_a_page_of_10000_workers_is_small_and_says_what_it_leaves_out(states: int) -> None:
    found = simulated(10_000, states or 10_000)
    page = html_of(found)
    assert len(page.encode()) <= 500_000
    rows = table_of(found)
    assert len(rows.groups) == min(MOST_GROUPS, states or 10_000)
    if not states:
        assert rows.more[0] == "and 9988 more kinds with 9988 workers: to_frame() has each"
    assert rows.more[-1] == "and 238 more hosts: to_frame() has each"
    assert str(found).count("\n") < 150


def test_what_a_finding_says_is_bounded_and_no_command_is_cut() -> None:
    long = "v" * 100_000
    states = [state_of(SKLEARN, variables=(("OMP_PLACES", f"{long}{n}"),)) for n in range(3)]
    who = [worker(number=n, state=each) for n, each in enumerate(states)]
    found = cluster(who, title="Dask, scheduler at tcp://10.0.0.1:8786")
    page, text = html_of(found), str(found)
    assert len(page.encode()) + len(text) < 60_000
    assert "OMP_PLACES" in text
    assert "pre-spawn-environ.OMP_PLACES" not in text
    assert ": to_dict()" in text
    assert any(long in each for finding in found.findings for each in finding.remedies)


@pytest.mark.parametrize("char", ["x", "'", "\u202e"])
def test_a_page_is_small_whatever_workers_tell(char: str) -> None:
    odd = char * 300
    (library, *_) = state_of(SKLEARN).libraries
    finding = Finding(code="", severity="warning", title=odd, why=odd)
    workers = []
    for n in range(60):
        libraries = tuple(
            replace(library, path=f"/{k}{odd}", owner=f"{n % 12}{odd}", version=f"{k}{odd}")
            for k in range(30)
        )
        findings = tuple(replace(finding, code=f"OMP{k}") for k in range(500))
        gaps = tuple(Gap(what=f"{k}", why=odd) for k in range(200))
        facts: dict[str, Any] = {
            "name": odd,
            "host": f"{n}{odd}",
            "findings": findings,
            "gaps": gaps,
        }
        state = state_of(SKLEARN, libraries=libraries)
        workers.append(worker(number=n, address=f"{n}{odd}", machine=f"{n}", state=state, **facts))
    found = cluster(workers)
    page = html_of(found)
    assert len(page.encode()) <= 500_000
    assert "440 more findings of single workers: to_dict() has each" in page
    assert str(found).count("\n") < 500


def test_long_names_do_not_make_a_page_large() -> None:
    workers = [
        replace(each, address=each.address + "x" * 5000, host=each.host + "y" * 5000)
        for each in simulated(400, 400).workers
    ]
    assert len(html_of(cluster(workers)).encode()) <= 500_000


def crowded(engine: str, asked_as: str = "", client_as: str = "") -> ClusterSnapshot:
    found = cluster([worker(number=n, tasks=2) for n in range(9)], engine=engine)
    return found.named(asked_as, client_as)


def test_what_mends_has_the_names_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    dask = str(crowded("dask", "mine", "mine.get_client()"))
    assert "%omp_cluster mine --limit auto" in dask
    assert "mine.get_client().register_plugin(omp_magic.dask_plugin())" in dask
    for engine in ("executor", "joblib", "ipyparallel"):
        found = crowded(engine, "rs[:]")
        assert not re.search(r"%omp_cluster (?!rs\[:\])", str(found) + html_of(found))
    assert "%omp_cluster executor" in str(crowded("executor"))
    assert "mine" not in repr(crowded("dask", "mine").to_dict())
    assert crowded("dask", "mine") == crowded("dask")


def test_a_plain_program_is_told_of_no_magics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    gap = Gap(what="threads", why="children are told by %omp_status")
    found = cluster([worker(number=n, tasks=2, gaps=(gap,)) for n in range(9)])
    assert 'omp_magic.cluster(client, limit="auto")' in str(found)
    assert "%omp_" not in str(found)


def test_no_tick_stands_above_what_is_wrong_with_single_workers() -> None:
    odd = Finding(code="OMP211", severity="warning", title="Two pools", why="x")
    found = cluster([worker(NANNY, n, findings=(odd,)) for n in range(2)])
    verdict = verdict_of(found)
    assert (verdict.text, verdict.tone) == ("Two pools: on 2 of 2 workers", "warning")
    own = crowded("dask")
    workers = [replace(each, findings=(odd,)) for each in own.workers]
    assert verdict_of(cluster(workers)).code == "OMP401"


def test_a_worker_that_was_seen_from_outside_has_not_answered() -> None:
    gap = Gap(what="worker", why="no answer in 3 s")
    found = cluster([worker(NANNY, 0), worker(NANNY, 1, gap=gap, seen="outside")])
    assert str(found).startswith("? 1 of 2 workers has not answered itself; 2 workers on 1 host")
    assert "1 without an answer of its own" in str(found)
    assert "not known: worker: no answer in 3 s (tcp://10.0.0.7:40001 (1))" in str(found)


def test_a_limit_in_force_is_told_by_the_row_of_who_has_it() -> None:
    held = state_of(NANNY, limits=("2",))
    found = cluster([worker(number=n, state=held) for n in range(2)])
    assert table_of(found).groups[0].cells[2].endswith("; limit 2")
    assert "; limit 2</td>" in html_of(found)
    mixed_ones = cluster([*found.workers, worker(NANNY, 3)])
    assert table_of(mixed_ones).groups[1].cells[2] == "as 1, but no limit"


def test_what_a_limit_does_later_is_known() -> None:
    later = "openmp: not loaded yet; limited as soon as it is"
    gaps = (Gap(what="limit", why=later), Gap(what="limit", why="not known whether it is in force"))
    found = cluster([worker(NANNY, state=state_of(NANNY, unknown=("limit",)), gaps=gaps)])
    told = table_of(found)
    assert told.notes == (f"limit: {later} (tcp://10.0.0.7:40000 (0))",)
    assert told.gaps[0].startswith("limit: not known whether")
    assert f"note: limit: {later}" in html_of(found)
    assert "not known" not in dict(told.groups[0].facts)


def test_a_sentence_is_cut_between_words_and_a_path_in_its_middle() -> None:
    words = "a worker ends after a rest and the next has none " * 20
    why = table_of(cluster([silent(why=words)])).groups[0].cells[2]
    assert why.rpartition("\N{HORIZONTAL ELLIPSIS}")[0].split()[-1] in words.split()
    assert clipped("/a" * 100, 10) == "/a/a/\N{HORIZONTAL ELLIPSIS}a/a/a"


def test_a_silent_worker_is_on_the_host_of_the_table() -> None:
    found = cluster([worker(NANNY, 0), silent(1)])
    row = table_of(found).groups[1]
    assert row.summary == f"2: 1 worker on {found.hosts[0].name}"
    assert "10.0.0.7," not in row.workers[0].partition(" on ")[2]


def test_a_group_a_host_and_a_worker_are_a_line_each() -> None:
    found = mixed()
    for each in (*found.groups, *found.hosts, *found.workers):
        assert len(repr(each)) < 150
        assert repr(each).startswith("<Cluster")
