"""%omp_check, omp_magic.check and omp-magic check: what an import may load, and what it does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from building import python_extension
from environments import MKL_AND_TORCH, POOLS, environment, run_in
from live import CLEAN, LINUX, MAPPED_OPENMP, Kernel, forget_registration, run_python

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def pair(gcc: str, tmp_path: Path, libiomp5: str, libomp: str) -> str:
    """A PYTHONPATH with two modules whose first use of OpenMP is at import, each with its own."""
    folders = []
    for name, runtime in (("pkg_intel", libiomp5), ("pkg_llvm", libomp)):
        folder = python_extension(gcc, tmp_path / name, f"_{name}", runtime)
        (tmp_path / name / "__init__.py").write_text(f"from . import _{name}\n_{name}.par()\n")
        assert folder == str(tmp_path / name)
        folders.append(folder)
    return str(tmp_path)


def test_checking_imports_nothing_and_tells_a_clash(kernel: Kernel, pair: str) -> None:
    kernel.run(f"import sys; sys.path.insert(0, {pair!r})\n%load_ext omp_magic")
    before = kernel.value(f"[sorted(sys.modules), {MAPPED_OPENMP}]")
    reply = kernel.run("c = %omp_check pkg_intel pkg_llvm\nc")
    assert reply.status == "ok", reply.traceback
    assert set(reply.result) == {"text/plain", "text/html"}
    assert "may load 2 more runtimes" in reply.text
    assert "OMP101" in reply.text
    assert kernel.value("[l.family for l in c.runtimes]") == ["libiomp5", "libomp"]
    assert kernel.value("[f.code for f in c.findings]") == ["OMP101"]
    after = kernel.value(f"[sorted(sys.modules), {MAPPED_OPENMP}]")
    assert after[1] == before[1]
    assert not {"numpy", "pkg_intel", "pkg_llvm", "threadpoolctl"} & set(after[0])
    # What is there already counts.
    assert kernel.run("import pkg_intel").status == "ok"
    assert "OMP101" in kernel.run("%omp_check pkg_llvm").text
    assert "no further" in kernel.run("%omp_check pkg_intel").text
    assert kernel.run("%omp_check json;").result == {}


def test_a_trial_ends_where_the_import_would(kernel: Kernel, pair: str) -> None:
    kernel.run(f"import sys; sys.path.insert(0, {pair!r})\n%load_ext omp_magic")
    reply = kernel.run("c = %omp_check pkg_intel pkg_llvm --run\nc", timeout=120)
    assert "OMP: Error #15" in reply.text
    assert kernel.value("[[s.kind, s.name, s.outcome] for s in c.trial.steps]") == [
        ["import", "pkg_intel", "ok"],
        ["import", "pkg_llvm", "aborted"],
    ]
    assert "pkg_intel" not in kernel.value("sorted(sys.modules)")
    assert kernel.run("1 + 1").text == "2"


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


def test_wrong_words_are_one_line(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic")
    for line in ("%omp_check", "%omp_check 1x", "%omp_check a.b..c", "%omp_check json --nope"):
        reply = kernel.run(line)
        assert (reply.status, reply.ename) == ("error", "UsageError"), line
        assert "accepted:" in reply.stderr
        assert reply.stderr.strip().count("\n") == 0
    unknown = kernel.run("%omp_check no_such_module")
    assert unknown.status == "ok"
    assert unknown.text.startswith("What importing no_such_module loads is not known\n")
    assert "no_such_module: " in unknown.text
    part = kernel.run("%omp_check json, no_such_module")
    assert part.text.startswith("Importing json loads no further OpenMP or BLAS runtime")
    assert "no_such_module: " in part.text
    # The name that pip knows it by.
    assert kernel.run("%omp_check scikit-learn").stderr.endswith("example: sklearn\n")


def test_the_command(pair: str) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omp_magic", "check", *words]
        process = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            env={**CLEAN, "PYTHONPATH": os.pathsep.join([pair, str(Path(__file__).parent.parent)])},
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
