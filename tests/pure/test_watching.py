"""What was used together: sizes as people write them, what is added up, and every view of it."""

from __future__ import annotations

import json
import math
import pickle
import re
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omp_magic.errors import RequestError
from omp_magic.facts.libraries import Gap
from omp_magic.facts.looks import Course, Exceeded, Look, joined
from omp_magic.facts.memory import MemoryBound, bytes_words
from omp_magic.formats.sizes import parse_size
from omp_magic.probes.live.kincpu import KinCpu
from omp_magic.probes.live.purse import SHARE, Purse
from omp_magic.views.course import judged_course, render_card, render_course
from omp_magic.views.course_chart import MOST_BYTES, chart_words, course_chart
from omp_magic.views.course_frame import course_figure, course_frame
from omp_magic.views.drawing import Drawing
from omp_magic.views.watched import Watched
from omp_magic.views.words import DASH

LIMIT = MemoryBound(
    source="cgroup v2",
    limit_bytes=2_000_000_000,
    where="/kubepods/pod7",
    detail="memory.max 2000000000",
)


def look(at_s: float = 0.1, **values: object) -> Look:
    """Give a look, other than this one where something is said."""
    usual = Look(
        at_s=at_s,
        interval_s=0.1,
        threads=4,
        processes=2,
        rss_bytes=300_000_000,
        pss_bytes=200_000_000,
        cpus=1.5,
        throttled_s=None,
    )
    return replace(usual, **values)  # type: ignore[arg-type]  # a test's own


def course(**values: object) -> Course:
    """Give a course, other than this one where something is said."""
    usual = Course(
        started_at=1.7e9,
        wall_s=2.0,
        running=False,
        looks=tuple(look(n / 10) for n in range(1, 21)),
        taken=20,
        allowed_cpus=2.0,
        limit=LIMIT,
        peak_threads=4,
        peak_processes=2,
        processes_seen=2,
        peak_rss_bytes=300_000_000,
        peak_pss_bytes=200_000_000,
        own_peak_rss_bytes=None,
        cpu_s=3.0,
        children_cpu_s=2.0,
        throttled_s=None,
        throttled_periods=None,
        exceeded=None,
        looking_s=0.01,
    )
    return replace(usual, **values)  # type: ignore[arg-type]  # a test's own


PASSED = Exceeded(
    at_s=1.0,
    used_bytes=1_900_000_000,
    shared=True,
    threshold_bytes=1_800_000_000,
    asked=False,
    processes=3,
    pid=77,
    command="/usr/bin/python train.py --x",
    holds_bytes=900_000_000,
    limit=LIMIT,
)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("500MB", 500_000_000),
        ("2GiB", 2 << 30),
        ("2Gi", 2 << 30),
        ("1.5G", 3 << 29),
        ("512m", 512 << 20),
        ("1 kB", 1000),
        ("1048576", 1048576),
        ("10B", 10),
        (" 8gb ", 8_000_000_000),
        ("0.5KiB", 512),
        ("1.0005kB", 1000),
    ],
)
def test_sizes_as_people_write_them(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    ["", "0", "0GB", "-1", "1.5", "1e9", "1_000", "GB", "5XB", "5 i", "5ib", "2 G B", "2GBs", "٣GB",
     "99999999P", "1.GB", ".5GB", "inf", "0.0001B", "5MB\n6", "5\tMB", "1" * 40],
)  # fmt: skip
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_size(text)
    told = str(caught.value)
    assert "\n" not in told
    assert "accepted: a size such as 500MB, 2GiB" in told
    assert "example: %%omp_watch --memory 8GB" in told


def assert_one_line(text: str) -> None:
    assert text.isprintable()


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_size_or_one_line(text: str) -> None:
    try:
        size_bytes = parse_size(text)
    except RequestError as error:
        assert_one_line(str(error))
    else:
        assert 1 <= size_bytes < 2**63


