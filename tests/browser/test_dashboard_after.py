"""What is left of a panel when its kernel has gone, in a real JupyterLab and Chromium."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live import LINUX

from browser.lab import SHOTS, Lab, wait_for
from browser.notebook import Notebook, new_notebook
from browser.page import PANEL

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(300),
]

GREY = (
    f"const live = document.querySelector('{PANEL} .omp-live header');"
    "return getComputedStyle(live).filter + getComputedStyle(live.closest('.omp-dash')).filter"
)
DELAYS = (
    f"return document.querySelector('{PANEL} header').getAnimations({{subtree: true}}).map("
    "each => [each.animationName, each.effect.getTiming().delay])"
)
ICONS = (
    f"return [...document.querySelectorAll('{PANEL}, {PANEL} .jupyter-widgets-disconnected')]"
    ".map(each => getComputedStyle(each, '::before').content)"
)
ANSWER = (
    "const asked = document.querySelectorAll('.jp-Dialog .jp-mod-accept');"
    "asked.forEach(each => each.click()); return asked.length"
)


def says_that_it_has_ended(book: Notebook) -> None:
    """Check that it is grey, says so, and has nothing that looks alive."""
    wait_for("grey", lambda: "grayscale" in book.js(GREY))
    wait_for("it says so", lambda: "This kernel has ended" in book.text("header"), 60)
    assert "last seen " in book.text("header")
    assert "Run its cell again for a new panel." in book.text(".omp-live")
    assert "Live" not in book.text(".omp-live")
    assert not book.shows(f"{PANEL} button")
    assert set(book.js(ICONS)) <= {"none", "normal"}
    # What is said without a look stands in the place of what was true.
    assert not book.shows(f"{PANEL} .omp-late")


def says_since_when(book: Notebook) -> None:
    """Check that it is grey, and says since when there was no look in the place of "Live"."""
    wait_for("it says since when", lambda: book.shows(f"{PANEL} .omp-late"))
    assert "no look since " in book.text("header")
    assert not book.shows(f"{PANEL} .omp-state")
    assert "grayscale" in book.js(GREY)


def test_after_death_it_is_grey_and_says_so(notebook: Callable[..., Notebook]) -> None:
    hold = "import ctypes; ctypes.PyDLL(None).usleep(4_000_000)"  # holds Python's lock
    book = notebook(hold, "os.kill(os.getpid(), 9)")
    # Half a second between two looks: grey within a second without one.
    assert dict(wait_for("a tick", lambda: book.js(DELAYS))) == {
        "omp-grey": 1000,
        "omp-gone": 1500,
        "omp-late": 1500,
    }
    book.start(1)
    says_since_when(book)
    book.wait(1)
    wait_for("it is live again", lambda: not book.shows(f"{PANEL} .omp-late"))
    assert book.shows(f"{PANEL} .omp-state")
    assert "grayscale" not in book.js(GREY)
    # Restarted, as by the menu, which asks.
    book.js("app.commands.execute('notebook:restart-kernel')")
    wait_for("it asks", lambda: book.js(ANSWER))
    says_that_it_has_ended(book)
    new_panel(book)
    # Died: JupyterLab has another kernel, and tells.
    book.start(2)
    says_that_it_has_ended(book)
    book.shot("ended")
    wait_for("it tells", lambda: book.js(ANSWER))
    new_panel(book)
    # Shut down, as by the menu: the widget manager does not tell its views, and none may look.
    book.js("widget.sessionContext.shutdown()")
    says_since_when(book)


def new_panel(book: Notebook) -> None:
    """Run the cell again, as the panel says."""
    status = "return widget.sessionContext.session.kernel.status"
    wait_for("another kernel", lambda: book.js(status) == "idle", 60)
    book.run(0)
    wait_for("a new panel", lambda: book.number() > 0)
    assert "This kernel has ended" not in book.text("header")
    assert book.shows(f"{PANEL} button")


def seen_in(lab: Lab, page: Path) -> dict[str, Any]:
    """Open a page in a tab of its own, and give what of the panel can be seen there."""
    driver, handle = lab.driver, lab.driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        driver.get(page.as_uri())
        time.sleep(2)  # whatever scripts it has; a panel without ticks would be grey by then
        found: dict[str, Any] = driver.execute_script(
            "const seen = [...document.querySelectorAll('.omp-live')].filter("
            "each => [...each.children].some(child => child.checkVisibility()));"
            "return {panels: seen.length, text: document.body.innerText,"
            " curve: seen.map(each => !!each.querySelector('.omp-chart path')),"
            " grey: seen.map(each => getComputedStyle(each.querySelector('header')).filter)}"
        )
        driver.save_screenshot(str(SHOTS / f"{page.stem}.png"))
        return found
    finally:
        driver.close()
        driver.switch_to.window(handle)


def has_the_whole_run(seen: dict[str, Any]) -> None:
    """Check that a page shows one panel, of the end of the last cell, with its curve."""
    assert seen["panels"] == 1
    assert seen["curve"] == [True]
    assert "grayscale" not in seen["grey"][0]
    assert seen["text"].count("Snapshot of ") == 1
    assert seen["text"].count("limit 1, set by %omp_limit 1") == 1


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", *arguments], check=True, capture_output=True, timeout=120)


def test_what_is_saved_is_the_whole_run(notebook: Callable[..., Notebook], lab: Lab) -> None:
    import nbformat

    book = notebook("%omp_limit 1", "x = np.ones((900, 900)); [x @ x for _ in range(30)];")
    book.run(1)
    book.run(2)
    saved = book.save()
    widgets, kept = saved.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in widgets["data"]
    # It is of the end of the last cell, and has the history.
    assert "limit 1, set by %omp_limit 1" in kept["data"]["text/html"]
    assert "cell [3]" not in kept["data"]["text/html"]
    assert "Snapshot of " in kept["data"]["text/plain"]
    run("nbconvert", "--to", "html", str(book.path))
    has_the_whole_run(seen_in(lab, book.path.with_suffix(".html")))
    # A copy that nobody has signed; JupyterLab takes styles and drawings out of it.
    saved.metadata["title"] = "a copy"
    copy = book.path.with_name("copy.ipynb")
    nbformat.write(saved, copy)  # type: ignore[no-untyped-call]  # nbformat has no types
    # Opened again without its kernel: trusted, it shows that and not "model not found".
    book.js("return widget.sessionContext.shutdown()")
    book.load()
    said = "return document.querySelector('.jp-Notebook').innerText"
    wait_for("what was kept", lambda: "Snapshot of " in book.js(said))
    gone = "return document.querySelector('.jp-Notebook').textContent.includes('model not found')"
    wait_for("the widget manager gives up", lambda: book.js(gone))
    assert "not found" not in book.js(said)
    assert book.js(said).count("Snapshot of ") == 1
    assert book.shows(".omp-static .omp-chart")
    assert not book.shows(".omp-plain")
    book.shot("reopened", ".omp-static")
    book.js("return widget.sessionContext.shutdown()")
    book = Notebook(lab, copy)
    wait_for("what was kept", lambda: "Snapshot of " in book.js(said))
    assert "limit 1, set by %omp_limit 1" in book.js(said)
    assert "CPUs used in the last 2 min" in book.js(said)
    assert book.js("return !document.querySelector('svg.omp-chart')")
    book.shot("untrusted", ".omp-static")


EXECUTED = "%load_ext omp_magic\n%omp_dashboard"
EXECUTORS = {
    "nbconvert": ("--execute", "--to", "html", "{}.ipynb"),
    "papermill": ("{}.ipynb", "{}_done.ipynb"),
}


@pytest.mark.parametrize(
    "executor", [pytest.param("nbconvert", marks=pytest.mark.thorough), "papermill"]
)
def test_an_executed_notebook_has_the_panel_of_its_end(lab: Lab, executor: str) -> None:
    """As CI and reports make it: without a front-end, so with what is kept alone."""
    pytest.importorskip(executor, reason=f"{executor} cannot be installed here")
    path = new_notebook(lab, [EXECUTED, "import numpy", "%omp_limit 1"])
    stem = str(path.with_suffix(""))
    run(executor, *(each.format(stem) for each in EXECUTORS[executor]))
    if executor == "nbconvert":
        has_the_whole_run(seen_in(lab, path.with_suffix(".html")))
        return
    import nbformat

    done = nbformat.read(f"{stem}_done.ipynb", as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types
    _, kept = done.cells[0].outputs
    for page in kept["data"].values():
        assert "limit 1, set by %omp_limit 1" in page
    assert "<svg" in kept["data"]["text/html"]
