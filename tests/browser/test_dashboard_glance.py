"""What a person sees in one glance and cures by one press, in a real JupyterLab and Chromium."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from environments import POOLS, environment
from live import LINUX

from browser.lab import SHOTS, Lab, wait_for
from browser.notebook import OPEN, Notebook, in_environment

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(600),
]

PANEL = ".omp-dash:not(.omp-static)"
TWO = "import ctypes; one = ctypes.CDLL({!r}); one.omp_get_max_threads()\ntwo = ctypes.CDLL({!r})"


def top(book: Notebook, selector: str) -> float:
    """Give how far down the page the first element that fits and shows begins."""
    code = (
        "return [...document.querySelectorAll(arguments[0])].filter("
        "each => each.getClientRects().length).map(each => each.getBoundingClientRect().top)[0]"
    )
    found = book.js(code, selector)
    assert found is not None, selector
    return float(found)


def shows(book: Notebook, selector: str) -> bool:
    """Tell whether any element that fits can be seen."""
    code = (
        "return [...document.querySelectorAll(arguments[0])].some(each => each.checkVisibility("
        "{opacityProperty: true, visibilityProperty: true}))"
    )
    return bool(book.js(code, selector))


def test_the_worst_comes_first_and_is_red(
    notebook: Callable[..., Notebook], libomp: str, libiomp5: str
) -> None:
    book = notebook(TWO.format(libiomp5, libomp), "%omp_status")
    book.run(1)
    fatal = "This kernel will die at the first call of"
    wait_for("the verdict", lambda: fatal in book.one("b.omp-verdict").text)
    panel = book.one(".omp-live")
    assert panel.text.startswith(fatal)
    # A red edge, and the finding with a filled mark above every table.
    red = "return getComputedStyle(document.querySelector(arguments[0])).borderLeftColor"
    error = (
        "const made = document.createElement('i'); made.style.color = 'var(--jp-error-color1)';"
        "document.body.append(made); const found = getComputedStyle(made).color;"
        "made.remove(); return found"
    )
    assert book.js(red, PANEL) == book.js(error)
    assert top(book, f"{PANEL} [data-code=OMP101]") < top(book, f"{PANEL} .omp-p th")
    chip = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert book.js(chip, f"{PANEL} a.omp-chip.omp-err") == book.js(error)
    # The guard's card says what is about to happen, and has that edge.
    card = ".jp-Cell:nth-of-type(2) .omp-magic[role=alert]"
    (title,) = book.driver.find_elements("css selector", f"{card} header b")
    assert title.text.startswith(fatal)
    assert book.js(red, card) == book.js(error)
    # A full path stands in the line of code alone until it is unfolded.
    assert os.path.dirname(libiomp5) not in book.one("header").text
    book.run(2)
    status = ".jp-Cell:nth-of-type(3) .omp-magic"
    (shown,) = book.driver.find_elements("css selector", status)
    assert shown.text.startswith(fatal)
    assert top(book, f"{status} .omp-f") < top(book, f"{status} table")
    book.shot("error")
    # One click selects a whole line of code; codes are links.
    code = book.driver.find_elements("css selector", f"{status} .omp-cmd code")[0]
    book.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", code)
    code.click()
    selected = book.js("return window.getSelection().toString()")
    assert selected == f"import ctypes; ctypes.CDLL({libiomp5!r}, ctypes.RTLD_GLOBAL)"
    links = book.js("return [...document.querySelectorAll('a.omp-chip')].map(each => each.href)")
    assert any(each.endswith("/OMP101.md") for each in links)


MADE = """
import dataclasses, omp_magic
from omp_magic.facts.libraries import Finding
live = dash._live
found = (Finding(code="OMP201", severity="warning", title="Made", why="for the test",
    remedies=("For this session: %omp_limit 1",)),)
look = live.look
def looked():
    live._snapshot = dataclasses.replace(look(), findings=found)
    return live._snapshot
