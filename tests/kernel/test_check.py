"""%omp_check, omp_magic.check and omp-magic check: what an import may load, and what it does."""

from __future__ import annotations

import pytest
from live import LINUX, MAPPED_OPENMP, Kernel

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only"),
    pytest.mark.timeout(600),
]


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
    assert unknown.text.count("no such module") == 1
    assert "did you mean numpy?" in kernel.run("%omp_check numpi").text
    part = kernel.run("%omp_check json, no_such_module")
    assert part.text.startswith("Importing json loads no further OpenMP or BLAS runtime")
    assert "no_such_module: " in part.text
    # The name that pip knows it by.
    assert kernel.run("%omp_check scikit-learn").stderr.endswith("example: sklearn\n")
