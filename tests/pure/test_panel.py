"""The live panel of made-up facts: words, sizes, escaping, and pictures that say so in words."""

from __future__ import annotations

import html
import math
import re
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, snapshot
from rich.cells import cell_len

from omp_magic.facts.libraries import Finding, Gap, Pool
from omp_magic.facts.limits import Limit
from omp_magic.facts.processes import Child, ThreadOwner
from omp_magic.facts.ticks import ChildTick, OwnerTick, Tick
from omp_magic.rules import judge
from omp_magic.views.links import page_of, url_in
from omp_magic.views.panel.chart import MOST_BYTES as MOST_CHART
from omp_magic.views.panel.chart import chart_words, cpu_chart, sparkline
from omp_magic.views.panel.finding_parts import FindingParts, none_html, parts_of, told_html
from omp_magic.views.panel.html import (
    MOST_BYTES,
    PanelFacts,
    findings_html,
    fold_html,
    live_html,
    message_html,
    pool_label,
    static_html,
    static_text,
    style_html,
)
from omp_magic.views.panel.pool_rows import arranged, newly_busy, rows_of
from omp_magic.views.panel.squares import squares

BLAS, MKL = "/env/numpy.libs/libopenblas.so", "/env/lib/libiomp5.so"
HOSTILE = (
    "<script>alert(1)</script>" * 400,
    "\x1b[31m\x00\n\r\x9b" * 2000,
    "\u202e\u2066" * 5000,
    "א" * 10_000,
    "\"'&><" * 2000,
    "\udcff" * 10_000,
    "\N{PILE OF POO}" * 10_000,
    "a\u0301\u0301\u0301" * 2500,
    "",
)


def a_pool(name: str, path: str, threads: int | None, **facts: Any) -> Pool:
    return replace(pool(threads), name=name, library=path, **facts)


def a_tick(number: int = 1, **facts: Any) -> Tick:
    given: dict[str, Any] = {
        "number": number,
        "at_s": 1_760_000_000.0 + number,
        "interval_s": 1.0,
        "cpus": 2.48,
        "group_cpus": 2.5,
        "allowed_cpus": 4.0,
        "throttled": None,
        "waiting": 0.74,
        "num_threads": 50,
        "rss_bytes": 812_000_000,
        "owners": (
            OwnerTick(path=BLAS, alive=47, busy=46, cpus=2.4),
            OwnerTick(path="Python", alive=3, busy=1, cpus=0.08),
        ),
        "children": (),
        "maps_changed": False,
        "gaps": (),
    }
    return Tick(**{**given, **facts})


def crowded(**facts: Any) -> PanelFacts:
    """Give 48 threads of OpenBLAS on 4 CPUs, and an idle MKL whose threads torch borrows."""
    taken = snapshot(
        libraries=(
            library("openblas", owner="numpy", path=BLAS, num_threads=48, workers=47),
            library("libiomp5", owner="mkl", path=MKL, num_threads=4, workers=3),
        ),
        pools=(
            a_pool("OpenBLAS (numpy)", BLAS, 48),
            a_pool("Intel libiomp5 (mkl)", MKL, 4),
            a_pool("torch intra-op", "torch", 4, api="python", family="torch", lender=MKL),
        ),
    )
    given: dict[str, Any] = {
        "snapshot": taken.with_findings(judge(taken)),
        "ticks": tuple(a_tick(number) for number in range(1, 61)),
        "cell": "cell [14] running 12 s",
        "labels": {BLAS: "OpenBLAS (numpy)"},
    }
    return PanelFacts(**{**given, **facts})


def hostile(text: str) -> PanelFacts:
    """Give a process that names everything `text`, and has very much of everything."""
    paths = [f"{text}/{number}" for number in range(40)]
    finding = Finding(
        code="OMP101", severity="error", title=text, why=text, remedies=(f"{text}: {text}",) * 9
    )
    taken = snapshot(
        libraries=tuple(library("openblas", path=path, owner=text) for path in paths),
        pools=tuple(
            a_pool(text, path, 500 - number, note=text, lender=text if number % 5 == 4 else "")
            for number, path in enumerate(paths)
        ),
        findings=(finding,) * 40,
        limits=(Limit(spec=text, set_by=text, undo=text),) * 40,
    )
    ticks = tuple(
        a_tick(
            number,
            cpus=float(number * 7919 % 977) / 10,
            allowed_cpus=1 + float(number * 104_729 % 991) / 10,
            throttled=float(number % 2),
            num_threads=500,
            owners=tuple(OwnerTick(path=path, alive=500, busy=500, cpus=1e6) for path in paths),
            children=tuple(
                ChildTick(pid=4_000_000 + n, command=text, num_os_threads=500, cpus=None)
                for n in range(60)
            ),
            gaps=tuple(Gap(what=text, why=f"{text}{n}") for n in range(40)),
        )
        for number in range(1, 241)
    )
    return PanelFacts(
        snapshot=taken,
        ticks=ticks,
        cell=text,
        guard=text,
        message=text,
        labels=dict.fromkeys(paths, text),
    )


