"""The notebook of the dashboard where there is one CPU and no quota."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from live import CLEAN, LINUX
from places import ROOT

NOTEBOOK = ROOT / "notebooks" / "04_live_dashboard.ipynb"


RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.mark.timeout(700)
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
        timeout=600,
        env=CLEAN,
        preexec_fn=partial(os.sched_setaffinity, 0, {cpu}),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    said = json.dumps(json.loads(copy.read_text("utf-8")))
    assert "CPUs allowed: 1; CPUs to be seen: 1" in said
    assert "times as many products with the limit" in said
