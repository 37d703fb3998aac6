"""What README and CHANGELOG say is true of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from live import LINUX

from omp_magic import __version__
from omp_magic.catalog import BY_KEY
from omp_magic.rules import RULES
from omp_magic.standin import NAMES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_findings_in_the_readme_are_the_rules() -> None:
    rows = re.findall(r"^\| (OMP\d+) \| (\w+) \| (.*) \|$", README, re.MULTILINE)
    assert [row[:2] for row in rows] == [(rule.code, rule.severity) for rule in RULES]
    for (_, _, said), rule in zip(rows, RULES, strict=True):
        assert said.replace("`", "") == rule.summary


def test_the_readme_names_every_magic_and_family() -> None:
    for kind, names in NAMES.items():
        for name in names:
            assert ("%%" if kind == "cell" else "%") + name in README
    for family in BY_KEY:
        assert f"`{family}`" in README


def test_the_pages_of_findings_are_those_of_the_rules() -> None:
    """`make docs` writes them."""
    folder = ROOT / "docs" / "findings"
    sys.path.insert(0, str(folder.parent))
    try:
        from write_findings import pages
    finally:
        sys.path.remove(str(folder.parent))
        sys.modules.pop("write_findings", None)
    written = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert written == pages()


@pytest.mark.skipif(not LINUX, reason="the notebook's outputs are those of Linux")
@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_a_notebook_runs_from_top_to_bottom(name: str) -> None:
    command = [sys.executable, "notebooks/run.py", f"notebooks/{name}"]
    ended = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=170
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "ran without an error" in ended.stdout


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_no_tracked_file_names_this_machine() -> None:
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    here = (f"{ROOT}/", f"{Path.home()}/")
    for name in filter(None, listed.split("\0")):
        text = (ROOT / name).read_text("utf-8", "replace")
        assert not any(path in text for path in here), name