def visible(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def parsed(fragment: str) -> ET.Element:
    """Parse strictly: a fragment that is well-formed XML holds nothing unescaped."""
    return ET.fromstring(f"<root>{fragment}</root>")


def test_one_look_says_what_is_wrong() -> None:
    page = live_html(crowded())
    assert '<b class="omp-verdict">48 threads want 4 CPUs</b>' in page
    assert "omp-live omp-w " in page
    for words in (
        "OpenBLAS (numpy) has 48, 2 pools have 52 together",
        "Live · cell [14] running 12 s",
        "2.48 of 4 CPUs",
        "waiting 74%",
        "50 threads",
        "812 MB",
        "OpenBLAS (numpy) 47 46 2.40 48",
        "torch intra-op uses Intel libiomp5 (mkl) – – – 4",  # noqa: RUF001 - the view's own dash
        "Python 3 1 0.08",
    ):
        assert words in visible(page), words
    assert "48 threads want 4 CPUs" in static_text(crowded())
    assert "48 threads want 4 CPUs" in visible(static_html(crowded()))


def test_the_root_tells_which_tick_it_shows() -> None:
    root = parsed(live_html(crowded()))[0]
    assert root.tag == "div"
    assert {"omp", "omp-live"} <= set(root.attrib["class"].split())
    assert root.attrib["data-tick"] == "60"
    assert root.attrib["data-at"] == "1760000060000"
    before = parsed(live_html(crowded(ticks=())))[0]
    assert (before.attrib["data-tick"], before.attrib["data-at"]) == ("0", "0")


@pytest.mark.parametrize(
    ("pools", "owners", "allowed", "words", "bad"),
    [
        ((4,), (), 4.0, "4 threads for 4 CPUs, fine", False),
        ((3,), (), 2.5, "3 threads for 2.5 CPUs, fine", False),
        ((4,), (), 2.5, "4 threads want 2.5 CPUs", True),
        ((2,), (), 1.0, "2 threads want 1 CPU", True),
        ((2, 2), (3, 2), 4.0, "5 busy threads share 4 CPUs", True),
        ((2, 2), (2, 2), 4.0, "2 threads for 4 CPUs, fine", False),
        ((), (), 4.0, "4 CPUs allowed", False),
        ((None,), (), 4.0, "4 CPUs allowed", False),
    ],
)
def test_the_verdict(
    pools: tuple[int | None, ...], owners: tuple[int, ...], allowed: float, words: str, bad: bool
) -> None:
    taken = snapshot(pools=tuple(a_pool(f"p{i}", f"/{i}", n) for i, n in enumerate(pools)))
    rows = tuple(OwnerTick(path=f"/{i}", alive=n, busy=n, cpus=1.0) for i, n in enumerate(owners))
    page = live_html(PanelFacts(snapshot=taken, ticks=(a_tick(owners=rows, allowed_cpus=allowed),)))
    assert f">{words}</b>" in page
    assert ("omp-live omp-w" in page) == bad
    assert ("omp-live omp-k" in page) != bad


def test_pools_that_cannot_crowd_are_not_blamed() -> None:
    taken = snapshot(
        pools=(
            a_pool("pyarrow I/O", "pyarrow", 64, for_io=True),
            a_pool("torch", "torch", 64, lender="/x/libgomp.so"),
            a_pool("OpenBLAS (numpy)", BLAS, 4),
        )
    )
    assert ">4 threads for 4 CPUs, fine</b>" in live_html(PanelFacts(snapshot=taken))


def test_workers_together_are_too_many() -> None:
    child = Child(
        pid=7, command="x", forked=False, num_os_threads=9, pool_threads=4, runtimes=("a",)
    )
    taken = snapshot(pools=(a_pool("OpenBLAS (numpy)", BLAS, 4),), children=(child,) * 8)
    page = live_html(PanelFacts(snapshot=taken, ticks=(a_tick(),)))
    assert ">32 threads want 4 CPUs</b>" in page
    assert "the pools of 8 workers together" in page


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("cpus", "group_cpus", "throttled", "waiting", "num_threads", "rss_bytes", "owners")
    )
    gap = Gap(what="threads", why="permission denied")
    facts = crowded(ticks=(a_tick(**nothing, gaps=(gap,)),))
    text = visible(live_html(facts))
    assert "– of 4 CPUs waiting – – threads – MB" in text  # noqa: RUF001 - the view's own dash
    assert "OpenBLAS (numpy) 47 – – 48" in text  # noqa: RUF001 - the view's own dash
    assert "not known: threads: permission denied" in text
    assert "throttled" not in text
    quota = replace(facts.snapshot, budget=budget(affinity=4, quota=2.5))
    assert "throttled –" in visible(live_html(replace(facts, snapshot=quota)))  # noqa: RUF001 - the view's own dash


