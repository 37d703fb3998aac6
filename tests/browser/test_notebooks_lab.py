"""Each demo notebook as a person runs it: opened in JupyterLab, then "Run All Cells"."""

from __future__ import annotations

import importlib.util
import shutil

import pytest
from live import LINUX
from places import ROOT

from browser.lab import SHOTS, Lab
from browser.notebook import Notebook

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="chromium and its driver are Debian's"),
    pytest.mark.timeout(900),
]

NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
NEEDS = {"05_augmentation.ipynb": ("albumentations", "augraphy")}
"""Packages that are not among the tests' own; `make notebooks` has them."""


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_jupyterlab(lab: Lab, name: str) -> None:
    missing = [each for each in NEEDS.get(name, ()) if importlib.util.find_spec(each) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make notebooks` has them")
    project = lab.root / "project"
    shutil.copytree(ROOT / "notebooks", project / "notebooks", dirs_exist_ok=True)
    shutil.copytree(ROOT / "docs" / "images", project / "docs" / "images", dirs_exist_ok=True)
    book = Notebook(lab, project / "notebooks" / name)
    try:
        outputs = book.run_all(timeout=600)
        failed = [each for each in outputs if each["output_type"] == "error"]
        assert not failed, failed[0]["traceback"][-1]
        assert outputs
        SHOTS.mkdir(exist_ok=True)
        book.driver.save_screenshot(str(SHOTS / f"{name.removesuffix('.ipynb')}.png"))
        assert book.complaints() == []
    finally:
        book.close()
