"""What is run once more: a measured figure that was off, once a test, and seldom a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from live import Ended, run_program
from places import TESTS
from reruns import MOST, DisturbedError, measured

TESTED = """
from pathlib import Path
from reruns import measured, measures

def ran(name):
    with open(Path(__file__).with_name(name), "a") as file:
        file.write("x")
    return len(Path(__file__).with_name(name).read_text())
"""

PLUGIN = """
from reruns import Reruns

def pytest_configure(config):
    config.addinivalue_line("markers", "alone: for the tests")
    config.pluginmanager.register(Reruns())
"""


OFF = "with measured(): assert number == 2"


def run(folder: Path, tests: str) -> Ended:
    """Run pytest in a process of its own, with the plugin of these tests."""
    (folder / "conftest.py").write_text(PLUGIN, "utf-8")
    (folder / "test_it.py").write_text(TESTED + tests, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "-c", os.devnull, str(folder)]
    return run_program(command, 120, {"PYTHONPATH": str(TESTS), "PYTEST_ADDOPTS": ""})


def times(folder: Path, name: str) -> int:
    return len((folder / name).read_text())


def test_a_figure_that_was_off_once_is_measured_again_and_named(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "@measures\n"
        "def test_rate():\n"
        "    number = ran('rate')\n"
        "    with measured():\n"
        "        assert number == 2, 'a rate'\n",
    )
    assert (ended.code, times(tmp_path, "rate")) == (0, 2), ended.out
    assert "1 passed, 1 rerun" in ended.out
    assert "run once more: 1\n  test_it.py::test_rate: reruns.DisturbedError: a rate" in ended.out


def test_a_figure_that_is_off_twice_fails(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "@measures\ndef test_rate():\n    with measured():\n        assert ran('rate') > 2\n",
    )
    assert (ended.code, times(tmp_path, "rate")) == (1, 2), ended.out


@pytest.mark.parametrize(
    "body",
    [
        "assert number == 2",
        "raise ValueError('DisturbedError: as a text only')",
        "with measured(): raise TimeoutError",
        f"try:\n        {OFF}\n    finally: {{}}['no such key']",
        f"try:\n        {OFF}\n    except AssertionError as off: raise OSError('it was') from off",
    ],
    ids=["a plain assertion", "another error", "one in between", "one after", "one because of it"],
)
def test_no_other_failure_is_tried_again(tmp_path: Path, body: str) -> None:
    test = f"@measures\ndef test_it():\n    number = ran('it')\n    {body}\n"
    ended = run(tmp_path, test)
    assert (ended.code, times(tmp_path, "it")) == (1, 1), ended.out
    assert "run once more" not in ended.out


def test_without_the_mark_nothing_is_tried_again(tmp_path: Path) -> None:
    test = "def test_it():\n    with measured():\n        assert ran('it') == 2\n"
    ended = run(tmp_path, test)
    assert (ended.code, times(tmp_path, "it")) == (1, 1), ended.out


@pytest.mark.parametrize("more", [0, 1])
def test_a_run_that_tries_too_many_again_fails(tmp_path: Path, more: int) -> None:
    ended = run(
        tmp_path,
        "import pytest\n"
        f"@pytest.mark.parametrize('n', range({MOST + more}))\n"
        "@measures\n"
        "def test_it(n):\n"
        "    with measured():\n"
        "        assert ran(f'it{n}') == 2\n",
    )
    assert f"{MOST + more} passed" in ended.out
    assert f"run once more: {MOST + more}" in ended.out
    assert ended.code == more, ended.out
    assert (f"failed: more than {MOST} tests" in ended.out) == bool(more)


def test_what_a_measured_block_raises_says_what_was_off() -> None:
    figure = 3
    with pytest.raises(DisturbedError, match=r"assert 3 < 2"), measured():
        assert figure < 2
    with measured():
        assert figure == 3
