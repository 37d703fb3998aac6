"""omp_magic.check and omp-magic check and scan: what an import may load, and what it does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environments import MKL_AND_TORCH, POOLS, environment, run_in
from live import CLEAN, LINUX, forget_registration, run_python
from places import ROOT

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(600),
]


def test_an_order_that_works_is_found_and_proved() -> None:
    python = environment("mkl-torch", MKL_AND_TORCH)
    code = (
        "import json, omp_magic\n"
        "c = omp_magic.check('torch', 'mkl', order=True)\n"
        "print(json.dumps([c.search.order, c.trial.works, c.failed]))"
    )
    ended = run_in(python, code, timeout=300, MKL_THREADING_LAYER="INTEL")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [["mkl", "torch"], True, False]


@pytest.mark.parametrize(
    ("modules", "codes", "idle"),
    [
        ("torch mkl", ["OMP104"], False),
        ("mkl torch", [], True),
        ("torch faiss", [], True),
        ("faiss torch", ["OMP105"], False),
    ],
)
def test_what_will_serve_the_global_scope_decides(
    modules: str, codes: list[str], idle: bool
) -> None:
    """Also among modules that are yet to come; test_distributions compares it with the imports."""
    mkl = "mkl" in modules
    python = environment("mkl-torch", MKL_AND_TORCH) if mkl else environment("pools", POOLS)
    code = (
        "import json, sys, omp_magic\n"
        "found = omp_magic.check(*sys.argv[1:])\n"
        "codes = [each.code for each in found.findings if each.code != 'OMP106']\n"
        "print(json.dumps([codes, str(found)]))"
    )
    ended = run_in(python, code, *modules.split(), timeout=120, MKL_THREADING_LAYER="INTEL")
    assert ended.code == 0, ended.err
    found, text = json.loads(ended.out)
    assert found == codes
    assert text.count("will serve OpenMP") == 1
    assert text.count("will be idle") == idle


def test_the_command(pair: str) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "check", *words]
        process = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**CLEAN, "PYTHONPATH": os.pathsep.join([pair, str(ROOT)])},
        )
        forget_registration(None)
        return process

    fine = run("json", "--json")
    assert fine.returncode == 0
    assert json.loads(fine.stdout)["runtimes"] == []
    clash = run("pkg_intel", "pkg_llvm")
    assert clash.returncode == 1
    assert "OMP101" in clash.stdout
    assert "child process" in clash.stdout
    tried = run("pkg_intel", "--run", "--json")
    assert tried.returncode == 0
    assert json.loads(tried.stdout)["trial"]["works"] is True
    unknown = run("no_such_module")
    assert unknown.returncode == 2
    assert "no_such_module" in unknown.stderr
    assert run().returncode == 2


def test_numpy_and_scikit_learn_from_their_files() -> None:
    ended = run_python(
        "import json, sys, omp_magic\n"
        "c = omp_magic.check('sklearn.cluster')\n"
        "may = sorted([l.path, l.owner, l.owner_version] for l in c.runtimes)\n"
        "assert 'numpy' not in sys.modules\n"
        "import sklearn.cluster\n"
        "libraries = omp_magic.snapshot().libraries\n"
        "are = sorted([l.path, l.owner, l.owner_version] for l in libraries)\n"
        "print(json.dumps([may, are, str(c) != '', omp_magic.check('sklearn').runtimes == ()]))"
    )
    assert ended.code == 0, ended.err
    may, are, *rest = json.loads(ended.out)
    assert may == are
    assert rest == [True, True]


def test_a_scan_says_what_a_file_ships_and_what_it_would_clash_with(
    libiomp5: str, tmp_path: Path
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "scan", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(libiomp5, tmp_path / name)
    one = run(str(tmp_path / "a"))
    assert one.returncode == 0
    assert "ships  Intel libiomp5: " in one.stdout
    both = run(str(tmp_path), "--json")
    assert both.returncode == 1
    assert [each["code"] for each in json.loads(both.stdout)["findings"]] == ["OMP101"]
    wrong = run(__file__)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "found no machine code; accepted:" in wrong.stderr