def test_no_owner_means_none_only_when_all_are_known() -> None:
    known = (OwnerTick(path="Python", alive=3, busy=1, cpus=1.0),)
    unsure = (*known, OwnerTick(path="unknown", alive=2, busy=2, cpus=1.0))
    sure = visible(live_html(crowded(ticks=(a_tick(owners=known),))))
    assert "OpenBLAS (numpy) 0 0 – 48" in sure  # noqa: RUF001 - as above
    text = visible(live_html(crowded(ticks=(a_tick(owners=unsure),))))
    assert "OpenBLAS (numpy) 47 – – 48" in text  # noqa: RUF001 - the view's own dash
    assert "not known 2 2 1.00" in text


def untitled(facts: PanelFacts) -> str:
    """Give the live part without what its words mean."""
    return re.sub(r' title="[^"]*"', "", live_html(facts))


def test_notable_shares_are_marked_and_said() -> None:
    page = untitled(crowded(ticks=(a_tick(throttled=0.41, waiting=0.74),)))
    assert '<li class="omp-warn">throttled <b>41%</b></li>' in page
    assert '<li class="omp-warn">waiting <b>74%</b></li>' in page
    # A share of next to nothing is not worth a colour.
    asleep = untitled(crowded(ticks=(a_tick(cpus=0.03, waiting=0.74),)))
    assert "<li>waiting <b>74%</b></li>" in asleep
    # Where nothing runs nothing waits.
    idle = (OwnerTick(path="Python", alive=3, busy=0, cpus=0.0),)
    assert "waiting <b>" not in untitled(crowded(ticks=(a_tick(owners=idle, cpus=0.0),)))
    calm = untitled(crowded(ticks=(a_tick(throttled=0.01, waiting=0.1),)))
    assert "<li>throttled <b>1%</b></li><li>waiting" in calm.replace("\n", "")
    shared = untitled(crowded(ticks=(a_tick(cpus=1.0, group_cpus=3.9),)))
    assert "others here <b>2.90</b>" in shared


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_stay_names_and_small(text: str) -> None:
    facts = hostile(text)
    live, found = live_html(facts), findings_html(facts)
    assert len(live.encode()) <= MOST_BYTES
    assert len(found.encode()) <= MOST_BYTES
    for page in (live, found, message_html(text), static_html(facts)):
        assert "<script" not in page
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
        tags = {element.tag for element in parsed(page).iter()}
        assert tags.isdisjoint({"script", "img", "iframe"})
        page.encode()
    for line in static_text(facts).split("\n"):
        # Words are not broken; a name without a blank is one.
        assert cell_len(line) <= 1200
        assert line.isprintable()
    assert "more, of" in live  # what is cut off is counted


def test_the_usual_panel_is_far_below_the_limit() -> None:
    assert len(live_html(crowded()).encode()) < 6000
    assert "<style" not in live_html(crowded())
    assert len(style_html().encode()) < 12_000


def test_the_live_part_has_no_live_region_and_the_others_do() -> None:
    page = live_html(crowded())
    assert 'role="status"' not in page
    assert "aria-live" not in page
    assert parsed(told_html(crowded()))[0].attrib["role"] == "status"
    assert "OMP201" in told_html(crowded())
    said = parsed(message_html("applies after this cell"))[0]
    assert said.attrib["role"] == "status"
    assert said.text == "applies after this cell"
    assert parsed(message_html(""))[0].attrib["role"] == "status"


