"""The text that travels, evaluated by real Pythons that have no omp_magic, or an old one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live import CLEAN, run_python
from realclusters import BLOCK

from omp_magic.clusters.answers import worker_of
from omp_magic.clusters.carried import carrying_text_of, text_of
from omp_magic.clusters.port import Answer, Seat

TWICE = """
import json, os, sys
before = list(sys.path), dict(os.environ), sorted(os.listdir("."))
texts = [open(name).read() for name in sys.argv[1:]]
answers = [eval(text) for text in texts]
plain = [a if not isinstance(a[3], tuple) else (*a[:3], [p.hex() for p in a[3]]) for a in answers]
package = sorted({name.partition(".")[0] for name in sys.modules if name.startswith("omp_magic")})
after = list(sys.path), dict(os.environ), sorted(os.listdir("."))
maps = open("/proc/self/maps") if os.path.exists("/proc/self/maps") else ()
omp = [line for line in maps if "libgomp" in line or "openblas" in line]
print(json.dumps([plain, package, after == before, omp]))
"""


def _evaluated(python: str, folder: Path, *texts: str, before: str = "") -> tuple[Any, ...]:
    """Evaluate texts in a new process; give its answers, and what they left there."""
    names = []
    for number, text in enumerate(texts):
        names.append(str(folder / f"{number}.txt"))
        Path(names[-1]).write_text(text, "ascii")
    done = subprocess.run(
        [python, "-I", "-c", before + TWICE, *names],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**CLEAN, "OMP_NUM_THREADS": "3"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, *left = json.loads(done.stdout)
    values = [
        (*each[:3], tuple(map(bytes.fromhex, each[3]))) if isinstance(each[3], list) else (*each,)
        for each in answers
    ]
    return [Answer(seat=Seat(address="here"), value=value) for value in values], left


def test_what_is_lacking_is_said_then_brought_then_there(tmp_path: Path) -> None:
    first = text_of("look()")
    brought = carrying_text_of("look('t')")
    texts = (first, brought, text_of("hold('2', 'a test', 't', 60)"), text_of("release()"))
    answers, (package, same, mapped) = _evaluated(sys.executable, tmp_path, *texts, before=BLOCK)
    assert answers[0].value[:3] == ("omp_magic", 0, "lacking")
    workers = [worker_of(each) for each in answers[1:]]
    assert [(each.gap, each.seen) for each in workers] == [(None, "carried")] * 3
    assert [each.state and each.state.limits for each in workers] == [(), ("2",), ()]
    assert len(package) == 1
    assert package[0].startswith("omp_magic_carried_")
    assert same
    assert mapped == []
    assert dict(workers[0].state.variables if workers[0].state else ())["OMP_NUM_THREADS"] == "3"


def test_a_late_limit_is_refused_there(tmp_path: Path) -> None:
    late = text_of("hold('2', 'a test', 'another look', 60)")
    texts = (carrying_text_of("look('t')"), late, text_of("hold('2', 'a test', 't', 0)"))
    answers, _ = _evaluated(sys.executable, tmp_path, *texts, before=BLOCK)
    for each in answers[1:]:
        worker = worker_of(each)
        assert worker.state is not None
        assert worker.state.limits == ()
        assert "nobody waited any more" in worker.gaps[0].why


def test_a_limit_that_is_none_changes_nothing_and_says_so(tmp_path: Path) -> None:
    texts = (carrying_text_of("hold('2')"), text_of("hold('nowhere.so.1=3')"))
    answers, _ = _evaluated(sys.executable, tmp_path, *texts, before=BLOCK)
    worker = worker_of(answers[1])
    assert worker.state is not None
    assert worker.state.limits == ("2",)
    assert any(gap.what == "limit" and "nowhere.so.1" in gap.why for gap in worker.gaps)


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
def test_other_pythons_answer(version: str, tmp_path: Path) -> None:
    python = _python(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    answers, _ = _evaluated(python, tmp_path, text_of("look()"), carrying_text_of("look()"))
    worker = worker_of(answers[1])
    if version == "3.9":
        assert worker.gap is not None
        assert worker.gap.why.startswith("Python 3.9.")
        assert worker.gap.why.endswith("there; omp_magic needs 3.10")
    else:
        assert worker.gap is None
        assert worker.state is not None
        assert worker.state.python.startswith(f"{version}.")
        assert worker.snapshot is not None


def _python(version: str) -> str | None:
    """Give an interpreter of a version that runs: pyenv has a shim for those that are not set."""
    for folder in sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*")):
        if os.access(folder / "bin" / f"python{version}", os.X_OK):
            return str(folder / "bin" / f"python{version}")
    found = shutil.which(f"python{version}")
    runs = found and subprocess.run([found, "-c", ""], capture_output=True, check=False)
    return found if runs and runs.returncode == 0 else None


def test_its_tracebacks_have_their_lines(tmp_path: Path) -> None:
    """What fails there is looked for there: linecache asks the loader for the source."""
    text = tmp_path / "text"
    text.write_text(carrying_text_of("look()"), "ascii")
    program = f"""{BLOCK}
import traceback
eval(open({str(text)!r}).read())
[name] = [name for name in sys.modules if name.endswith(".limits.spec")]
try:
    sys.modules[name].parse_limit("x=")
except Exception:
    traceback.print_exc()
"""
    done = run_python(program)
    assert "raise LimitError(word, accepted, example, near)" in done.err
    assert "/limits/spec.py" in done.err
