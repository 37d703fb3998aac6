"""The project's own tests in the Windows Python: pure code's run, all can be collected."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

from wine import windows

_LIMIT_S = 900
_LEFT_OUT = ("__pycache__", ".*", "_build", "build", "dist", "shots")


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A copy of this checkout on C:, without what is hidden or made."""
    windows.WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=windows.WORK, ignore_cleanup_errors=True) as name:
        copy = Path(name) / "checkout"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        yield copy


def _pytest(checkout: Path, *words: str) -> windows.Completed:
    return windows.python(
        *("-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *words),
        folder=checkout,
        timeout=_LIMIT_S,
    )


def test_the_tests_of_pure_code_pass(checkout: Path) -> None:
    ended = _pytest(checkout, "tests/pure")
    print(ended.stdout[-4000:])
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", ended.stdout, re.MULTILINE)
    assert failed == []
    assert ended.code == 0, ended.stderr[-4000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    assert int(passed[1]) > 1600


def test_all_tests_can_be_collected(checkout: Path) -> None:
    """Those of the browser need nbformat, and so rpds, which needs a DLL that Wine 8.0 lacks."""
    ended = _pytest(checkout, "--collect-only", "tests", "--ignore=tests/browser")
    assert ended.code == 0, ended.stdout[-4000:]
