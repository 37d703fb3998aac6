"""The command omp-magic, as a shell runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from omp_magic.cli.commands import COMMANDS
from omp_magic.rules.codes import CODES


def test_the_command_explains_and_lists() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "explain", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    listed = run()
    assert listed.returncode == 0
    lines = [line for line in listed.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in lines] == [rule.code for rule in CODES]
    one = run("OMP204")
    assert "fork copies the memory" in " ".join(one.stdout.split())
    assert "In this kernel" not in one.stdout
    wrong = run("nope")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "found 'nope'; accepted: a code such as OMP101, or a word" in wrong.stderr


def test_the_command_tells_a_status() -> None:
    words = [sys.executable, "-m", "omp_magic", "status", "--json", "--import", "numpy"]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    facts = json.loads(ended.stdout)
    assert facts["threads"]["count"] >= 1
    assert facts["budget"]["affinity_cpus"] >= 1


def _run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omp_magic", *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, cwd=cwd
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("staus",), "did you mean status?"),
        (("status", "--thred"), "did you mean --threads?"),
        (("status", "--fail-on", "warnin"), "did you mean warning?"),
        (("explain", "OMP1O1"), "did you mean OMP101?"),
        (("explain", "OMP999"), "help); example: omp-magic explain OMP101"),
        (("explain", "waitng"), "did you mean waiting?"),
        (("check", "numpi"), "numpi: no such module; did you mean numpy?"),
        (("status", "--import", "sklern"), "no such module: sklern; did you mean sklearn?"),
        (("status", "--pid"), "found --pid alone; accepted: --pid PID, another process"),
        (("ci", "--format"), "found --format alone; accepted: --format and one of text, json,"),
        (("run", "--workers"), "--workers N, processes that divide the CPUs (default: 1); example"),
        (("top", "--frobnicate"), "--once, --json; example: "),
        ((), f"no command; accepted: {', '.join(COMMANDS)}; example: omp-magic status"),
    ],
)
def test_what_is_wrong_is_one_line_with_what_was_meant(words: tuple[str, ...], said: str) -> None:
    ended = _run(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert "ModuleNotFoundError" not in ended.stderr
    assert "%omp_" not in ended.stderr


def test_a_module_that_is_not_there_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "needs_it.py").write_text("import not_there_at_all")
    (tmp_path / "is_broken.py").write_text("1 / 0")
    for name, said in (
        ("needs_it", "cannot import needs_it: no such module: not_there_at_all"),
        ("is_broken", "cannot import is_broken: ZeroDivisionError: division by zero"),
        ("needs_it.inner", "cannot import needs_it.inner: no such module: not_there_at_all"),
    ):
        ended = _run("status", "--import", name, cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == f"omp-magic status: {said}\n"
    part = _run("check", "json", "not_there_at_all")
    assert part.returncode == 2
    assert part.stdout.startswith("Importing json loads no further")
    assert "not_there" not in part.stdout
    assert part.stderr == "omp-magic check: not_there_at_all: no such module\n"


def test_several_modules_are_words_or_have_commas(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}_module.py").write_text(f"import sys; print({name!r}, file=sys.stderr)")
    for words in (
        ("--import", "one_module", "two_module", "three_module", "--json"),
        ("--import", "one_module,two_module", "--import", "three_module", "--json"),
    ):
        ended = _run("status", *words, cwd=tmp_path)
        assert ended.stderr == "one\ntwo\nthree\n"
        assert json.loads(ended.stdout)["schema"]


def test_each_help_has_an_example_and_its_defaults() -> None:
    for name in ("status", "check", "ci", "scan", "explain"):
        said = _run(name, "--help").stdout
        lines = [line.strip() for line in said.split("\n")]
        example = lines[lines.index("example:") + 1]
        assert example.startswith(f"omp-magic {name} ")
        assert "default: " in said
    assert all(rule.code in said for rule in CODES)
    assert "waiting" in said


def test_the_command_says_nothing_of_magics() -> None:
    for words in (
        ("explain", *(rule.code for rule in CODES)),
        ("status",),
        ("check", "numpy"),
        ("ci", "numpy"),
    ):
        said = _run(*words).stdout
        assert "%omp_" not in said
        assert said
    assert "omp-magic status --cpus" in _run("explain", "OMP201").stdout
    assert 'with omp_magic.limit("auto"): ...' in _run("explain", "OMP201").stdout
    assert _run("explain", "its", "cgroup").stdout.startswith("cgroup: The group of processes")
