"""The dashboard in the other front-ends with widgets, Notebook 7 and Voilà, in a real Chromium."""

from __future__ import annotations

import os
import re
import signal

import pytest
from live import LINUX

from browser.lab import Lab, wait_for
from browser.notebook import OPEN, Notebook, new_notebook
from browser.page import PANEL, Page

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(300),
]


def ten_ticks(page: Page) -> None:
    """Check that ten ticks show in order, in one panel."""
    page.watch_frames()
    frames = wait_for("ten ticks", lambda: len(found := page.frames()) >= 10 and found)
    numbers = [number for number, _, _ in frames]
    assert numbers == sorted(set(numbers))
    assert page.text("b.omp-verdict")
    assert page.text(".omp-state").startswith("Live")
    # One panel: what is saved beside it hides while it shows.
    assert page.script(
        "return [...document.querySelectorAll('.omp-dash')].filter("
        "each => each.checkVisibility()).length"
    ) == 1  # fmt: skip


def a_click(page: Page) -> None:
    """Check that a button does what it says."""
    page.click("pause")
    page.says("paused")
    stands = page.number()
    page.click("resume")
    wait_for("a tick", lambda: page.number() > stands)


def says_that_it_has_ended(page: Page, cure: str) -> None:
    """Check what a person sees in the panel of a kernel that has died."""
    wait_for("it says so", lambda: page.shows(f"{PANEL} b.omp-ended"), 60)
    assert "Live" not in page.text(".omp-live")
    assert f"{cure} for a new panel." in page.text(".omp-live")
    assert not page.shows(f"{PANEL} button")


def test_in_notebook_7(lab: Lab) -> None:
    """It stays live while a cell runs, and its boxes set a limit, as in JupyterLab."""
    pytest.importorskip("notebook", reason="Notebook 7 cannot be installed here")
    count = "import omp_magic; print(json.dumps(omp_magic.snapshot().pools[0].num_threads))"
    book = Notebook(lab, [OPEN, "time.sleep(5)", count, "os.kill(os.getpid(), 9)"], "notebooks")
    try:
        book.run(0)
        wait_for("the panel shows", lambda: book.number() > 0)
        book.start(1)
        a_click(book)
        assert book.running(1)
        ten_ticks(book)
        book.wait(1)
        book.limit("OpenBLAS", 1)
        book.says("limit OpenBLAS (numpy) 1")
        assert book.value(2) == 1
        book.shot("notebook7")
        book.start(3)
        says_that_it_has_ended(book, "Run its cell again")
    finally:
        book.close()


def test_in_voila(lab: Lab) -> None:
    """The page of an executed notebook.

    Voilà shows widgets when the last cell has ended, and has no cells to run then: so no cell runs
    under a panel there, and nothing comes after it that a limit could be measured in. What is in
    force is read from the panel, which has asked the kernel. Nor does it say that a kernel has
    died: the panel alone does.
    """
    pytest.importorskip("voila", reason="Voilà cannot be installed here")
    path = new_notebook(lab, [OPEN, "print('pid', os.getpid())"])
    page = Page(lab)
    page.driver.get(f"{lab.url}/voila/render/{path.name}")
    try:
        wait_for("the panel shows", lambda: page.number() > 0, 60)
        ten_ticks(page)
        a_click(page)
        page.limit("OpenBLAS", 1)
        page.says("limit OpenBLAS (numpy) 1")
        limited = wait_for("the limit", lambda: page.text(".omp-lim"))
        assert limited.startswith("limit OpenBLAS (numpy) 1, set by ")
        page.shot("voila")
        said = page.script("return document.body.innerText")
        os.kill(int(re.findall(r"pid (\d+)", said)[-1]), signal.SIGKILL)
        says_that_it_has_ended(page, "Load the page again")
    finally:
        page.driver.get("about:blank")
