"""The notebook of the dashboard: it holds on one CPU without a quota, and shows what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

NOTEBOOK = ROOT / "notebooks" / "04_live_dashboard.ipynb"
IMAGES = ROOT / "docs" / "images"
PNG = b"\x89PNG\r\n\x1a\n"


def cells() -> list[dict[str, Any]]:
    return list(json.loads(NOTEBOOK.read_text("utf-8"))["cells"])


def test_saved_outputs_show_the_panel_without_a_kernel() -> None:
    panels = [
        output["data"]
        for cell in cells()
        for output in cell.get("outputs", [])
        if "omp-live" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    assert len(panels) == 3
    for data in panels:
        # A trusted notebook would show "Error displaying widget: model not found" instead.
        assert set(data) == {"text/html", "text/plain"}
        assert "OpenBLAS (numpy)" in "".join(data["text/plain"])
    # Throttled, and then not: its curve has a history.
    assert "throttled in" in "".join(panels[-1]["text/plain"])
    assert not any(cell.get("execution_count", 0) is None for cell in cells())


def test_pictures_in_it_are_there_and_have_a_text() -> None:
    found = re.findall(r"!\[([^]]*)\]\(([^)]*)\)", "".join("".join(c["source"]) for c in cells()))
    assert found
    for text, link in found:
        assert len(text) > 40
        assert (NOTEBOOK.parent / link).resolve().read_bytes().startswith(PNG)


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.png")), ids=lambda path: path.stem)
def test_a_picture_is_sharp_and_small(path: Path) -> None:
    data = path.read_bytes()
    assert data.startswith(PNG)
    # The width in pixels, of a picture that is shown half as wide (PNG specification, IHDR).
    assert 1400 <= int.from_bytes(data[16:20], "big") <= 1800
    assert len(data) <= 200_000


def test_each_picture_has_its_twin_for_the_other_theme() -> None:
    names = {path.stem for path in IMAGES.glob("*.png")}
    assert {"status-light", "panel-light", "warning-light"} <= names
    light = {name.removesuffix("-light") for name in names if name.endswith("-light")}
    dark = {name.removesuffix("-dark") for name in names if name.endswith("-dark")}
    assert light == dark
