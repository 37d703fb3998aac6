"""The live panel of made-up facts: words, sizes, escaping, and pictures that say so in words."""

from __future__ import annotations

import html
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from facts_for_tests import budget, library, pool, snapshot
from rich.cells import cell_len

from omp_magic.facts.libraries import Finding, Gap, Limit, Pool
from omp_magic.facts.processes import Child
from omp_magic.facts.ticks import ChildTick, OwnerTick, Tick
from omp_magic.rules import judge
from omp_magic.views.panel.chart import MOST_BYTES as MOST_CHART
from omp_magic.views.panel.chart import chart_words, cpu_chart, sparkline
from omp_magic.views.panel.html import (
    MOST_BYTES,
    PanelFacts,
    findings_html,
    live_html,
    message_html,
    pool_label,
    static_html,
    static_text,
    style_html,
)
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
    assert '<b class="omp-warn">48 threads want 4 CPUs</b>' in page
    for words in (
        "OpenBLAS (numpy) has 48, 2 pools have 52 together",
        "cell [14] running 12 s · every 1 s",
        "2.48 of 4 CPUs",
        "waiting 74%",
        "50 threads",
        "812 MB",
        "OpenBLAS (numpy) 48 47 46",
        "torch intra-op uses Intel libiomp5 (mkl) 4",
        "OpenBLAS (numpy) 47 46 2.40",
        "1 warning",
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
        ((4,), (), 4.0, "4 threads for 4 CPUs", False),
        ((3,), (), 2.5, "3 threads for 2.5 CPUs", False),
        ((4,), (), 2.5, "4 threads want 2.5 CPUs", True),
        ((2,), (), 1.0, "2 threads want 1 CPU", True),
        ((2, 2), (3, 2), 4.0, "5 busy threads share 4 CPUs", True),
        ((2, 2), (2, 2), 4.0, "2 threads for 4 CPUs", False),
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
    assert ('<b class="omp-warn">' in page) == bad


def test_pools_that_cannot_crowd_are_not_blamed() -> None:
    taken = snapshot(
        pools=(
            a_pool("pyarrow I/O", "pyarrow", 64, for_io=True),
            a_pool("torch", "torch", 64, lender="/x/libgomp.so"),
            a_pool("OpenBLAS (numpy)", BLAS, 4),
        )
    )
    assert ">4 threads for 4 CPUs</b>" in live_html(PanelFacts(snapshot=taken))


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
    assert "OpenBLAS (numpy) 48 47 –" in text  # noqa: RUF001 - the view's own dash
    assert "not known: threads: permission denied" in text
    assert "throttled" not in text
    quota = replace(facts.snapshot, budget=budget(affinity=4, quota=2.5))
    assert "throttled –" in visible(live_html(replace(facts, snapshot=quota)))  # noqa: RUF001 - the view's own dash


def test_no_owner_means_none_only_when_all_are_known() -> None:
    known = (OwnerTick(path="Python", alive=3, busy=1, cpus=1.0),)
    unsure = (*known, OwnerTick(path="unknown", alive=2, busy=2, cpus=1.0))
    sure = visible(live_html(crowded(ticks=(a_tick(owners=known),))))
    assert "OpenBLAS (numpy) 48 0 0" in sure
    text = visible(live_html(crowded(ticks=(a_tick(owners=unsure),))))
    assert "OpenBLAS (numpy) 48 47 –" in text  # noqa: RUF001 - the view's own dash
    assert "not known 2 2 1.00" in text


def test_notable_shares_are_marked_and_said() -> None:
    page = live_html(crowded(ticks=(a_tick(throttled=0.41, waiting=0.74),)))
    assert '<li class="omp-warn">throttled <b>41%</b></li>' in page
    assert '<li class="omp-warn">waiting <b>74%</b></li>' in page
    # A share of next to nothing is not worth a colour.
    asleep = live_html(crowded(ticks=(a_tick(cpus=0.03, waiting=0.74),)))
    assert "<li>waiting <b>74%</b></li>" in asleep
    calm = live_html(crowded(ticks=(a_tick(throttled=0.01, waiting=0.1),)))
    assert "<li>throttled <b>1%</b></li><li>waiting" in calm.replace("\n", "")
    shared = live_html(crowded(ticks=(a_tick(cpus=1.0, group_cpus=3.9),)))
    assert "its cgroup <b>3.90</b>" in shared


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
        assert tags.isdisjoint({"script", "img", "iframe", "a"})
        page.encode()
    for line in static_text(facts).split("\n"):
        assert cell_len(line) <= 100
        assert line.isprintable()
    assert "more, of" in live  # what is cut off is counted


def test_the_usual_panel_is_far_below_the_limit() -> None:
    assert len(live_html(crowded()).encode()) < 6000
    assert "<style" not in live_html(crowded())
    assert len(style_html().encode()) < 8000


def test_the_live_part_has_no_live_region_and_the_others_do() -> None:
    page = live_html(crowded())
    assert 'role="status"' not in page
    assert "aria-live" not in page
    found = parsed(findings_html(crowded())).find(".//section")
    assert found is not None
    assert found.attrib["role"] == "status"
    assert "omp-findings" in found.attrib["class"].split()
    assert "aria-live" not in found.attrib
    # Other figures in the same findings are shown, and not read out again.
    again = findings_html(crowded(), quiet=True)
    assert again.replace(' aria-live="off"', "") == findings_html(crowded())
    figures = parsed(again).find(".//section")
    assert figures is not None
    assert figures.attrib["aria-live"] == "off"
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
    assert "Nothing found in 2 runtimes" in visible(findings_html(none))
    assert "data-code" not in findings_html(none)
    assert "no finding" in visible(live_html(none))


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
    assert len(tables) == 3
    for table in tables:
        assert table.find("caption") is not None
        assert {th.get("scope") for th in table.iter("th")} == {"row", "col"}
    pictures = [each for each in root.iter("svg") if each.get("role") == "img"]
    assert len(pictures) == 3  # the chart, and two pools with threads of their own
    assert all(picture.get("aria-label") for picture in pictures)
    assert pictures[1].get("aria-label") == "set to 48, 46 busy, 47 alive"


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
        assert area == "M478 161V78H489V161"


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
        svg = cpu_chart((a_tick(cpus=cpus, allowed_cpus=allowed),), allowed)
        area = re.search(r'd="M\d+ \d+V(\d+)', svg)
        line = re.search(r'd="M0 (\d+)H480" [^>]*dasharray', svg)
        assert area is not None
        assert line is not None
        return int(area[1]), int(line[1])

    assert levels(4.0, 4.0) == (32, 32)
    assert levels(2.0, 4.0) == (92, 32)
    assert levels(8.0, 4.0) == (32, 92)
    assert levels(0.0, 4.0) == (152, 32)


def test_the_line_follows_what_is_allowed() -> None:
    ticks = tuple(a_tick(n, cpus=1.0, allowed_cpus=4.0 if n <= 60 else 2.0) for n in range(1, 121))
    line = re.search(r'd="(M0 [^"]*)" stroke="[^"]*" stroke-dasharray', cpu_chart(ticks, 9.0))
    assert line is not None
    assert line[1] == "M0 32H240V92H480"
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
    assert "idle · after each cell" in static_text(facts)


def test_the_snapshot_stands_alone() -> None:
    facts = crowded(message="applies after this cell", guard="raise")
    page = static_html(facts)
    assert page.count("<style>") == 2
    text = visible(page)
    assert "A snapshot of 2025-10-09 08:54:20 UTC" in text
    assert "Guard: raise. applies after this cell." in text
    assert "OMP201" in text
    assert "Live" in visible(static_html(PanelFacts(snapshot=snapshot())))


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
        "OpenBLAS (numpy) 48 47 46",
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
    assert "cell [14] running 12 s · paused" in visible(page)
    assert ">paused</text>" in page
    assert ">now</text>" not in page


def test_the_label_of_a_control_is_the_name_in_the_table() -> None:
    long = a_pool("x" * 10_000, BLAS, 4)
    assert f"<bdi>{pool_label(long)}</bdi>" in live_html(
        PanelFacts(snapshot=snapshot(pools=(long,)))
    )
    assert len(pool_label(long)) == 48
