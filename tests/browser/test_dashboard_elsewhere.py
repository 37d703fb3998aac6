"""The dashboard in Notebook 7 and in Voilà: ticks come, and a click works.

Both are served by JupyterLab's server, of which they are extensions. In Voilà there are no cells to
run, so that nothing is tried there while one runs.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from live import LINUX

from browser.lab import SHOTS, Lab, wait_for
from browser.notebook import write_notebook

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(300),
]

CELLS = ["import numpy\n%load_ext omp_magic\n%omp_dashboard"]
PLACES = {"notebook": "notebooks", "voila": "voila/render"}


@contextlib.contextmanager
def opened(lab: Lab, address: str) -> Iterator[Any]:
    """Open a page in a tab of its own."""
    handle = lab.driver.current_window_handle
    lab.driver.switch_to.new_window("tab")
    try:
        lab.driver.get(f"{lab.url}/{address}")
        yield lab.driver
    finally:
        lab.driver.execute_script("window.onbeforeunload = null;")
        lab.driver.close()
        lab.driver.switch_to.window(handle)


def tick(driver: Any) -> int:
    """Give the number of the tick that shows; -1 without a panel."""
    code = (
        "const live = document.querySelector('.omp-dash:not(.omp-static) .omp-live');"
        "return live ? +live.dataset.tick : -1"
    )
    return int(driver.execute_script(code))


def click(driver: Any, text: str) -> None:
    """Click the panel's button that says this."""
    code = (
        "return [...document.querySelectorAll('.omp-dash button')].find("
        "each => each.textContent.trim() === arguments[0])"
    )
    button = wait_for(f"a button {text}", lambda: driver.execute_script(code, text))
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def run_first_cell(driver: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def idle() -> bool:
        status = driver.find_elements("css selector", "[data-status=idle]")
        return bool(status) or "Idle" in driver.page_source

    wait_for("the kernel is idle", idle, 60)
    (cell,) = driver.find_elements("css selector", ".jp-CodeCell .cm-content")
    cell.click()
    ActionChains(driver).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()


@pytest.mark.parametrize("place", PLACES)
def test_ten_ticks_and_a_click(lab: Lab, place: str) -> None:
    if importlib.util.find_spec(place) is None:
        pytest.skip(f"{place} cannot be installed here")
    path = lab.root / f"elsewhere_{place}.ipynb"
    write_notebook(path, CELLS)
    with opened(lab, f"{PLACES[place]}/{path.name}") as driver:
        if place == "notebook":
            run_first_cell(driver)
        first = wait_for("a panel", lambda: (number := tick(driver)) > 0 and number, 90)
        wait_for("ten ticks", lambda: tick(driver) >= first + 10)
        # What is kept beside it hides.
        twins = "return [...document.querySelectorAll('.omp-static')].map(e => e.checkVisibility())"
        assert driver.execute_script(twins) == [False]
        SHOTS.mkdir(exist_ok=True)
        driver.save_screenshot(str(SHOTS / f"{place}.png"))
        click(driver, "pause")
        said = "return document.querySelector('.omp-dash .omp-msg').textContent"
        wait_for("it is paused", lambda: driver.execute_script(said) == "paused")
        click(driver, "resume")
        stands = tick(driver)
        wait_for("it goes on", lambda: tick(driver) > stands)
