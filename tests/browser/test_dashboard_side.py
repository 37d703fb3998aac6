"""`%omp_dashboard --side` in a real JupyterLab: the panel in its sidebar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from browser.lab import Lab, wait_for
from browser.notebook import OPEN, Notebook

ASIDE = OPEN.replace("%omp_dashboard", "dash = %omp_dashboard --side --interval 0.5")
CLOSED = (
    "from ipywidgets.widgets import widget\n"
    "print(json.dumps([dash.closed, len(dash._live.panels), len(widget._instances)]))"
)
X = ".jp-SideBar.jp-mod-right .lm-mod-closable.lm-mod-current .lm-TabBar-tabCloseIcon"


def sidebar(book: Notebook) -> int:
    """Give how many panels the sidebar shows."""
    code = (
        "return [...document.querySelectorAll('#jp-right-stack .omp-dash:not(.omp-static)')]"
        ".filter(each => each.getBoundingClientRect().width > 100).length"
    )
    return int(book.js(code))


def kept(lab: Lab) -> bool:
    """Whether what a cell keeps for a reader without this kernel shows."""
    found = lab.driver.find_elements("css selector", ".jp-Notebook .omp-static")
    return any(each.is_displayed() for each in found)


def close_by_hand(lab: Lab) -> None:
    """Click the x of the sidebar's tab; what shows there belongs to the tab around it."""
    from selenium.webdriver.common.action_chains import ActionChains

    found = lab.driver.find_element("css selector", X)
    ActionChains(lab.driver).move_to_element(found).click().perform()


@pytest.fixture
def aside(notebook: Callable[..., Notebook]) -> Callable[..., Notebook]:
    pytest.importorskip("sidecar", reason="sidecar cannot be installed here")
    return lambda *cells: notebook(*cells, first=ASIDE)


def test_the_panel_is_at_the_side_and_ticks_while_a_cell_runs(
    lab: Lab, aside: Callable[..., Notebook]
) -> None:
    book = aside(
        "end = time.time() + 6\nwhile time.time() < end: pass",
        CLOSED,
        "%omp_dashboard off",
        "%reload_ext omp_magic",
    )
    said, shown = book.outputs(0)
    assert "it is at the right of JupyterLab's page" in "".join(said["text"])
    assert sorted(shown["data"]) == ["text/html", "text/plain"]
    assert (sidebar(book), len(book.panels()), kept(lab)) == (1, 1, False)
    book.start(1)
    first = book.number()
    wait_for("five ticks", lambda: book.number() >= first + 5)
    assert book.running(1)
    book.shot("side")
    book.wait(1)
    book.limit("OpenBLAS", 1)
    book.says("limit OpenBLAS")
    assert book.complaints() == []

    # A page that is loaded again has it at the side again; its x closes the panel.
    book.command("docmanager:save")
    book.load()
    wait_for("it is at the side again", lambda: sidebar(book) == 1)
    book.run(4)  # a reload keeps it too
    book.next_tick()
    close_by_hand(lab)
    wait_for("nothing at the side", lambda: sidebar(book) == 0)
    wait_for("the panel is closed", lambda: book.value(2) == [True, 0, 0])
    wait_for("what is kept shows", lambda: kept(lab))

    # `off` takes it out of the sidebar.
    book.run(0)
    wait_for("it shows anew", lambda: sidebar(book) == 1)
    book.run(3)
    wait_for("off has closed it", lambda: sidebar(book) == 0)
    assert book.value(2) == [True, 0, 0]


def test_without_sidecar_one_line_says_what_to_install(notebook: Callable[..., Notebook]) -> None:
    book = notebook("import sys; sys.modules['sidecar'] = None", "%omp_dashboard --side")
    book.run(1)
    outputs: list[dict[str, Any]] = book.run(2)
    (said,) = outputs
    line = "".join(said["text"])
    assert line.count("\n") == 1
    assert line.endswith("run: %pip install sidecar\n")
    assert len(book.panels()) == 1
