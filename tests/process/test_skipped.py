"""The job's summary tells of a real run of pytest what was skipped, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS
from skipped import outcomes, summary

TRIED = """
import pytest

def test_passes(): pass

@pytest.mark.skipif(True, reason="reads /proc | <Linux> only")
def test_is_left_out(): pass

@pytest.mark.parametrize("number", range(15))
def test_leaves_itself_out(number): pytest.skip("no gcc:\\n  extensions are built with it")

def test_fails(): assert False

@pytest.fixture
def lacking(): pytest.skip("nothing to be had")

def test_needs(lacking): pass

@pytest.fixture
def broken(): raise OSError

def test_is_broken(broken): pass
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    (tmp_path / "test_tried.py").write_text(TRIED, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", "test_tried.py"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    return tmp_path / "report.xml"


def test_each_reason_is_told_once_with_its_tests(report: Path) -> None:
    found = outcomes([report])
    assert (found.passed, len(found.failed)) == (1, 2)
    assert {reason: len(tests) for reason, tests in found.skipped.items()} == {
        "no gcc: extensions are built with it": 15,
        "nothing to be had": 1,
        "reads /proc | <Linux> only": 1,
    }
    text = summary("windows-latest", found)
    assert "1 passed, 2 failed, 17 skipped" in text
    assert "| 15 | no gcc: extensions are built with it |" in text
    assert "and 3 more" in text
    assert r"reads /proc \| &lt;Linux> only" in text
    assert "`test_tried::test_is_left_out`" in text
    assert "* failed: `test_tried::test_fails`" in text
    assert "* failed: `test_tried::test_is_broken`" in text


def test_the_program_adds_to_the_jobs_summary(report: Path, tmp_path: Path) -> None:
    place = tmp_path / "summary.md"
    place.write_text("before\n", "utf-8")
    missing = str(tmp_path / "missing.xml")
    command = [sys.executable, str(TESTS / "checks" / "skipped.py"), "a job", str(report), missing]
    ended = subprocess.run(
        command,
        check=True,
        env={"GITHUB_STEP_SUMMARY": str(place), "PATH": "", "SYSTEMROOT": r"C:\Windows"},
        timeout=60,
    )
    assert ended.returncode == 0
    text = place.read_text("utf-8")
    assert text.startswith("before\n### a job\n")
    assert f"* no report: {missing}" in text
    assert "17 skipped" in text


def test_a_run_without_skips_says_so(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text("<testsuites><testcase name='a'/></testsuites>", "utf-8")
    assert summary("x", outcomes([tmp_path / "r.xml"])).count("|") == 0