def test_findings_are_elements_with_their_code() -> None:
    facts = crowded()
    codes = [finding.code for finding in facts.snapshot.findings]
    assert codes
    root = parsed(findings_html(facts))
    rows = [each for each in root.iter("div") if "omp-f" in each.get("class", "").split()]
    assert [row.get("data-code") for row in rows] == codes
    assert "%omp_limit auto" in findings_html(facts)
    none = replace(facts, snapshot=facts.snapshot.with_findings(()))
    assert "No problem found in 2 runtimes" in visible(findings_html(none))
    assert "No problem found in 2 runtimes" in visible(none_html(none))
    assert "data-code" not in findings_html(none)


def test_a_code_and_a_source_are_links() -> None:
    finding = replace(a_finding(), source="https://x.org/kmp.cpp (start) and https://y.org")
    page = parsed(findings_html(PanelFacts(snapshot=snapshot(findings=(finding,)))))
    links = [each.attrib for each in page.iter("a")]
    assert [each["href"] for each in links] == [page_of("OMP101"), "https://x.org/kmp.cpp"]
    assert all(each["rel"] == "noopener" for each in links)
    # No address is made of what is no code, and none of another scheme.
    assert page_of('"><script>').endswith("/findings/README.md")
    assert url_in("javascript:alert(1) http://x") == ""


def a_finding(*remedies: str, severity: str = "error", title: str = "t") -> Finding:
    return Finding(code="OMP101", severity=severity, title=title, why="w", remedies=remedies)


def parts(*findings: Finding) -> tuple[FindingParts, ...]:
    return parts_of(PanelFacts(snapshot=snapshot(findings=findings)))


def test_a_limit_and_a_mode_of_the_guard_can_be_pressed() -> None:
    lines = ("One: %omp_limit 2", "Two: %omp_guard raise", "Three: %%omp_limit 2", "Four: import x")
    found = [
        remedy.action
        for first in range(0, 4, 2)
        for each in parts(a_finding(*lines[first : first + 2]))
        for remedy in each.remedies
    ]
    assert found == ["%omp_limit 2", "%omp_guard raise", "", ""]


def test_what_the_verdict_says_is_not_said_again() -> None:
    error, note = a_finding(title="It dies"), a_finding(severity="info", title="By the way")
    first, second = parts(error, note)
    assert "It dies" not in first.head
    assert "w" in visible(first.head)
    assert "By the way" in second.head
    # A note costs one line until it is unfolded.
    (third,) = parts(a_finding("Do: %omp_limit 2", severity="info", title="By the way"))
    assert third.remedies == ()
    assert "%omp_limit 2" in third.details


def test_what_is_to_be_run_is_whole_or_not_there() -> None:
    runs = ("Short: %omp_limit auto", f"Long: {'x' * 2000}")
    finding = Finding(code="OMP101", severity="error", title="t", why="w", remedies=runs)
    page = findings_html(PanelFacts(snapshot=snapshot(findings=(finding,))))
    assert "<code>%omp_limit auto</code>" in page
    assert "xxx" not in page
    assert "<code>%omp_explain OMP101</code>" in page


def test_tables_and_pictures_have_names() -> None:
    ticks = (a_tick(children=(ChildTick(pid=7, command="sleep", num_os_threads=1, cpus=0.0),)),)
    root = parsed(live_html(crowded(ticks=ticks)))
    tables = list(root.iter("table"))
    assert len(tables) == 2
    for table in tables:
        assert table.find("caption") is not None
        assert {th.get("scope") for th in table.iter("th")} == {"row", "col"}
    pictures = [each for each in root.iter("svg") if each.get("role") == "img"]
    assert len(pictures) == 3  # the chart, and two pools with threads of their own
    assert all(picture.get("aria-label") for picture in pictures)
    assert pictures[1].get("aria-label") == "set to 48, 46 busy, 47 alive"


def folded_rows(facts: PanelFacts) -> list[str]:
    return re.findall(r'omp-fold[^"]*"><th[^>]*><bdi>([^<]*)', live_html(facts))


