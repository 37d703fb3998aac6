"""What a person sees in one glance and cures by one press, in a real JupyterLab and Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from environments import POOLS, environment
from live import LINUX

from browser.lab import Lab, wait_for
from browser.notebook import OPEN, Notebook, in_environment
from browser.page import PANEL

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(600),
]

TWO = "import ctypes; one = ctypes.CDLL({!r}); one.omp_get_max_threads()\ntwo = ctypes.CDLL({!r})"


def test_the_worst_comes_first_and_is_red(
    notebook: Callable[..., Notebook], libomp: str, libiomp5: str
) -> None:
    alive = "print(json.dumps(two is not None))"
    book = notebook(TWO.format(libiomp5, libomp), "%omp_status", alive)
    assert book.all("[data-code=OMP101]") == []
    book.run(1)
    fatal = "This kernel will die at the first call of"
    wait_for("the verdict", lambda: fatal in book.text("b.omp-verdict"))
    assert book.text(".omp-live").startswith(fatal)
    # A red edge, and the finding with a filled mark above every table.
    red = "return getComputedStyle(document.querySelector(arguments[0])).borderLeftColor"
    error = (
        "const made = document.createElement('i'); made.style.color = 'var(--jp-error-color1)';"
        "document.body.append(made); const found = getComputedStyle(made).color;"
        "made.remove(); return found"
    )
    assert book.js(red, PANEL) == book.js(error)
    assert book.top(f"{PANEL} [data-code=OMP101]") < book.top(f"{PANEL} .omp-p th")
    chip = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert book.js(chip, f"{PANEL} a.omp-chip.omp-err") == book.js(error)
    # The guard's card says what is about to happen, and has that edge.
    card = ".jp-Cell:nth-of-type(2) .omp-magic[role=alert]"
    (title,) = book.driver.find_elements("css selector", f"{card} header b")
    assert title.text.startswith(fatal)
    assert book.js(red, card) == book.js(error)
    # A full path stands in the line of code alone until it is unfolded.
    assert os.path.dirname(libiomp5) not in book.text("header")
    book.run(2)
    status = ".jp-Cell:nth-of-type(3) .omp-magic"
    (shown,) = book.driver.find_elements("css selector", status)
    assert shown.text.startswith(fatal)
    assert book.top(f"{status} .omp-f") < book.top(f"{status} table")
    book.shot("error")
    # One click selects a whole line of code; codes are links.
    for place in (PANEL, card, status):
        code = book.driver.find_elements("css selector", f"{place} .omp-cmd code")[0]
        book.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", code)
        code.click()
        selected = book.js("return window.getSelection().toString()")
        assert selected == f"import ctypes; ctypes.CDLL({libiomp5!r}, ctypes.RTLD_GLOBAL)"
    links = book.js("return [...document.querySelectorAll('a.omp-chip')].map(each => each.href)")
    assert any(each.endswith("/OMP101.md") for each in links)
    assert "OMP101" in book.one(".omp-sr").get_property("textContent")
    # The first call of the second runtime would end the kernel: a limit must not be that call.
    book.one(".omp-more summary").click()
    book.limit("LLVM libomp", 1)
    wait_for("something is said", book.message)
    assert book.value(3) is True


MADE = """
import dataclasses, omp_magic
from omp_magic.facts.libraries import Finding
live = dash._live
found = (Finding(code="OMP201", severity="warning", title="Made", why="for the test",
    remedies=("For this session: %omp_limit 1", "Or refuse it: %omp_guard raise")),)
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
    limits, refuses = wait_for("two buttons", lambda: book.all("button", "apply"))
    limits.click()
    assert book.says("limit 1") == "limit 1"
    assert book.value(2) == 1
    book.limit("OpenBLAS", 2)
    assert book.says("OpenBLAS") == "limit 1, OpenBLAS (numpy) 2"
    refuses.click()
    assert book.says("guard") == "guard raise"
    assert "mod-active" in book.one("button", "refuse").get_attribute("class")


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


@contextlib.contextmanager
def others(number: int) -> Iterator[None]:
    """Let other processes of this group be busy."""
    busy = [sys.executable, "-c", "while True: pass"]
    burning = [subprocess.Popen(busy) for _ in range(number)]
    try:
        yield
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
    with others(2 * len(os.sched_getaffinity(0))):
        book.start(1)
        verdict = wait_for(
            "the verdict",
            lambda: (said := book.text("b.omp-verdict")).startswith("You get ") and said,
        )
        assert "others here use" in verdict
        # Who they are is known a look later, when the finding is. Where others are busy too, ours
        # need not be the first two.
        wait_for(
            "who",
            lambda: (
                (said := book.text("header")).startswith("You get ")
                and re.search(r"pid \d+ \S+", said)
            ),
        )
        assert "others here" in book.text(".omp-legend")
        assert book.all("[data-code=OMP211]")
        book.shot("others")
    book.interrupt(1)


CUT = """
const cut = [];
for (const each of document.querySelectorAll(`${arguments[0]}, ${arguments[0]} *`)) {
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
  if (!from.checkVisibility({opacityProperty: true})
      || from.closest('svg, code, style, .omp-sr, select, label')) continue;
  for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
    const range = document.createRange();
    range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1)
      broken.push(word[0]);
  }
}
const over = [], parts = 'header > *, .omp-bar-of :is(button, select), .omp-bar-of .widget-label,'
  + ' .omp-figures > li, th, td, input, .omp-found button, .omp-f > *, .omp-cmd, summary';
const placed = [...document.querySelectorAll(arguments[0])].flatMap(root =>
  [...root.querySelectorAll(parts)]).filter(each => each.checkVisibility(
  {opacityProperty: true, visibilityProperty: true}) && !each.matches('.omp-sr, .omp-late'));
for (const [at, one] of placed.entries()) for (const other of placed.slice(at + 1)) {
  if (one.contains(other) || other.contains(one)) continue;
  for (const a of one.getClientRects()) for (const b of other.getClientRects())
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
      over.push(one.textContent.slice(0, 30) + ' / ' + (other.value || other.textContent));
}
return [cut, broken, over];
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
    # The fold is open, so that all the rows are measured.
    book.one(".omp-more summary").click()
    for theme in ("Dark", "Light"):
        book.theme(theme)
        for width in (237, 620, 1200):
            book.js(set_width, width)
            time.sleep(0.3)
            book.shot(f"width_{width}_{theme.lower()}")
            for selector in (PANEL, ".jp-Cell:nth-of-type(2) .omp-magic",
                             ".jp-Cell:nth-of-type(3) .omp-magic"):  # fmt: skip
                assert (width, selector, *book.js(CUT, selector)) == (width, selector, [], [], [])
