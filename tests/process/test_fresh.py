"""The tools of `make binder-check`, `make package` and `make test-ipython`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from binder_check import Family
from fresh import clean_environment, find_python
from ipython_suite import Key, Outcome, differences, read_junit
from live import LINUX
from package_check import RELATIVE

CONFIG: Key = ("IPython.core.magics.config", "IPython.core.magics.config.ConfigMagics.config", 0)
ADDED = "     ...\n    @@ -7,4 +7,5 @@\n         OSMagics\n    +    OmpMagics\n         Prefilter\n"


def test_an_interpreter_is_found_by_its_version() -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = find_python(here)
    assert found is not None
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)"
    said = subprocess.run([found, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.split() == [here, "True"]
    assert find_python("3.999") is None


def test_no_variable_of_ours_is_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OMP_NUM_THREADS", "PYTHONPATH", "VIRTUAL_ENV", "IPYTHONDIR", "MAKEFLAGS"):
        monkeypatch.setenv(name, "x")
    clean = clean_environment(tmp_path)
    assert "x" not in clean.values()
    assert clean["PATH"].startswith(str(tmp_path))


@pytest.mark.skipif(not LINUX, reason="memory is read from /proc: Linux only")
def test_memory_is_that_of_the_whole_family_and_all_of_it_ends() -> None:
    # One write: print makes two of a line where PYTHONUNBUFFERED is set, and lines mingle.
    told = "import os; os.write(1, b'held' + bytes([10]))"
    hold = f"held = bytearray(120_000_000); {told}; import time; time.sleep(600)"
    parent = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {hold!r}], start_new_session=True)\n"
        f"{hold}"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            assert [process.stdout.readline().strip() for _ in range(2)] == ["held", "held"]
            family = Family(process.pid)
            family.look()
            assert len(family.known) == 2
            assert 240e6 <= family.peak < 400e6
        finally:
            Family(process.pid).end()
        # The child has the same pipe, which ends when both have ended.
        assert process.stdout.read() == ""


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        (ADDED, False),
        (ADDED.replace("         Prefilter", "    -    Prefilter"), True),
        ("TimeoutError", True),
    ],
)
def test_only_the_one_line_that_must_be_there_is_no_difference(*, said: str, differs: bool) -> None:
    pair = ({CONFIG: Outcome("passed")}, {CONFIG: Outcome("failure", said)})
    assert differences(pair) == ({CONFIG} if differs else set())


def test_outcomes_are_compared_test_by_test(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(
        '<testsuites><testsuite><testcase classname="a" name="t"/>'
        '<testcase classname="a" name="t"><failure>no</failure></testcase>'
        '<testcase classname="a" name="u"><skipped/></testcase></testsuite></testsuites>',
        "utf-8",
    )
    outcomes = read_junit(path)
    words = {key: outcome.word for key, outcome in outcomes.items()}
    assert words == {("a", "t", 0): "passed", ("a", "t", 1): "failure", ("a", "u", 0): "skipped"}
    without = {key: Outcome("passed", "other words") for key in outcomes}
    assert differences((outcomes, without)) == {("a", "t", 1), ("a", "u", 0)}
    absent = dict(outcomes)
    del absent["a", "t", 0]
    assert differences((outcomes, absent)) == {("a", "t", 0)}


def test_a_relative_link_of_any_form_is_found() -> None:
    page = (
        '[a](docs/a.md) ![b](b.png) <img src="c.png"> <source srcset="d.png"> '
        '[e](https://example.org/e) [f](#f) <a href="g.md">'
    )
    assert [a or b for a, b in RELATIVE.findall(page)] == [
        "docs/a.md",
        "b.png",
        "c.png",
        "d.png",
        "g.md",
    ]