def test_a_pool_is_one_row_and_what_is_idle_is_folded_away() -> None:
    own = "/env/numexpr/interpreter.so"
    names = [f"pool {number}" for number in range(10)]
    taken = snapshot(
        pools=(
            a_pool("OpenBLAS (numpy)", BLAS, 4),
            a_pool("numexpr", "numexpr", 2, api="python", family="numexpr"),
            *(a_pool(name, f"/env/{name}.so", 2) for name in names),
        ),
        thread_owners=(ThreadOwner(path=own, package="numexpr", num_threads=2),),
    )
    owners = (
        OwnerTick(path=BLAS, alive=3, busy=3, cpus=2.9),
        OwnerTick(path=own, alive=2, busy=1, cpus=0.1),
        OwnerTick(path="Python", alive=9, busy=0, cpus=0.0),
    )
    facts = PanelFacts(snapshot=taken, ticks=(a_tick(owners=owners),))
    page = visible(live_html(facts))
    assert "OpenBLAS (numpy) 3 3 2.90 4" in page
    assert "numexpr 2 1 0.10 2" in page
    assert "interpreter" not in page  # its threads stand in its pool's row
    assert set(folded_rows(facts)) == {*names[1:], "Python"}
    assert "10 more, none of them busy" in fold_html(facts)


def test_rows_keep_their_places_until_they_are_arranged_again() -> None:
    taken = snapshot(pools=tuple(a_pool(f"p{n}", f"/p{n}", 2) for n in range(9)))
    order, shown = arranged(PanelFacts(snapshot=taken, ticks=(a_tick(owners=()),)))
    assert [row.name for row in rows_of(PanelFacts(snapshot=taken, order=order))] == [
        f"p{n}" for n in range(9)
    ]
    busy = (OwnerTick(path="/p7", alive=1, busy=1, cpus=1.0),)
    now = PanelFacts(snapshot=taken, ticks=(a_tick(owners=busy),), order=order, shown=shown)
    assert [row.key for row in rows_of(now)] == list(order)
    assert newly_busy(now, shown) == {"/p7|p7"}
    again, unfolded = arranged(replace(now, order=(), shown=None))
    assert again[0] == "/p7|p7"
    assert "/p7|p7" in unfolded


def test_it_says_since_when_there_was_no_look() -> None:
    page = live_html(crowded(interval_s=0.5))
    assert "omp-ticking" in page
    assert "--late:1000ms" in page
    # Grey when a tick is a second overdue, however seldom one is due.
    assert "--late:6000ms" in live_html(crowded(interval_s=5.0))
    assert re.search(r'animation-delay:1500ms">no look since \d\d:\d\d:\d\d<', page)
    for still in (crowded(paused=True), crowded(threaded=False), crowded(saved=True)):
        assert "omp-ticking" not in live_html(still)
        assert "no look since" not in live_html(still)
    assert "This kernel has ended" in page
    assert "This kernel has ended" not in live_html(crowded(saved=True))


def test_what_is_saved_has_its_curve_where_drawings_are_taken_out() -> None:
    assert re.search(r'class="omp-plain">[▁-█ ]*[▁-█] CPUs used in', live_html(crowded(saved=True)))
    assert "omp-plain" not in live_html(crowded())
    assert re.search(r":is\([^)]*\.omp-plain\)\{display:none\}", style_html())


def test_pictures_need_no_style() -> None:
    # A paint that is only var(--x) is no paint at all where the style was stripped.
    paints = re.findall(r'(?:stroke|fill)="(var[^"]*)"', live_html(crowded()))
    assert paints
    for paint in paints:
        assert re.fullmatch(r"var\(--\w+,#\w+\)", paint), paint


@pytest.mark.parametrize("count", [0, 1, 2, 3, 240])
def test_the_chart_of_few_and_many_ticks(count: int) -> None:
    ticks = tuple(a_tick(number, interval_s=0.5, at_s=1000 + number / 2) for number in range(count))
    svg = cpu_chart(ticks, 4.0)
    outer = parsed(svg)[0]
    assert outer.get("role") == "img"
    assert len(svg.encode()) <= MOST_CHART
    assert "4 CPUs allowed" in svg
    assert ("no sample yet" in svg) == (count == 0)
    area = next(path for path in outer.iter("path")).get("d") or ""
    assert bool(area) == (count > 0)
    if count == 1:
        # Half a second of two minutes: the last two of 480 units, and cut off at the right.
        assert area == "M478 129V65H489V129"


