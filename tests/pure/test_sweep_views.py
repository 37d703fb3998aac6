"""What a sweep looks like: text, HTML, drawing, table."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from sweeping import swept, usl

from omp_magic.errors import LimitError, MissingRendererError
from omp_magic.facts.libraries import Gap
from omp_magic.facts.sweeps import Sweep
from omp_magic.sweeping import _apply
from omp_magic.sweeps.bars import bar
from omp_magic.sweeps.running import Progress
from omp_magic.views.renderers import sweep_actions
from omp_magic.views.sweep import between, fit_words
from omp_magic.views.sweep_chart import chart_of
from omp_magic.views.sweep_words import short_s
from omp_magic.views.words import DASH

NASTY = "<script>alert('x')</script>\x1b[31m\n"


@pytest.fixture(autouse=True)
def views() -> None:
    Sweep.actions.update(sweep_actions)


def html_of(sweep: Sweep) -> str:
    return str(sweep._repr_mimebundle_(include=["text/html"])["text/html"])


@pytest.fixture
def eight() -> Sweep:
    return swept(usl(0.06, 0.004), (1, 2, 3, 4, 6, 8, 12, 16))


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_text_is_no_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, eight: Sweep, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = str(eight).split("\n")
    assert max(map(len, lines)) <= int(columns)
    assert lines[0].startswith("✓ 12 threads: 5")
    assert lines[-1] == "  for this session: %omp_limit 12"


def test_one_run_that_counts_has_no_interval(eight: Sweep) -> None:
    point = eight.points[0]
    one = replace(point.runs[0], disturbed="")
    other = replace(one, disturbed="others used 1.00 CPUs, 0.00 in quieter runs")
    assert between(replace(point, runs=(one, other))) == DASH
    assert between(replace(point, runs=(other, other))) != DASH
    assert between(replace(point, runs=(one, one, other))) != DASH


def test_the_best_row_is_marked_in_text_and_html(eight: Sweep) -> None:
    [marked] = [row for row in str(eight).split("\n") if row.startswith("▸")]
    assert marked.split()[1] == "12"
    page = html_of(eight)
    assert page.count("omp-chip omp-ok") == 1
    assert '<b>12</b> <span class="omp-chip omp-ok">best</span>' in page


def test_what_comes_from_outside_is_escaped(eight: Sweep) -> None:
    bad = replace(
        eight,
        notes=(NASTY,),
        verdict=NASTY,
        gaps=(Gap(what="peak memory", why=NASTY),),
        left_out=((NASTY, NASTY),),
    )
    page, text = html_of(bad), str(bad)
    assert "<script" not in page
    assert "\x1b" not in text
    assert text.count("\\x1b") >= 3


def test_the_drawing_is_valid_small_and_says_itself_in_words(eight: Sweep) -> None:
    drawn = chart_of(eight)
    root = ET.fromstring(drawn)
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith("Speed-up by number of threads: 1.00 with 1, ")
    assert len(drawn) < 8192
    assert len([each for each in root.iter() if each.tag.endswith("circle")]) == 8
    assert not re.search(r"nan|inf", drawn)
    assert "#" not in re.sub(r"var\(--\w+,#\w+\)", "", drawn)  # every colour is the page's own


@pytest.mark.parametrize("numbers", [(1, 2), (2, 64), tuple(range(1, 30))])
def test_any_points_can_be_drawn(numbers: tuple[int, ...]) -> None:
    for times in (usl(0, 0), usl(1, 0), lambda n, _: 1e-9 * n):
        sweep = swept(times, numbers, cpus=64, repeats=1)
        ET.fromstring(chart_of(sweep) or "<svg/>")
        assert html_of(sweep)


def test_a_single_point_has_no_drawing() -> None:
    assert chart_of(swept(usl(0, 0), (3,))) == ""


def test_the_table_has_a_row_a_point(eight: Sweep) -> None:
    frame = eight.to_frame()
    assert list(frame["threads"]) == [1, 2, 3, 4, 6, 8, 12, 16]
    assert list(frame.loc[frame["best"], "threads"]) == [12]
    assert frame["peak_rss_bytes"].isna().all()
    assert len(frame["runs_s"].iloc[0]) == 5


def test_plot_draws_on_axes_and_without_matplotlib_gives_the_same_as_svg(
    eight: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is the extra `plot`")
    drawn = eight.plot()
    assert drawn._repr_png_().startswith(b"\x89PNG")
    [axes] = drawn.axes
    assert axes.get_title() == eight.verdict
    assert [line.get_label() for line in axes.get_lines()][-2:] == ["USL", "best"]
    mine = figure.Figure().add_subplot()
    assert eight.plot(mine) is mine
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    drawn = eight.plot()
    assert "<svg" in drawn._repr_mimebundle_()["text/html"]
    assert "Speed-up" in repr(drawn)


def test_laws_are_told_in_words() -> None:
    words = [fit_words(fit) for fit in swept(usl(0.06, 0.004), (1, 2, 3, 4, 6, 8)).fits]
    assert words[0].startswith("Amdahl's law: ")
    assert "runs on one thread alone, never more than" in words[0]
    assert words[1].startswith(
        "Universal Scalability Law: contention 0.060, crosstalk 0.0040, fastest at 15 threads"
    )
    none = [fit_words(fit) for fit in swept(lambda _, __: 1.0, (1, 2, 3)).fits]
    assert none == ["Amdahl's law: nothing runs in parallel (0.0% off)"]
    law = replace(swept(usl(0.06, 0.004), (1, 2, 3, 4)).fits[1], peak_threads=1.2)
    assert "fastest at 1 thread (" in fit_words(law)
    perfect = [fit_words(fit) for fit in swept(usl(0, 0), (1, 2, 3, 4)).fits]
    assert perfect[0] == "Amdahl's law: 0.0% runs on one thread alone, no bound (0.0% off)"
    assert "-0" not in perfect[1]


def test_times_have_three_digits() -> None:
    told = [short_s(each) for each in (1234.5, 12.34, 1.0, 0.1234, 1e-3, 4.56e-5, 7.8e-8)]
    assert told == ["1234 s", "12.3 s", "1.00 s", "123 ms", "1.00 ms", "45.6 us", "78.0 ns"]
    assert [short_s(each) for each in (0.9996, 999.6, 0.0)] == ["1.00 s", "1000 s", "0.00 ns"]


def test_below_the_views_a_sweep_says_what_is_missing(eight: Sweep) -> None:
    Sweep.actions.clear()
    with pytest.raises(MissingRendererError):
        str(eight)


def test_a_bar_is_full_when_it_goes() -> None:
    # tqdm leaves one that is not on the page, in red; tqdm/notebook.py, close.
    auto = pytest.importorskip("tqdm.auto")
    closed: list[tuple[float, float | None, bool | None]] = []

    class Told(auto.tqdm):  # type: ignore[misc,name-defined]  # made while it runs
        def close(self) -> None:
            closed.append((self.n, self.total, self.leave))
            super().close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auto, "tqdm", Told)
        with bar(shown=True) as told:
            told(Progress(3, 8, 2.0, "2 threads"))
    assert closed[0] == (8, 8, False)


def test_an_answer_of_workers_is_not_applied_as_a_limit(eight: Sweep) -> None:
    point = replace(eight.best_point, threads=1, workers=2, kind="loky")
    found = replace(eight, points=(point,), best=1, best_workers=2, best_kind="loky")
    with pytest.raises(LimitError, match=r"found '2 workers as the answer'.*inner_max_num_threads"):
        _apply(found)


def test_a_row_has_one_line_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    sweep = swept(lambda n, before: (1 + before % 2 / 50) * 0.0534 / n, (1, 2, 4), repeats=5)
    filled = replace(
        sweep, points=tuple(replace(each, peak_rss_bytes=85_000_000) for each in sweep.points)
    )
    _, head, *rows = str(filled).splitlines()
    assert head.split()[:2] == ["threads", "time"]
    for row, number in zip(rows, "124", strict=False):
        assert row.strip("▸ ").startswith(f"{number} ")
        assert row.endswith("5")


def test_an_interval_has_its_unit_once_where_it_is_the_same() -> None:
    point = swept(usl(0, 0), (1, 2)).points[0]
    assert between(replace(point, low_s=0.5, high_s=0.75)) == f"500 {DASH} 750 ms"
    assert between(replace(point, low_s=0.5, high_s=1.5)) == f"500 ms {DASH} 1.50 s"