@settings(deadline=None)
@given(st.integers(1, 10**6), st.sampled_from("kMGT"))
def test_units_of_1000_and_of_1024(number: int, letter: str) -> None:
    power = "kMGT".index(letter) + 1
    assert parse_size(f"{number}{letter}B") == number * 1000**power
    assert parse_size(f"{number}{letter}iB") == number * 1024**power
    assert parse_size(f"{number}{letter}") == parse_size(f"{number}{letter.lower()}i")


@settings(deadline=None)
@given(st.integers(0, 10**18))
def test_a_size_in_words_is_near(size_bytes: int) -> None:
    number, unit = bytes_words(size_bytes).split(" ")
    unit = "bytes" if unit == "byte" else unit
    power = ("bytes", "kB", "MB", "GB", "TB", "PB").index(unit)
    assert math.isclose(float(number) * 1000**power, size_bytes, rel_tol=0.006)
    assert float(number) < 1000 or unit == "PB"


def test_two_looks_as_one() -> None:
    both = joined(
        look(0.1, cpus=1.0, interval_s=0.1, rss_bytes=5, pss_bytes=None, throttled_s=0.5),
        look(0.4, cpus=2.0, interval_s=0.3, rss_bytes=4, pss_bytes=3, throttled_s=None),
    )
    assert both == look(
        0.4, interval_s=0.4, cpus=pytest.approx(1.75), rss_bytes=5, pss_bytes=3, throttled_s=0.5
    )
    assert joined(look(cpus=None), look(cpus=1.0)).cpus == 1.0
    assert joined(look(threads=None), look(threads=None)).threads is None


def test_cpu_time_of_children_that_come_and_go() -> None:
    kin = KinCpu(reaped_s=10.0)
    kin.note({(1, 1): 5.0}, 10.0)  # it was there before
    assert (kin.met, kin.total_s) == (1, 0.0)
    kin.note({(1, 1): 5.5, (2, 2): 0.25}, 10.0)
    assert (kin.met, kin.total_s) == (2, 0.75)
    # 2 was seen at 0.25 and had used 1.0 when it was waited for; 3 was never seen.
    kin.note({(1, 1): 5.5}, 11.0)
    assert kin.total_s == pytest.approx(1.5)
    kin.note({(1, 1): 5.5}, 13.0)
    assert kin.total_s == pytest.approx(3.5)
    # 1 ends with all of its life, of which 5.0 were before; not waited for at first.
    kin.note({}, 13.0)
    assert kin.total_s == pytest.approx(3.5)
    kin.note({}, 18.75)
    assert kin.total_s == pytest.approx(3.75)
    kin.note({(1, 9): 0.5}, 18.75)  # another of that pid
    assert kin.met == 3
    assert kin.total_s == pytest.approx(4.25)


def test_a_child_that_a_look_missed_is_not_counted_twice() -> None:
    kin = KinCpu(0.0)
    kin.note({}, 0.0)
    kin.note({(1, 1): 3.0}, 0.0)
    kin.note({}, 0.0)
    kin.note({(1, 1): 4.0}, 0.0)
    assert (kin.met, kin.total_s) == (1, 4.0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.dictionaries(st.tuples(st.integers(1, 4), st.just(0)), st.floats(0, 9))),
        min_size=1,
    )
)
def test_cpu_time_never_goes_back(looks: list[tuple[dict[tuple[int, int], float]]]) -> None:
    kin, before = KinCpu(None), 0.0
    for (clocks,) in looks:
        kin.note(clocks, None)
        assert kin.total_s >= before
        before = kin.total_s


@settings(deadline=None)
@given(st.floats(0.001, 0.5), st.integers(1, 10**10))
def test_the_purse_keeps_to_its_share(cost_s: float, size: int) -> None:
    purse, paid_s = Purse(0.0), 0.0
    for step in range(2000):
        if purse.may(step / 10, size):
            purse.pay(step / 10, size, cost_s)
            paid_s += cost_s
    assert cost_s <= paid_s <= SHARE * 200 + 2 * cost_s + 0.11