def test_the_words_of_the_chart_stay_apart_where_its_tags_are_stripped() -> None:
    def words(*ticks: Tick) -> list[str]:
        return re.sub(r"<[^>]*>", "", cpu_chart(ticks, 1.0)).split("\n")

    assert words() == ["1 CPU allowed", "no sample yet", "2 min ago", "now"]
    assert words(a_tick(throttled=0.5)) == ["4 CPUs allowed", "▬ throttled", "2 min ago", "now"]


@pytest.mark.parametrize("cpus", [0.6, 4.0, 64.0])
def test_no_curve_comes_to_where_the_words_stand(cpus: float) -> None:
    svg = parsed(cpu_chart((a_tick(cpus=cpus, allowed_cpus=0.5),), 0.5))[0]
    (words,) = (text for text in svg.iter("text") if text.text == "0.5 CPUs allowed")
    (plot,) = (each for each in svg if each.tag == "svg")
    high, view = float(plot.attrib["height"]), float(plot.attrib["viewBox"].split()[3])
    levels = [float(y) for path in plot.iter("path") for y in levels_of(path.attrib["d"])]
    assert min(levels) * high / view >= float(words.attrib["y"]) + 4


def levels_of(path: str) -> list[str]:
    """Give the heights of a path of M, H and V."""
    return re.findall(r"(?:M\d+ |V)(\d+)", path)


@pytest.mark.parametrize(
    ("cpus", "words"), [(1.0, "1 CPU"), (8 / 3, "2.67 CPUs"), (1024.0, "1024 CPUs")]
)
def test_cpus_in_words(cpus: float, words: str) -> None:
    assert f">{words} allowed</text>" in cpu_chart((a_tick(allowed_cpus=cpus),), cpus)


def test_the_chart_of_the_worst_history_is_small() -> None:
    ticks = tuple(
        a_tick(
            number,
            interval_s=0.5,
            at_s=1000 + number / 2,
            cpus=number * 7919 % 977 / 10,
            allowed_cpus=1 + number * 104_729 % 991 / 10,
            throttled=float(number % 2),
        )
        for number in range(240)
    )
    svg = cpu_chart(ticks, 4.0)
    assert len(svg.encode()) <= MOST_CHART
    assert "</tspan> throttled</text>" in svg
    parsed(svg)


def test_missing_values_and_pauses_leave_blanks() -> None:
    ticks = [a_tick(number, cpus=None if number in (5, 6) else 1.0) for number in range(1, 11)]
    ticks += [a_tick(number, cpus=1.0) for number in range(30, 41)]
    area = parsed(cpu_chart(ticks, 4.0))[0].find(".//path")
    assert area is not None
    assert (area.get("d") or "").count("M") == 3


def test_the_scale_is_the_larger_of_used_and_allowed() -> None:
    def levels(cpus: float, allowed: float) -> tuple[int, int]:
        tick = a_tick(cpus=cpus, group_cpus=None, allowed_cpus=allowed)
        svg = cpu_chart((tick,), allowed)
        area = re.search(r'd="M\d+ \d+V(\d+)', svg)
        line = re.search(r'd="M0 (\d+)H480" [^>]*dasharray', svg)
        assert area is not None
        assert line is not None
        return int(area[1]), int(line[1])

    assert levels(4.0, 4.0) == (32, 32)
    assert levels(2.0, 4.0) == (76, 32)
    assert levels(8.0, 4.0) == (32, 76)
    assert levels(0.0, 4.0) == (120, 32)


def test_what_others_use_is_a_band_behind() -> None:
    svg = cpu_chart(
        (a_tick(cpus=1.0, group_cpus=3.0, allowed_cpus=4.0),), 4.0, others=": pid 7 <x>"
    )
    band, area = (path.get("d") or "" for path in list(parsed(svg).iter("path"))[:2])
    assert band.startswith("M476 129V54")  # three of four CPUs
    assert area.startswith("M476 129V98")  # one of them
    assert "others here: pid 7 &lt;x&gt;" in svg
    assert "others here use 2.00" in svg
    child = ChildTick(pid=7, command="worker", num_os_threads=1, cpus=2.0)
    ours = a_tick(cpus=1.0, group_cpus=3.0, allowed_cpus=4.0, children=(child,))
    assert "others here" not in cpu_chart((ours,), 4.0)


def test_the_line_follows_what_is_allowed() -> None:
    ticks = tuple(a_tick(n, cpus=1.0, allowed_cpus=4.0 if n <= 60 else 2.0) for n in range(1, 121))
    line = re.search(r'd="(M0 [^"]*)" stroke="[^"]*" stroke-dasharray', cpu_chart(ticks, 9.0))
    assert line is not None
    assert line[1] == "M0 32H240V76H480"
    assert "2 CPUs allowed" in cpu_chart(ticks, 9.0)


