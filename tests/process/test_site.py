"""The site as Sphinx builds it, and the tracked files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

DOCS = ROOT / "docs"


@pytest.mark.thorough  # `.ci/run` builds it by `make docs`, with the same -W
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module, reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d"]
    command += [str(tmp_path / "doctrees"), "-b", "html", str(DOCS), str(tmp_path / "html")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=170)
    assert (ended.returncode, ended.stderr) == (0, "")
    page = (tmp_path / "html" / "reference" / "magics.html").read_text("utf-8")
    assert "omp_dashboard" in page


def test_no_tracked_file_names_this_machine() -> None:
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    # A service's home may be a folder that is on every machine, and named in our pages.
    homes = {Path.home()} - {Path("/"), Path("/proc")}
    here = [f"{path}/" for path in (ROOT, *homes)]
    names = listed.strip("\0").split("\0")
    assert "ARCHITECTURE.md" in names
    for name in names:
        text = (ROOT / name).read_text("utf-8", "replace")
        assert not any(path in text for path in here), name
