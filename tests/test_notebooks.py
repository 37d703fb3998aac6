"""A notebook gets the CPUs that it asks for, and was saved with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from live import CLEAN, LINUX

pytestmark = pytest.mark.skipif(not LINUX, reason="cgroups: Linux only")

ROOT = Path(__file__).parent.parent
RUN = str(ROOT / "notebooks" / "run.py")
WHERE = """
import json
print(json.dumps([line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup")]))
import omp_magic
budget = omp_magic.snapshot().budget
print(json.dumps([budget.quota_cpus, budget.threads]))
"""


def run(folder: Path, *cells: str) -> str:
    empty: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    notebook = {
        "cells": [{**empty, "id": str(n), "source": cell} for n, cell in enumerate(cells)],
        "metadata": {"omp_magic": {"cpus": 0.5}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "asking.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    ended = subprocess.run(
        [sys.executable, RUN, "--show", "omp_magic", str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=CLEAN,
    )
    if "without a quota" in ended.stdout:
        pytest.skip(ended.stdout.split("\n")[1])
    return f"{ended.stdout}\nexit {ended.returncode}"


def groups_of(text: str) -> list[str]:
    """Give the groups that a kernel said it was in, and that were made for it."""
    listed = next(line for line in text.split("\n") if line.startswith('["'))
    return [group for group in json.loads(listed) if "/notebook" in group]


def is_there(group: str) -> bool:
    return any(os.path.exists(root + group) for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/cpu"))


def has_ended(pid: int) -> bool:
    """Tell whether it has; whoever inherited it may not have reaped it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_a_kernel_gets_the_quota_and_the_group_goes(tmp_path: Path) -> None:
    said = run(tmp_path, WHERE)
    assert "[0.5, 1]" in said
    assert said.endswith("exit 0")
    (group,) = groups_of(said)
    assert not is_there(group)


def test_the_group_goes_when_a_cell_fails_and_leaves_a_process(tmp_path: Path) -> None:
    left = tmp_path / "left"
    code = (
        f"{WHERE}\n"
        "import subprocess, sys\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(sleep, start_new_session=True)\n"
        "listed = [line.split(':', 2)[2].strip() for line in open('/proc/self/cgroup')]\n"
        f"open({str(left)!r}, 'w').write(json.dumps([child.pid, json.dumps(listed)]))\n"
        "1 / 0"
    )
    said = run(tmp_path, code)
    assert said.endswith("exit 1")
    pid, listed = json.loads(left.read_text("utf-8"))
    (group,) = groups_of(listed)
    assert not is_there(group)
    assert has_ended(pid)


def test_a_quota_that_is_refused_leaves_no_group() -> None:
    code = (
        "import os, quota\n"
        "name = f'omp_magic_refused_{os.getpid()}'\n"
        "try:\n"
        "    quota.make_group(0, name)\n"
        "except OSError:\n"
        "    roots = ('/sys/fs/cgroup', '/sys/fs/cgroup/cpu')\n"
        "    print([root for root in roots if os.path.exists(f'{root}/{name}')])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "benchmarks",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout == "[]\n"


def test_the_containers_notebook_was_saved_with_half_a_cpu() -> None:
    text = (ROOT / "notebooks" / "02_containers.ipynb").read_text("utf-8")
    notebook = json.loads(text)
    assert notebook["metadata"]["omp_magic"] == {"cpus": 0.5}
    said = json.dumps([cell.get("outputs", []) for cell in notebook["cells"]])
    assert "0.5 CPUs by quota" in said
    assert "times as fast" in said