def test_odd_clocks_and_numbers_do_not_break_the_chart() -> None:
    odd = (
        (a_tick(1, at_s=5000.0), a_tick(2, at_s=10.0)),  # the clock was set back
        (a_tick(1, interval_s=0.0, cpus=None),),
        (a_tick(1, cpus=math.nan), a_tick(2, cpus=math.inf)),
        (a_tick(1, cpus=0.0, allowed_cpus=0.0),),
        (a_tick(1, interval_s=1e9),),
    )
    for ticks in odd:
        svg = cpu_chart(ticks, 4.0)
        parsed(svg)
        assert "nan" not in svg
        assert "inf" not in svg
        live_html(crowded(ticks=ticks))
        static_text(crowded(ticks=ticks))


def test_the_chart_in_words() -> None:
    ticks = tuple(
        a_tick(n, cpus=4.0 if n > 80 else 1.0, throttled=0.5 if n > 100 else 0.0)
        for n in range(1, 121)
    )
    words = (
        "CPUs used in the last 2 min: now 4.00, at most 4.00; 4 CPUs allowed; "
        "at the limit for 40 s; throttled in 20 s of them"
    )
    assert chart_words(ticks, 9.0) == words
    assert f'aria-label="{words}"' in cpu_chart(ticks, 9.0)
    assert "not known yet; 9 CPUs allowed" in chart_words((), 9.0)


def test_the_sparkline() -> None:
    ticks = tuple(a_tick(n, cpus=4.0 if n > 2 else 0.0) for n in range(1, 5))
    assert sparkline(ticks, window_s=4.0, columns=4) == "▁▁██"
    assert sparkline(()) == ""
    assert sparkline((a_tick(cpus=None),)) == ""


def test_squares() -> None:
    svg = squares(48, 47, 46, full=48, allowed=4.0, label='"x"')
    starts = re.findall(r'd="M([\d.]+) 6h([\d.]+)" stroke="var\(--(\w+)', svg)
    assert starts == [("0", "20", "brand"), ("20", "210", "warn"), ("230", "5", "idle")]
    assert 'stroke-dasharray="4 1"' in svg
    assert "M19.5 0v12" in svg  # the line after four squares
    assert "&#34;x&#34;" in svg
    assert len(squares(10**6, 10**6, 10**6, full=10**6, allowed=4.0, label="").encode()) < 1024
    assert "v12" not in squares(2, 1, 0, full=8, allowed=8.0, label="")
    parsed(squares(3, None, None, full=8, allowed=2.5, label=""))


def test_the_first_tick_is_seen_however_short_it_was() -> None:
    for window_s in (120.0, 240.0):
        svg = cpu_chart((a_tick(interval_s=0.1),), 4.0, window_s=window_s)
        assert "no sample yet" not in svg
        assert 'd="M478 ' in svg
    assert "no sample yet" in cpu_chart((a_tick(interval_s=0.0, cpus=None),), 4.0)


def test_all_threads_that_are_alive_show() -> None:
    owners = (OwnerTick(path=BLAS, alive=63, busy=0, cpus=0.0),)
    taken = snapshot(
        libraries=(library("openblas", path=BLAS, num_threads=1, workers=63),),
        pools=(a_pool("OpenBLAS (numpy)", BLAS, 1),),
    )
    ticks = (a_tick(owners=owners, allowed_cpus=2.0),)
    page = live_html(PanelFacts(snapshot=taken, ticks=ticks))
    assert squares(1, 63, 0, full=63, allowed=2.0, label="set to 1, 0 busy, 63 alive") in page


def test_a_long_name_keeps_its_package() -> None:
    path = "/x/interpreter.so"
    long = "interpreter.cpython-311-x86_64-linux-gnu.so (numexpr)"
    owners = (OwnerTick(path=path, alive=2, busy=0, cpus=0.0),)
    page = live_html(crowded(ticks=(a_tick(owners=owners),), labels={path: long}))
    (name,) = re.findall(r"<bdi>(interpreter[^<]*)</bdi>", page)
    assert re.fullmatch(r"interpreter\.cpy\S*…\S*gnu\.so \(numexpr\)", name)
    assert len(name) == 48
    assert pool_label(a_pool(f"x ({'y' * 99})", BLAS, 4)).startswith("x (yyy")


