"""Each control of the dashboard by click and by key, in a real JupyterLab and a real Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from live import LINUX

from browser.lab import wait_for
from browser.notebook import COUNT, OPEN, Notebook

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(300),
]


def test_pause_interval_and_guard_by_click(notebook: Callable[..., Notebook]) -> None:
    book = notebook("%omp_guard")
    book.click("pause")
    book.says("paused")
    stands = book.number()
    time.sleep(1.5)  # three ticks
    assert book.number() == stands
    book.click("resume")
    wait_for("a tick", lambda: book.number() > stands)
    assert book.one("button", "pause")

    book.choose("2 s")
    book.says("every 2 s")
    first = book.next_tick()
    assert book.next_tick() - first > 1800

    for name, mode in (("refuse", "raise"), ("off", "off"), ("warn", "warn")):
        book.click(name)
        book.says(f"guard {mode}")
        assert f"guard {mode}" in text(book.run(1)).lower().replace("is ", "")
        assert "mod-active" in book.one("button", name).get_attribute("class")


def test_auto_and_restore_by_click(notebook: Callable[..., Notebook]) -> None:
    counts = (
        "import omp_magic\nfound = omp_magic.snapshot()\n"
        "print(json.dumps([found.budget.threads, *(pool.size for pool in found.pools)]))"
    )
    book = notebook(counts, COUNT)
    allowed, own = book.value(1)
    book.limit("OpenBLAS", allowed + 2)
    book.says(f"limit OpenBLAS (numpy) {allowed + 2}")
    assert book.value(1) == [allowed, allowed + 2]
    book.click(f"auto: {allowed}")
    book.says("auto")
    assert book.value(1) == [allowed, allowed]
    assert book.value(2) == allowed
    said = book.message()
    book.click("restore")
    wait_for("another message", lambda: book.message() != said)
    assert book.value(1) == [allowed, own]


def test_a_box_follows_the_count_and_asks_again_for_very_many(
    notebook: Callable[..., Notebook],
) -> None:
    change = "import omp_magic; held = omp_magic.limit({}); held.__enter__()"
    count = "print(json.dumps(omp_magic.snapshot().pools[0].num_threads))"
    book = notebook(change.format(3), count)
    box = book.box("OpenBLAS")
    book.run(1)
    wait_for("the box follows", lambda: box.get_property("value") == "3")
    book.limit("OpenBLAS", 9999)
    # The widget's own limit is what a person gets.
    asked = re.search(r"Enter (\d+) again", book.says("again to set it"))
    assert asked is not None
    wait_for("the count shows", lambda: box.get_property("value") == "3")
    assert book.value(2) == 3
    book.limit("OpenBLAS", int(asked[1]))
    book.says("limit OpenBLAS (numpy)")
    assert book.value(2) > 8


def test_the_controls_stand_in_line_and_whole(notebook: Callable[..., Notebook]) -> None:
    book = notebook(first=OPEN.replace("%load", "import sklearn.cluster\n%load"))
    wait_for("a box", lambda: book.box("GNU libgomp (scikit-learn)"))
    bar = book.js(
        "return [...document.querySelectorAll('.omp-dash .omp-bar-of button')].map("
        "each => each.getBoundingClientRect().top)"
    )
    assert len(bar) == 7
    assert len(set(bar)) == 1, bar
    # Each box stands in the line of its pool.
    lines = book.js(
        "return [...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-boxed')].filter("
        "row => !row.classList.contains('omp-fold')).map(row => {"
        "const place = [...row.classList].find(each => /^omp-r\\d+$/.test(each));"
        "const middle = each => { const box = each.getBoundingClientRect();"
        " return box.top + box.height / 2; };"
        "return middle(row.querySelector('th')) - "
        "middle(document.querySelector(`.omp-box.${place}`)) })"
    )
    assert len(lines) == 3
    assert all(abs(each) < 4 for each in lines), lines


def test_close_by_click_ends_the_thread(notebook: Callable[..., Notebook]) -> None:
    looks = "live = dash._live; a = len(live.history); time.sleep(1.5); b = len(live.history)"
    first = OPEN.replace("%omp_dashboard", "dash = %omp_dashboard")
    book = notebook(f"{looks}; print(json.dumps([a, b]))", first=first)
    before, then = book.value(1)
    assert then > before
    book.click("close")
    wait_for("the panel is gone", lambda: book.panels() == [])
    before, then = book.value(1)
    assert then == before
    # A snapshot stays in its place, and when the notebook is opened again.
    empty, kept = book.save().cells[0].outputs
    assert empty["data"] == {"text/plain": ""}
    assert set(kept["data"]) == {"text/html", "text/plain"}
    for _ in range(2):
        still = wait_for(
            "the snapshot", lambda: book.driver.find_elements("css selector", ".omp-static header")
        )[0]
        assert "Snapshot of " in still.text
        assert "Live" not in still.text
        book.load()


def test_a_cell_that_is_run_again_has_one_panel(notebook: Callable[..., Notebook]) -> None:
    first = OPEN.replace("%omp_dashboard", "dash = %omp_dashboard")
    book = notebook("print(json.dumps(len(dash._live.panels)))", first=first)
    for _ in range(2):
        book.run(0)
        wait_for("the panel shows", lambda: book.number() > 0)
    assert book.value(1) == 1
    assert len(book.panels()) == 1


def test_pause_and_close_work_while_a_cell_runs(notebook: Callable[..., Notebook]) -> None:
    book = notebook("time.sleep(8)")
    book.start(1)
    book.click("pause")
    book.says("paused")
    stands = book.number()
    book.click("resume")
    wait_for("a tick", lambda: book.number() > stands)
    book.click("close")
    wait_for("no panel", lambda: book.panels() == [])
    assert book.running(1)
    assert book.wait(1) == []


def test_two_panels_share_one_sampler_and_off_closes_both(
    notebook: Callable[..., Notebook],
) -> None:
    book = notebook("%omp_dashboard", "%omp_dashboard off")
    book.run(1)
    wait_for("a second panel", lambda: len(book.panels()) == 2)
    # With two threads a tick would come twice as often.
    first = book.next_tick()
    assert book.next_tick() - first > 350
    wait_for("both show the same", lambda: len(set(book.panels())) == 1)
    book.click("close", panel=1)
    wait_for("one panel", lambda: len(book.panels()) == 1)
    book.next_tick()
    assert book.run(2) == []
    wait_for("no panel", lambda: book.panels() == [])


def test_a_reload_finds_the_panel_again(notebook: Callable[..., Notebook]) -> None:
    book = notebook(COUNT)
    book.save()
    book.load()
    wait_for("the panel is back", lambda: book.number() > 0)
    book.next_tick()
    book.limit("OpenBLAS", 1)
    book.says("limit OpenBLAS (numpy) 1")
    assert book.value(1) == 1


def test_every_control_is_reached_by_tab_and_has_a_name(notebook: Callable[..., Notebook]) -> None:
    book = notebook()
    book.driver.execute_script("arguments[0].focus()", book.box("OpenBLAS"))
    seen: list[str] = []
    for _ in range(30):
        focused = book.driver.switch_to.active_element
        if not book.js("return !!arguments[0].closest('.omp-dash')", focused):
            break
        seen.append(f"{focused.aria_role}: {focused.accessible_name}")
        book.press("TAB")
    for control in (
        "spinbutton: OpenBLAS (numpy)",
        "button: restore",
        "button: pause",
        "button: close",
        "button: off",
        "button: warn",
        "button: refuse",
    ):
        assert seen.count(control) == 1, seen
    assert sum(each.startswith("button: auto") for each in seen) == 1
    assert sum(each.startswith("combobox: ") for each in seen) == 1
    assert all(each.split(": ")[1] for each in seen), seen
    book.driver.execute_script("arguments[0].focus()", book.one("button", "pause"))
    book.press("SPACE")
    book.says("paused")
    book.press("ENTER")
    assert book.one("button", "pause")


def text(outputs: list[dict[str, Any]]) -> str:
    """Give the text of a cell's outputs."""
    return "\n".join(
        "".join(each.get("text", "")) or "".join(each.get("data", {}).get("text/plain", ""))
        for each in outputs
    )
