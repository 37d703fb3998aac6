"""Notebooks run as `make notebooks` does it, get the CPUs that they ask for, and are linked to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

import pytest
from live import CLEAN, LINUX
from places import ROOT

cgroups = pytest.mark.skipif(not LINUX, reason="cgroups: Linux only")

RUN = str(ROOT / "notebooks" / "run.py")
WHERE = """
import json
print(json.dumps([line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup")]))
import omp_magic
budget = omp_magic.snapshot().budget
print(json.dumps([budget.quota_cpus, budget.threads]))
"""


BINDER = re.compile(r"https://mybinder\.org/v2/[^\s)\"'<>\\]+")
OURS = "https://mybinder.org/v2/gh/omp-magic/omp_magic/main?urlpath=lab/tree/"


def write(path: Path, *cells: str, cpus: float | None = None) -> Path:
    empty: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    notebook = {
        "cells": [{**empty, "id": str(n), "source": cell} for n, cell in enumerate(cells)],
        "metadata": {} if cpus is None else {"omp_magic": {"cpus": cpus}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RUN, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=CLEAN,
    )


def run(folder: Path, *cells: str) -> str:
    path = write(folder / "asking.ipynb", *cells, cpus=0.5)
    ended = call("--show", "omp_magic", str(path))
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


@cgroups
def test_a_kernel_gets_the_quota_and_the_group_goes(tmp_path: Path) -> None:
    said = run(tmp_path, WHERE)
    assert "[0.5, 1]" in said
    assert said.endswith("exit 0")
    (group,) = groups_of(said)
    assert not is_there(group)


@cgroups
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


@cgroups
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


def test_one_that_fails_says_which_cell_and_the_others_run(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.ipynb", "a = 1", "# The second\n1 / 0", "b = 2")
    dead = write(tmp_path / "dead.ipynb", "import os\nos._exit(3)")
    good = write(tmp_path / "good.ipynb", "print(6 * 7)")
    texts = [path.read_text("utf-8") for path in (bad, dead, good)]
    ended = call(str(bad), str(dead), str(good))
    assert ended.returncode == 1
    assert f"{bad} failed in code cell 2 (# The second):" in ended.stderr
    assert "ZeroDivisionError" in ended.stderr
    assert f"{dead} failed in code cell 1 (import os):" in ended.stderr
    assert f"{good}: 1 cells ran without an error" in ended.stdout
    last = ended.stdout.strip().split("\n")[-1]
    assert re.fullmatch(r"1 passed, 2 failed in \d+\.\ds", last)
    assert [path.read_text("utf-8") for path in (bad, dead, good)] == texts


@pytest.mark.skipif(os.name != "posix", reason="paths are written with backslashes on Windows")
def test_one_is_saved_without_the_paths_of_this_machine(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile\n"
        "print(sys.prefix, tempfile.gettempdir() + '/x', '/usr/lib/here')\n"
        "{'html': sys.executable}"
    )
    path = write(tmp_path / "telling.ipynb", code)
    ended = call("--save", str(path))
    assert ended.returncode == 0, ended.stderr
    assert "the environment is saved as /… in the outputs of code cell 1" in ended.stdout
    (cell,) = json.loads(path.read_text("utf-8"))["cells"]
    said = json.dumps(cell["outputs"], ensure_ascii=False)
    assert "/… /…/x /usr/lib/here" in said
    assert sys.prefix not in said
    assert tempfile.gettempdir() not in said.replace("/…", "")


def test_a_bar_is_saved_as_it_stands_at_the_end(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "for n in range(3):\n"
        "    print(f'\\r{n} of 2', end='', flush=True)\n"
        "    time.sleep(0.2)\n"
        "print('\\nafter', flush=True)\n"
        "time.sleep(0.5)\n"
        "print('aside', file=sys.stderr, flush=True)\n"
        "display(1)\n"
        "print('last')"
    )
    path = write(tmp_path / "drawing.ipynb", code)
    ended = call("--save", str(path))
    assert ended.returncode == 0, ended.stderr
    (cell,) = json.loads(path.read_text("utf-8"))["cells"]
    said = [(each.get("name"), "".join(each.get("text", ""))) for each in cell["outputs"]]
    assert ("stdout", "2 of 2\nafter\n") in said
    assert ("stderr", "aside\n") in said
    assert said[-2:] == [(None, ""), ("stdout", "last\n")]


def test_no_notebook_was_saved_with_the_paths_of_this_machine() -> None:
    wrong = re.compile(r"/(home|root|Users|work|tmp)/")
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert paths
    for path in paths:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found = [wrong.search(json.dumps(cell.get("outputs", []))) for cell in cells]
        assert not any(found), path.name


def test_each_link_to_binder_opens_a_notebook_that_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("notebooks/*.ipynb")]
    links = {link for page in pages for link in BINDER.findall(page.read_text("utf-8"))}
    assert links
    for link in links:
        assert link.startswith(OURS), link
        target = urllib.parse.unquote(link.removeprefix(OURS))
        assert target.endswith(".ipynb"), link
        assert (ROOT / target).is_file(), link


def test_binder_takes_python_and_requirements_in_the_form_that_it_reads() -> None:
    assert re.fullmatch(r"python-3\.\d+\n?", (ROOT / "binder/runtime.txt").read_text("utf-8"))
    lines = (ROOT / "binder/requirements.txt").read_text("utf-8").split("\n")
    (wanted,) = [line for line in lines if line and not line.startswith("#")]
    extras = re.fullmatch(r"\.\[([a-z,]+)\]", wanted)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for extra in extras.group(1).split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


@pytest.mark.parametrize(
    "page",
    ["README.md", "README.ko.md", "docs/howto/containers.md", "docs/explanation/how-many-cpus.md"],
)
def test_the_figures_of_a_quota_are_those_of_the_saved_notebook(page: str) -> None:
    notebook = json.loads((ROOT / "notebooks" / "02_containers.ipynb").read_text("utf-8"))
    said = "".join(
        line
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for line in output.get("data", {}).get("text/plain", [])
    )
    columns = r"fit +([\d.]+) +([\d.]+) +[\d.]+ +[\d.]+ +([\d.]+) +([\d.]+)"
    row = re.search(columns, said)
    assert row is not None
    text = (ROOT / page).read_text("utf-8")
    assert set(row.groups()) <= set(re.findall(r"\d\.\d\d", text))