live.look, live._judge = looked, lambda: False
"""


def test_a_remedy_is_cured_by_one_press(notebook: Callable[..., Notebook]) -> None:
    first = OPEN.replace("%omp_dashboard", "dash = %omp_dashboard")
    book = notebook(
        MADE, "print(json.dumps(omp_magic.snapshot().pools[0].num_threads))", first=first
    )
    book.run(1)
    book.click("apply")
    assert book.says("limit 1") == "limit 1"
    assert book.value(2) == 1


LOAD = (
    "import torch, sklearn.cluster, scipy.linalg, numexpr, numba, cv2, pyarrow, xgboost\n"
    "import lightgbm, faiss, time\n%load_ext omp_magic\n%omp_dashboard"
)


def test_ten_libraries_fit_until_they_are_unfolded(lab: Lab) -> None:
    book = in_environment(lab, environment("pools", POOLS), [LOAD, "time.sleep(8)"])
    try:
        book.run(0, 240)
        wait_for("the panel shows", lambda: book.number() > 0)
        narrow = "document.querySelector('.omp-dash').style.width = '800px';"
        box = f"return document.querySelector('{PANEL}').getBoundingClientRect()"
        book.js(narrow)
        folded = wait_for("folded", lambda: book.js(box))
        book.shot("ten")
        assert 760 <= folded["width"] <= 800  # 60em at most
        assert folded["height"] <= 640
        names = (
            f"return [...document.querySelectorAll('{PANEL} .omp-p bdi')].map(e => e.textContent)"
        )
        rows = book.js(names)
        assert len(rows) == len(set(rows)), "a pool is one row"
        shown = book.js(
            "return [...document.querySelectorAll('.omp-dash:not(.omp-static) .omp-p')].filter("
            "each => each.querySelector('th').getClientRects().length).length"
        )
        assert shown <= 9
        # It unfolds in the page: a kernel that is busy need not answer.
        book.start(1)
        book.one(".omp-more summary").click()
        wait_for("unfolded", lambda: book.js(box)["height"] > folded["height"] + 100)
        book.next_tick()
        assert book.js(box)["height"] > folded["height"] + 100
        assert book.running(1)
    finally:
        book.close()


GREY = (
    f"const live = document.querySelector('{PANEL} .omp-live header');"
    "return getComputedStyle(live).filter + getComputedStyle(live.closest('.omp-dash')).filter"
)
DELAYS = (
    f"return document.querySelector('{PANEL} header').getAnimations({{subtree: true}}).map("
    "each => [each.animationName, each.effect.getTiming().delay])"
)


def test_after_death_it_is_grey_and_says_so(notebook: Callable[..., Notebook]) -> None:
    hold = "import ctypes; ctypes.PyDLL(None).usleep(4_000_000)"  # holds Python's lock
    book = notebook(hold, "os.kill(os.getpid(), 9)")
    # Half a second between two looks: grey within a second without one.
    assert dict(wait_for("a tick", lambda: book.js(DELAYS))) == {
        "omp-grey": 1000,
        "omp-late": 1500,
    }
    book.start(1)
    wait_for("it says since when", lambda: shows(book, f"{PANEL} .omp-late"))
    assert "no look since " in book.one("header").text
    assert "grayscale" in book.js(GREY)
    book.wait(1)
    wait_for("it is live again", lambda: not shows(book, f"{PANEL} .omp-late"))
    assert "grayscale" not in book.js(GREY)
    book.start(2)
    wait_for("grey", lambda: "grayscale" in book.js(GREY))
    wait_for("it says so", lambda: "This kernel has ended" in book.one("header").text, 60)
    assert "last seen " in book.one("header").text
    assert "Run its cell again for a new panel" in book.one(".omp-live").text
    assert "Live" not in book.one(".omp-live").text
    assert not shows(book, f"{PANEL} .omp-bar-of button")
    icons = (
        f"return [...document.querySelectorAll('{PANEL}, {PANEL} .jupyter-widgets-disconnected')]"
        ".map(each => getComputedStyle(each, '::before').content)"
    )
    assert set(book.js(icons)) <= {"none", "normal"}
    with contextlib.suppress(TimeoutError):  # JupyterLab asks what to do, or does not
        wait_for("a dialog", lambda: book.js("return !!document.querySelector('.jp-Dialog')"), 3)
    book.js("document.querySelectorAll('.jp-Dialog .jp-mod-accept').forEach(e => e.click())")
    book.shot("ended")
    wait_for("another kernel", lambda: book.js(
        "return widget.sessionContext.session.kernel.status") == "idle", 60)  # fmt: skip
    book.run(0)
    wait_for("a new panel", lambda: book.number() > 0)
    assert "This kernel has ended" not in book.one("header").text


def pages(book: Notebook, page: Path) -> dict[str, Any]:
    """Open a page in a tab of its own, and give what of the panel can be seen there."""
    handle = book.driver.current_window_handle
    book.driver.switch_to.new_window("tab")
    try:
        book.driver.get(page.as_uri())
        time.sleep(3)  # whatever scripts it has
        found: dict[str, Any] = book.driver.execute_script(
            "const seen = [...document.querySelectorAll('.omp-live')].filter("
            "each => [...each.children].some(child => child.checkVisibility()));"
            "return {panels: seen.length, text: document.body.innerText,"
            " curve: seen.map(each => !!each.querySelector('.omp-chart path')),"
            " grey: seen.map(each => getComputedStyle(each.querySelector('header')).filter)}"
        )
        book.driver.save_screenshot(str(SHOTS / f"{page.stem}.png"))
        return found
    finally:
        book.driver.close()
        book.driver.switch_to.window(handle)


def test_what_is_saved_is_the_whole_run(notebook: Callable[..., Notebook]) -> None:
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
    page = book.path.with_suffix(".html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(book.path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    seen = pages(book, page)
    assert seen["panels"] == 1
    assert seen["curve"] == [True]
    assert "grayscale" not in seen["grey"][0]
    assert "Snapshot of " in seen["text"]
    assert "limit 1, set by %omp_limit 1" in seen["text"]
    # Opened again without its kernel: trusted, it shows that and not "model not found".
    book.js("return widget.sessionContext.shutdown()")
    book.load()
    said = "return document.querySelector('.jp-Notebook').innerText"
    wait_for("what was kept", lambda: "Snapshot of " in book.js(said))
    time.sleep(3)  # the widget manager looks for 2 s
    assert "not found" not in book.js(said)
    assert shows(book, ".omp-static .omp-chart")
    book.shot("reopened", ".omp-static")


EXECUTED = """
%load_ext omp_magic
%omp_dashboard
"""


def test_an_executed_notebook_has_the_panel_of_its_end(lab: Lab) -> None:
    """As papermill does it, which runs notebooks through nbclient too."""
    path = lab.root / "executed.ipynb"
    cells = [EXECUTED, "import numpy", "%omp_limit 1"]
    made = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]  # nbformat has no types
        cells=[nbformat.v4.new_code_cell(each) for each in cells],  # type: ignore[no-untyped-call]  # as above
    )
    nbformat.write(made, path)  # type: ignore[no-untyped-call]  # as above
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    subprocess.run([*command, str(path)], check=True, capture_output=True, timeout=120)
    done = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # as above
    _, kept = done.cells[0].outputs
    assert "limit 1, set by %omp_limit 1" in kept["data"]["text/plain"]


@contextlib.contextmanager
def others(number: int) -> Iterator[list[int]]:
    """Let other processes of this group be busy."""
    busy = [sys.executable, "-c", "while True: pass"]
    burning = [subprocess.Popen(busy) for _ in range(number)]
    try:
        yield [each.pid for each in burning]
    finally:
        for each in burning:
            each.kill()
            each.wait()


def test_me_or_my_neighbours(notebook: Callable[..., Notebook]) -> None:
    work = "a = np.ones((900, 900)); end = time.time() + 60\nwhile time.time() < end: a @ a"
    book = notebook(work)
    # Idle: nothing waits, and our own looks are nobody's work.
    figures = "return document.querySelector('.omp-dash:not(.omp-static) .omp-figures').innerText"
    wait_for("idle", lambda: "waiting" not in book.js(figures))
    busy = (
        "return [...document.querySelectorAll('.omp-dash:not(.omp-static) tbody .omp-p')].map("
        "each => each.children[3].textContent)"
    )
    wait_for("none busy", lambda: set(book.js(busy)) <= {"0", "–"})  # noqa: RUF001 - the view's own dash
    with others(2 * len(os.sched_getaffinity(0))) as pids:
        book.start(1)
        verdict = wait_for(
            "the verdict",
            lambda: (said := book.one("b.omp-verdict").text).startswith("You get ") and said,
        )
        assert "others here use" in verdict
        more = wait_for("who", lambda: book.one("span.omp-verdict").text)
        assert any(f"pid {pid} python" in more for pid in pids), more
        assert "others here" in book.one(".omp-legend").text
        assert book.all("[data-code=OMP211]")
        book.shot("others")
    book.js("return widget.sessionContext.session.kernel.interrupt()")


CUT = """
const cut = [];
for (const each of document.querySelectorAll(arguments[0] + ' *')) {
  if (!each.checkVisibility({opacityProperty: true})
      || each.closest('svg, .omp-sr, select, label')) continue;
  const style = getComputedStyle(each);
  if (each.scrollWidth > each.clientWidth + 1 && style.display !== 'inline'
      && style.display !== 'contents')
    cut.push(each.tagName + '.' + each.className + ' ' + each.textContent.slice(0, 40));
}
const broken = [], walk = document.createTreeWalker(
  document.querySelector(arguments[0]), NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode, from = node.parentElement;
  if (!from.checkVisibility() || from.closest('svg, code, style, .omp-sr, select, label')) continue;
  for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
    const range = document.createRange();
    range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1)
      broken.push(word[0]);
  }
}
return [cut, broken];
"""


def test_nothing_is_cut_or_broken_at_any_width(
    notebook: Callable[..., Notebook], libomp: str, libiomp5: str
) -> None:
    first = OPEN.replace("%load", "import sklearn.cluster\n%load")
    book = notebook("%omp_status", TWO.format(libiomp5, libomp), first=first)
    book.run(1)
    book.run(2)
    # scikit-learn sets KMP_DUPLICATE_LIB_OK.
    wait_for("the finding", lambda: book.all("[data-code=OMP102]"))
    set_width = (
        "document.querySelectorAll('.omp-magic').forEach("
        "each => { if (!each.parentElement.closest('.omp-magic'))"
        " each.style.width = arguments[0] + 'px'; })"
    )
    for width in (237, 620, 1200):
        book.js(set_width, width)
        time.sleep(0.3)
        for selector in (PANEL, ".jp-Cell:nth-of-type(2) .omp-magic",
                         ".jp-Cell:nth-of-type(3) .omp-magic"):  # fmt: skip
            cut, broken = book.js(CUT, selector)
            assert (width, selector, cut, broken) == (width, selector, [], [])
        for theme in ("Dark", "Light"):
            book.theme(theme)
            book.shot(f"width_{width}_{theme.lower()}")