def test_without_a_thread_it_looks_after_each_cell() -> None:
    facts = PanelFacts(snapshot=snapshot(), cell="idle", threaded=False)
    assert "after each cell · idle" in static_text(facts)


def test_the_snapshot_stands_alone() -> None:
    facts = crowded(message="applies after this cell", guard="raise", saved=True)
    page = static_html(facts)
    assert page.count("<style>") == 2
    text = visible(page)
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_760_000_060))
    assert f"Snapshot of {moment}" in text
    assert "Guard: raise. applies after this cell." in text
    assert "OMP201" in text
    assert "Live" not in text
    assert "Live" not in visible(static_html(PanelFacts(snapshot=snapshot(), saved=True)))
    assert f"Snapshot of {moment}" in static_text(facts)
    # Its twin, which shows the widgets, is told from other panels' by a name of its own.
    assert "omp-saved-1a2b" in static_html(facts, "1a2b")
    assert ".omp-saved-1a2b{display:none}" in style_html("1a2b")


def test_the_text_is_complete() -> None:
    ticks = (
        a_tick(
            throttled=0.41,
            gaps=(Gap(what="children", why="12 more"),),
            children=(ChildTick(pid=7001, command="python w.py", num_os_threads=5, cpus=0.98),),
        ),
    )
    facts = crowded(ticks=ticks, guard="warn", message="applies after this cell")
    limit = Limit(spec="2", set_by="%omp_limit 2", undo="%omp_limit off")
    facts = replace(facts, snapshot=replace(facts.snapshot, limits=(limit,)))
    text = " ".join(static_text(facts).split())
    for words in (
        "cell [14] running 12 s",
        "2.48 of 4 CPUs · throttled 41% · waiting 74% · 50 threads · 812 MB",
        "OpenBLAS (numpy) 47 46 2.40 48",
        "Python 3 1 0.08",
        "7001 python w.py 5 0.98",
        "limit 2, set by %omp_limit 2; back with %omp_limit off",
        "OMP201",
        "%omp_limit auto",
        "not known: children: 12 more",
        "applies after this cell · guard warn",
    ):
        assert words in text, words
    assert "No OpenMP or BLAS runtime is loaded yet" in static_text(PanelFacts(snapshot=snapshot()))


def test_a_paused_panel_says_so() -> None:
    page = live_html(crowded(paused=True))
    assert "paused · cell [14] running 12 s" in visible(page)
    assert ">paused</text>" in page
    assert ">now</text>" not in page


def test_the_label_of_a_control_is_the_name_in_the_table() -> None:
    long = a_pool("x" * 10_000, BLAS, 4)
    assert f"<bdi>{pool_label(long)}</bdi>" in live_html(
        PanelFacts(snapshot=snapshot(pools=(long,)))
    )
    assert len(pool_label(long)) == 48


def test_what_the_last_ticks_tell_is_worse_than_an_older_look() -> None:
    taken = snapshot(pools=(a_pool("OpenBLAS (numpy)", BLAS, 4),))
    alone = tuple(a_tick(n, cpus=2.0, group_cpus=2.0, waiting=0.5, owners=()) for n in range(1, 4))
    shared = tuple(a_tick(n, cpus=0.9, group_cpus=4.0, waiting=0.5, owners=()) for n in range(1, 4))
    assert "4 threads for 4 CPUs, fine" in visible(live_html(PanelFacts(snapshot=taken)))
    text = "Ready to run, and waiting 50% of the time"
    assert text in visible(live_html(PanelFacts(snapshot=taken, ticks=alone)))
    text = "You get 0.9 of 4 CPUs: others here use 3.1"
    assert text in visible(live_html(PanelFacts(snapshot=taken, ticks=shared)))
    assert text in static_text(PanelFacts(snapshot=taken, ticks=shared))
    # One tick may be chance.
    for few in (alone[:2], (*alone[:2], a_tick(3, cpus=2.0, waiting=0.1, owners=()))):
        assert "fine" in visible(live_html(PanelFacts(snapshot=taken, ticks=few)))


def test_what_a_dead_kernel_said_last_stays() -> None:
    page = live_html(crowded())
    assert "It said last: <b>48 threads want 4 CPUs</b>" in page
    assert "It said last" not in live_html(PanelFacts(snapshot=snapshot()))
