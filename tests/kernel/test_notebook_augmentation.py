"""The notebook of image augmentation: what it was saved with, its parts, and a run where it can."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing.pool import ThreadPool
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from live import CLEAN, LINUX
from places import ROOT
from plans import Case, cells_of, row

NOTEBOOK = ROOT / "notebooks" / "05_augmentation.ipynb"
MISSING = [
    name for name in ("albumentations", "augraphy", "cv2") if importlib.util.find_spec(name) is None
]


def cells(kind: str = "code") -> list[dict[str, Any]]:
    found = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return [
        {**each, "source": "".join(each["source"])} for each in found if each["cell_type"] == kind
    ]


def source(beginning: str) -> str:
    (found,) = [each["source"] for each in cells() if each["source"].startswith(beginning)]
    return str(found)


def functions(cell: str, *names: str, **made: Any) -> list[Any]:
    """Give functions of a cell, and nothing else of it; `made` is what they find around them."""
    kept = [each for each in ast.parse(cell).body if getattr(each, "name", None) in names]
    exec(compile(ast.Module(kept, []), str(NOTEBOOK), "exec"), made)
    return [made[name] for name in names]


def said() -> str:
    return json.dumps([each["outputs"] for each in cells()], ensure_ascii=False)


def test_it_was_saved_with_all_its_parts() -> None:
    outputs = said()
    for words in (
        "images/s",
        "times as fast under the plan",
        "threads in a worker",
        "images under way, of",
        "in each of them failed",
        "after a fork",
        "colour (BLAS)",
        "shared memory",
        "100%|",
    ):
        assert words in outputs, words
    assert not [each for each in cells() if each["execution_count"] is None]
    assert '"output_type": "error"' not in outputs
    assert '"stderr"' not in outputs


def test_it_has_no_path_of_a_machine_and_stays_small() -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert len(text) < 150_000
    words = re.sub(r'"image/[a-z]+": "[^"]*"', "", text)  # letters of base64 may spell anything
    assert len(words) < len(text)
    for place in ("/tmp", "/home/", "/root", "/work", "/var/folders", "pyenv", sys.prefix):
        assert place not in words, place


class Run:
    """Counts what is under way, as the notebook's own does."""

    def __init__(self, images: int) -> None:
        self.sources = [np.full((2, 3, 3), number, np.uint8) for number in range(images)]
        self.given = self.taken = self.most = 0

    def task(self, number: int) -> tuple[int, np.ndarray]:
        self.given += 1
        self.most = max(self.most, self.given - self.taken)
        return number, self.sources[number]


@pytest.fixture
def ways() -> Iterator[tuple[list[Any], Any]]:
    """The notebook's bounded ways, on threads: their pool feeds as one of processes does."""
    blocks: dict[str, SharedMemory] = {}

    def attempt_shared(task: tuple[int, str, int, tuple[int, ...]]) -> tuple[Any, ...]:
        number, name, offset, shape = task
        block = blocks.setdefault(name, SharedMemory(name))
        np.ndarray(shape, np.uint8, block.buf, offset)[:] += 1
        return number, offset, shape, None

    around = {
        "IMAGES": 40,
        "ROOM": 3,
        "SOURCES": Run(40).sources,
        "SharedMemory": SharedMemory,
        "augmenting": SimpleNamespace(
            attempt=lambda task: (task[0], task[1] + 1, None), attempt_shared=attempt_shared
        ),
        "np": np,
        "queue": queue,
        "threading": threading,
    }
    pool = ThreadPool(2)
    yield functions(source("import queue\n"), "imap", "shared_memory", **around), pool
    pool.close()
    closing = threading.Thread(target=pool.join, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive(), "a feeder waits for ever"
    for block in blocks.values():
        block.close()


@pytest.mark.parametrize("way", [0, 1])
def test_no_more_than_was_said_is_under_way(ways: tuple[list[Any], Any], way: int) -> None:
    functions_of, pool = ways
    run = Run(40)
    for number, picture, error in functions_of[way](SimpleNamespace(pool=pool), run):
        time.sleep(0.005)
        run.taken += 1
        assert error is None
        assert (picture == number + 1).all()
    assert (run.taken, run.given) == (40, 40)
    assert 1 <= run.most <= 3


@pytest.mark.parametrize("way", [0, 1])
def test_who_stops_taking_does_not_hold_up_the_pool(ways: tuple[list[Any], Any], way: int) -> None:
    functions_of, pool = ways
    results = functions_of[way](SimpleNamespace(pool=pool), Run(40))
    assert len(list(islice(results, 2))) == 2
    results.close()


def test_a_difference_is_called_one_only_where_all_rounds_agree(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import pandas as pd

    (say,) = functions(source("import contextlib\n"), "say")
    table = pd.DataFrame(
        {"ratio": [1.4, 1.4, 0.5], "lowest": [1.1, 0.9, 0.4], "highest": [1.9, 2.0, 0.8]},
        index=["all", "some", "none"],
    )
    say(table)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "all 1.40 times as fast under the plan",
        "some no difference beyond noise",
        "none 2.00 times as slow under the plan",
    ]


def test_what_workers_run_stands_in_a_module_and_does_not_phone_home() -> None:
    module = source("%%writefile").partition("\n")[2]
    names = {each.name for each in ast.parse(module).body if isinstance(each, ast.FunctionDef)}
    codes = [each["source"] for each in cells()]
    asked = re.findall(r"(?<!/)\baugmenting\.([a-z]\w*)", "\n".join(codes))
    assert asked
    assert set(asked) <= names
    first = next(n for n, each in enumerate(codes) if "NO_ALBUMENTATIONS_UPDATE" in each)
    assert not [each for each in codes[:first] if "import albumentations" in each]


def test_the_benchmark_finds_the_cells_and_asks_a_ratio_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawing, module = cells_of(NOTEBOOK, "import cv2\n", "%%writefile ")
    assert "def image(number):" in drawing
    assert "def attempt(task):" in module
    case = Case("of a kind", contextlib.nullcontext, print, [])  # type: ignore[arg-type]
    assert row(case, [2.0, 2.0, 9.0], [1.0, 1.0, 9.0])
    assert not row(case, [1.0, 1.0, 9.0], [1.0, 1.0, 1.0])
    assert row(replace(case, asked=False), [1.0], [1.0])
    lines = capsys.readouterr().out.splitlines()
    assert ["MISSED" in line for line in lines] == [False, True, False]
    assert lines[0].split()[3:] == ["2.00", "1.00", "0.50", "0.50-1.00"]


@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.skipif(not LINUX, reason="fork and forkserver: Linux")
@pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; make test-notebooks"
)
@pytest.mark.parametrize("cpus", [1, None])
def test_it_runs(tmp_path: Path, cpus: int | None) -> None:
    """On one CPU and on all: each cell runs, and nothing stays behind."""
    copy = tmp_path / NOTEBOOK.name
    shutil.copy(NOTEBOOK, copy)
    allowed = sorted(os.sched_getaffinity(0))[:cpus]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / "run.py"), "--no-quota", "--save", str(copy)],
        check=False,
        capture_output=True,
        text=True,
        timeout=800,
        env=CLEAN,
        preexec_fn=partial(os.sched_setaffinity, 0, allowed),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
    assert os.listdir(tmp_path) == [copy.name]
    assert "leaked" not in ended.stderr  # multiprocessing's word for shared memory that was left
    outputs = json.dumps(json.loads(copy.read_text("utf-8")))
    assert f"CPUs allowed: {len(allowed)}" in outputs
    if len(allowed) == 1:
        assert "what differs below is noise" in outputs