def test_the_line_says_memory_first() -> None:
    assert render_course(course()) == (
        "omp_watch: memory at most 200 MB (200 MB before) of 2 GB (10%), RSS 300 MB with shared "
        "pages in each process · 1.50 of 2 CPUs busy for 2.00 s · at most 2 processes with 4 "
        "threads (+0)"
    )
    text = render_course(
        course(
            running=True,
            peak_pss_bytes=None,
            limit=None,
            throttled_s=0.5,
            processes_seen=9,
            gaps=(Gap(what="shares of memory", why="no\nline"), Gap(what="x", why="y")),
        )
    )
    first, *gaps = text.split("\n")
    assert first == (
        "omp_watch (so far): memory at most 300 MB (300 MB before), shared pages in each process "
        "· 1.50 of 2 CPUs busy for 2.00 s · at most 2 processes with 4 threads (+0), 9 processes "
        "in all · throttled 500.0 ms"
    )
    assert gaps == [
        "  not known: shares of memory (no\\nline)",
        "  not known: x (y)",
    ]
    nothing = course(
        looks=(), peak_threads=None, peak_processes=None, processes_seen=None, peak_rss_bytes=None,
        peak_pss_bytes=None, cpu_s=None, children_cpu_s=None, limit=None,
    )  # fmt: skip
    assert render_course(nothing) == (
        f"omp_watch: memory at most {DASH} · {DASH} of 2 CPUs busy for 2.00 s · "
        f"at most {DASH} threads"
    )
    assert judged_course(nothing).text == "How much memory was used is not known"


def test_a_peak_that_no_look_met_is_told() -> None:
    text = render_course(course(own_peak_rss_bytes=900_000_000, peak_rss_bytes=900_000_000))
    assert ", 900 MB in this process between two looks · " in text
    text = render_course(course(own_peak_rss_bytes=301_000_000, peak_rss_bytes=301_000_000))
    assert "between two looks" not in text
    # Pages of libraries that other programs use, too, are no news.
    alone = course(peak_processes=1, own_peak_rss_bytes=None)
    assert "RSS" not in render_course(alone)


def test_the_verdict() -> None:
    assert judged_course(course()).tone == "fine"
    assert judged_course(course()).text == "At most 200 MB of 2 GB, 10%"
    near = judged_course(course(peak_pss_bytes=1_900_000_000, exceeded=PASSED))
    assert (near.text, near.tone) == ("At most 1.9 GB of 2 GB, 95%", "warning")
    assert near.more == "passed 1.8 GB after 1.00 s; the limit: memory.max of /kubepods/pod7"
    assert judged_course(course(throttled_s=0.5)).tone == "warning"
    assert judged_course(course(throttled_s=0.01)).tone == "fine"


def test_the_warning_is_one_line() -> None:
    assert PASSED.sentence == (
        "3 processes use 1.9 GB (PSS), 95% of the limit; pid 77 python train.py holds most, 900 MB"
        "; the limit is 2 GB (memory.max of /kubepods/pod7), where the kernel ends a process"
    )
    asked = replace(PASSED, asked=True, shared=False, processes=1, limit=None)
    assert asked.sentence == (
        "this process uses 1.9 GB (RSS: shared pages are counted in each process), more than the "
        "1.8 GB that were asked for; no limit of memory is known"
    )
    declared = replace(LIMIT, source="MEM_LIMIT", where="")
    assert replace(PASSED, pid=0, limit=declared).sentence.endswith(
        "; this process holds most, 900 MB; the limit is 2 GB (MEM_LIMIT)"
    )


HOSTILE = "<script>alert(1)</script>\x1b[31m\n\"'&"


