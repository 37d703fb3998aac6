"""Text and HTML of made-up facts: complete, escaped, and the same words in both."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from facts_for_tests import EVIL, budget, full, library, pool, snapshot

from omp_magic.errors import MissingRendererError
from omp_magic.facts.libraries import Gap
from omp_magic.facts.snapshots import Snapshot
from omp_magic.facts.usage import Usage
from omp_magic.views.html import bar_of, render_html
from omp_magic.views.text import render_text
from omp_magic.views.usage import render_usage
from omp_magic.views.words import from_of, printable, shortened, split_remedy, wants_of

WORDS = (
    "2.5 CPUs",
    "cpu.max of /pod7 decides",
    "affinity 16, machine 64",
    "OpenBLAS 0.3.31",
    "faiss",
    "not started (would use 16)",
    "serves OpenMP",
    "replaced on disk",
    "not asked",
    "used 2.48 CPUs, its cgroup 2.50, throttled 37%, threads waited 74% of the last 10.0 s",
    "CPU pressure 12% of the last 10 s",
    "OMP101",
    "OMP201",
    "OMP203",
    "%omp_limit auto",
    "OPENBLAS_NUM_THREADS=3",
    "%omp_limit off",
    "OMP_NUM_THREADS",
    "was 4 at the start",
    "os.environ says not set",
    "throttling: no <file>",
    "1.23",
    "1 error",
)


def _visible(page: str) -> str:
    import html

    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_text_and_html_say_the_same() -> None:
    text = " ".join(render_text(full()).split())
    page = _visible(render_html(full()))
    for word in WORDS:
        assert word in text, word
        assert word in page, word


def test_nothing_from_outside_reaches_the_screen_unescaped() -> None:
    text, page = render_text(full()), render_html(full())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "x<y>" not in page
    for shown in (text, page):
        assert "\x1b" not in shown
        assert "\udcff" not in shown
        assert "\\x1b[31m\\n\\udcff" in shown
        shown.encode("utf-8")


def test_printable() -> None:
    assert printable("é ü 한") == "é ü 한"
    assert printable("a\tb\u202ec\udc80") == "a\\tb\\u202ec\\udc80"


def test_paths_of_the_environment_are_short() -> None:
    assert shortened("2 in /e/v/lib/python3.12/site-packages/x.so", "/e/v") == (
        "2 in site-packages/x.so"
    )
    assert shortened("/e/v/lib/libmkl_rt.so", "/e/v/") == "…/lib/libmkl_rt.so"
    assert shortened(r"C:\v\Lib\site-packages\x.dll", "C:\\v") == "site-packages/x.dll"
    assert shortened("/e/vx/lib/y.so", "/e/v") == "/e/vx/lib/y.so"


def test_a_pool_that_is_the_largest_is_told_wherever_it_stands() -> None:
    for sizes in ((16, 2), (2, 16)):
        told = wants_of(snapshot(pools=tuple(pool(size) for size in sizes)))
        assert told == "2 pools, up to 16 threads each, 18 together"


def test_what_is_to_be_run_is_told_apart_at_the_first_colon() -> None:
    line = "import x; print(f'{x: >3}'): done"
    assert split_remedy(f"In /e/v/lib/a.so: {line}", "/e/v") == ("In …/lib/a.so:", line)
    assert split_remedy("Restart the kernel", "/e/v") == ("Restart the kernel", "")


def test_what_no_package_brought_is_the_systems_by_its_folder() -> None:
    for path in ("/usr/lib/libgomp.so.1", "/lib/x86_64-linux-gnu/libgomp.so.1", "/lib64/libomp.so"):
        assert from_of(library("libgomp", owner=None, path=path)) == "the system"
    assert from_of(library("libgomp", owner=None, path="/home/me/libgomp.so")) == "no package"
    assert from_of(library("libgomp", owner="numpy", owner_version=None)) == "numpy"


def test_the_html_reads_without_its_css() -> None:
    page = render_html(full())
    assert page.count("<caption>") == page.count("<table ")
    assert "var(--jp-ui-font-color1,var(" in page
    assert 'role="img" aria-label="' in page
    body = page.split("</style>")[1]
    assert "style=" not in body
    assert "<script" not in body


def test_the_bar() -> None:
    bar = bar_of(full())
    assert bar.wanted is not None
    assert bar.allowed < bar.wanted == pytest.approx(bar.affinity)
    assert "2.5 CPUs allowed of 16 by affinity and 64 in the machine" in bar.label
    assert bar_of(snapshot()).wanted is None


def test_the_bar_is_as_long_as_a_pool_that_is_larger_than_the_machine() -> None:
    facts = snapshot(budget=budget(affinity=16, quota=4.0), pools=(pool(2), pool(128)))
    bar = bar_of(facts)
    whole = bar_of(replace(facts, pools=(pool(64),))).wanted  # the machine of these facts
    assert whole is not None
    assert bar.wanted == whole
    assert (bar.affinity, bar.allowed) == pytest.approx((whole / 8, whole / 32), abs=0.1)
    assert "the largest pool has 128 threads" in bar.label
    assert f'viewBox="0 0 {whole:.0f} ' in render_html(facts)  # no part of it sticks out


def test_an_empty_process() -> None:
    text = render_text(snapshot())
    assert "No OpenMP or BLAS runtime is loaded yet" in text
    unknown = snapshot(gaps=(Gap(what="libraries", why="permission denied"),))
    assert "not known" in render_text(unknown)
    assert "not known" in _visible(render_html(unknown))
    assert "No OpenMP" not in render_text(unknown)


def test_mimebundle_honours_include_and_exclude() -> None:
    facts = full()
    assert set(facts._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert set(facts._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(facts._repr_mimebundle_(exclude=["text/plain"])) == {"text/html"}
    as_json = replace(facts, shown=frozenset({"json"}))._repr_mimebundle_()
    assert json.loads(as_json["text/plain"]) == as_json["application/json"]


def test_json_is_ascii_and_comes_back() -> None:
    text = full().to_json()
    assert text.isascii()
    loaded = json.loads(text)
    assert loaded["libraries"][3]["path"] == EVIL
    assert loaded["threads"] == {
        "count": 19,
        "list": [
            {
                "tid": 1,
                "name": "py\nthon",
                "state": "S",
                "cpu_s": 1.234,
                "python_name": None,
                "owner": None,
                "owner_path": None,
            }
        ],
        "owners": None,
        "python": None,
    }
    assert json.loads(snapshot().to_json())["threads"]["list"] is None
    assert repr(full()).startswith("<Snapshot pid=6536 cpus=2.5 libraries=5")


def test_a_snapshot_is_frozen() -> None:
    with pytest.raises(AttributeError):
        setattr(full(), "pid", 1)  # noqa: B010 - a plain assignment would fail mypy, too
    assert hash(snapshot()) == hash(snapshot())


def test_a_missing_view_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Snapshot, "renderers", {})
    with pytest.raises(MissingRendererError, match=r"omp_magic\.snapshot"):
        snapshot().to_frame()


def test_usage() -> None:
    usage = Usage(
        wall_s=2.0,
        cpu_s=3.0,
        allowed_cpus=2.5,
        threads_before=13,
        peak_threads=15,
        peak_rss_bytes=812_000_000,
        throttled_s=0.0412,
    )
    assert render_usage("2", usage) == (
        "omp_limit 2: wall 2.00 s · CPU 3.00 s · 1.50 of 2.5 CPUs busy · "
        "peak 15 threads (+2) · peak 812 MB · throttled 41.2 ms"
    )
    unknown = replace(usage, peak_threads=None, peak_rss_bytes=None, throttled_s=None)
    assert "peak – threads · peak – · no quota" in render_usage("2", unknown)  # noqa: RUF001 - the view's own dash
