"""One JupyterLab and one browser for all tests here; each test has notebooks of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from browser.lab import Lab, wait_for, wanted
from browser.notebook import OPEN, Notebook


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    wanted()
    started = Lab(tmp_path_factory.mktemp("lab"))
    yield started
    started.close()


@pytest.fixture
def notebook(lab: Lab) -> Iterator[Callable[..., Notebook]]:
    """Give notebooks whose first cell has opened the dashboard."""
    opened: list[Notebook] = []

    def make(*cells: str, first: str = OPEN) -> Notebook:
        made = Notebook(lab, [first, *cells])
        opened.append(made)
        made.run(0)
        wait_for("the panel shows", lambda: made.number() > 0)
        return made

    yield make
    for each in opened:
        each.close()
