"""The notebook of the dashboard: it holds on one CPU without a quota, and shows what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, LINUX

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "04_live_dashboard.ipynb"
IMAGES = ROOT / "docs" / "images"
PNG = b"\x89PNG\r\n\x1a\n"
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
nbformat.write(notebook, sys.argv[1])
"""


def cells() -> list[dict[str, Any]]:
    return list(json.loads(NOTEBOOK.read_text("utf-8"))["cells"])


@pytest.mark.skipif(not LINUX, reason="a process is held to one CPU: Linux only")
def test_it_holds_on_one_cpu_without_a_quota(tmp_path: Path) -> None:
    copy = tmp_path / NOTEBOOK.name
    shutil.copy(NOTEBOOK, copy)
    cpu = min(os.sched_getaffinity(0))
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(copy)],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
        env=CLEAN,
        preexec_fn=partial(os.sched_setaffinity, 0, {cpu}),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = json.dumps(json.loads(copy.read_text("utf-8")))
    assert "CPUs allowed: 1; CPUs to be seen: 1" in said
    assert "times as many products with the limit" in said


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
