"""A cluster's live panel in a real JupyterLab and Chromium: what shows, and is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live import LINUX

from browser.lab import Lab, wait_for
from browser.notebook import Notebook

pytest.importorskip("distributed", reason="distributed is not here")
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(600),
]

OPEN = """\
%load_ext omp_magic
from distributed import LocalCluster
cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
client = cluster.get_client()
"""
LIVE = "%omp_cluster client --live ;"
GRID = "[class*=omp-dash-] .omp-grid"
SAVED = "[class*=omp-saved-]"
SHOWN = "return [...document.querySelectorAll(arguments[0])].some(each => each.offsetHeight > 0)"


@pytest.fixture
def book(lab: Lab) -> Iterator[Notebook]:
    made = Notebook(lab, [OPEN, LIVE, "client.close(); cluster.close()"])
    made.run(0)
    made.run(1)
    wait_for("the panel shows", lambda: made.js(SHOWN, GRID))
    yield made
    made.run(2)
    made.close()


def test_a_panel_stays_as_a_person_has_unfolded_it(book: Notebook) -> None:
    assert not book.js(SHOWN, SAVED)
    line = "return document.querySelector(arguments[0]).textContent.match(/looked at [0-9:]+/)[0]"
    first = book.js(line, GRID)
    book.js("document.querySelector(arguments[0] + ' details').open = true", GRID)
    wait_for("it has looked again", lambda: book.js(line, GRID) != first)
    assert book.js("return document.querySelector(arguments[0] + ' details').open", GRID)
    book.shot("cluster", GRID)
    book.js("document.querySelector(arguments[0] + ' button').click()", GRID)
    wait_for("what was seen last is left", lambda: book.js(SHOWN, SAVED))
    assert not book.js(SHOWN, GRID)
    assert "2 of 2 workers answered" in book.js(
        "return document.querySelector(arguments[0]).textContent", SAVED
    )
    assert book.complaints() == []