def test_everything_shown_is_escaped() -> None:
    bound = replace(LIMIT, where=f"/{HOSTILE}", detail="memory.max 1")
    gap = Gap(what=HOSTILE, why=HOSTILE)
    hostile = course(
        limit=bound, gaps=(gap,), exceeded=replace(PASSED, limit=bound, command=HOSTILE)
    )
    html = render_card(hostile)
    assert "<script>" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html
    assert all(line.isprintable() for line in render_course(hostile).split("\n"))
    assert len(render_course(hostile).split("\n")) == 2


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            look,
            st.floats(0, 100),
            interval_s=st.floats(0, 3),
            rss_bytes=st.none() | st.integers(0, 1 << 45),
            pss_bytes=st.none() | st.integers(0, 1 << 45),
            cpus=st.none() | st.floats(0, 500),
            throttled_s=st.none() | st.floats(0, 9),
        ),
        max_size=30,
    )
)
def test_any_course_is_a_picture(looks: list[Look]) -> None:
    looks.sort(key=lambda each: each.at_s)
    svg = course_chart(course(looks=tuple(looks)))
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    for path in root.iter("path"):
        numbers = [int(number) for number in re.findall(r"-?\d+", path.get("d") or "")]
        assert all(0 <= number <= 480 for number in numbers)


@pytest.mark.parametrize("number", [0, 1, 2, 50, 5000])
def test_a_picture_stays_small(number: int) -> None:
    looks = tuple(
        look(
            n / 10,
            rss_bytes=3 * 10**9 + (n * 7919 % 1000) * 10**6,
            pss_bytes=10**9 + (n * 104729 % 1000) * 10**6,
            cpus=n * 31 % 40 / 10,
            throttled_s=n % 2 / 10,
        )
        for n in range(1, number + 1)
    )
    drawn = course_chart(course(looks=looks, wall_s=number / 10, peak_pss_bytes=1_990_000_000))
    assert len(drawn.encode()) <= MOST_BYTES
    assert ("▬" in drawn) == (number > 0)
    assert "var(--" in drawn


def test_the_words_of_the_picture() -> None:
    assert chart_words(course(throttled_s=0.5)) == (
        "Over 2.00 s, memory at most 200 MB (PSS) and 300 MB (RSS, summed), its limit 2 GB, "
        "CPUs at most 1.50 of 2 CPUs allowed; throttled 500.0 ms"
    )


def test_a_line_of_the_limit_only_where_it_is_near() -> None:
    far = course_chart(course()).count("stroke-dasharray")
    near = course_chart(course(peak_pss_bytes=1_500_000_000)).count("stroke-dasharray")
    assert (far, near) == (1, 2)


def test_the_table() -> None:
    frame = course_frame(course(looks=(look(0.0, cpus=None, pss_bytes=None), look(0.1))))
    assert list(frame.columns) == [
        *("at_s", "interval_s", "threads", "processes", "rss_bytes", "pss_bytes", "cpus"),
        "throttled_s",
    ]
    assert frame["pss_bytes"].isna().tolist() == [True, False]
    assert str(frame["rss_bytes"].dtype) == "Int64"
    assert frame["throttled_s"].isna().all()
    assert course_frame(course(looks=())).shape == (0, 8)


def test_a_figure_without_pyplot() -> None:
    pytest.importorskip("matplotlib")
    had = "matplotlib.pyplot" in sys.modules
    figure = course_figure(course(throttled_s=0.3, peak_pss_bytes=1_000_000_000))
    assert [axes.get_ylabel() for axes in figure.axes] == ["memory (GB)", "CPUs"]
    png: bytes = getattr(figure, "_repr_png_")()  # noqa: B009 - matplotlib knows no such name
    assert png.startswith(b"\x89PNG")
    assert ("matplotlib.pyplot" in sys.modules) == had
    assert course_figure(course(looks=())).axes


def test_a_drawing_where_there_is_no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    drawing = Watched.of(course()).plot()
    assert isinstance(drawing, Drawing)
    assert drawing.svg.startswith("<svg")
    assert str(drawing).startswith("Over 2.00 s, memory at most 200 MB")
    assert "<svg" in drawing._repr_mimebundle_()["text/html"]


def test_a_record_can_be_sent_and_saved() -> None:
    seen = Watched.of(course(exceeded=PASSED))
    again = pickle.loads(pickle.dumps(seen))
    assert again.course == seen.course
    assert str(again) == str(seen)
    assert json.dumps(again._repr_mimebundle_())
    assert again.peak_pss_bytes == 200_000_000
    assert again.busy_cpus == 1.5
    assert not again.running
