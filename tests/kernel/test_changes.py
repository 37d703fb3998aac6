"""Imports that change the kernel, in real kernels: torch under OMP_PROC_BIND, and paddle."""

from __future__ import annotations

import os

import pytest
from environments import PADDLE, POOLS, environment
from live import LINUX, Kernel

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
CPUS = len(os.sched_getaffinity(0)) if LINUX else 1


@pytest.mark.skipif(CPUS < 2, reason="one CPU cannot be narrowed")
def test_torch_under_omp_proc_bind_is_named_and_its_team_has_its_cpus() -> None:
    kernel = Kernel(env={"OMP_PROC_BIND": "CLOSE"}, python=environment("pools", POOLS))
    try:
        kernel.run("%load_ext omp_magic\nimport os, torch")
        kernel.run("x = torch.rand(500, 500).exp().sum()\ns = %omp_status")
        codes = set(kernel.value("[f.code for f in s.findings]"))
        assert "OMP207" in codes
        assert not {"OMP201", "OMP205"} & codes
        finding = "[f for f in s.findings if f.code == 'OMP207'][0]"
        title = kernel.value(f"{finding}.title")
        assert title == f"import torch narrowed this kernel from {CPUS} CPUs to 1 CPU"
        back, before = kernel.value(f"{finding}.remedies")
        assert before == "Before the kernel starts: unset OMP_PROC_BIND"
        team = "[p.bound_cpus for p in s.pools if p.name == 'GNU libgomp (torch)']"
        assert kernel.value(team) == [CPUS]
        assert "by import torch (OMP_PROC_BIND=CLOSE)" in kernel.run("%omp_status --cpus").text
        kernel.run(back.split(": ", 1)[1])
        kernel.run("x = torch.rand(500, 500).exp().sum()\ns = %omp_status")
        assert "OMP207" not in kernel.value("[f.code for f in s.findings]")
        assert kernel.value("len(os.sched_getaffinity(0))") == CPUS
    finally:
        kernel.close()


@pytest.mark.thorough
def test_paddle_is_named_for_the_pools_that_are_small_because_of_it() -> None:
    kernel = Kernel(python=environment("paddle", PADDLE))
    try:
        loaded = kernel.run("%load_ext omp_magic\nimport os, paddle, sklearn.cluster", timeout=180)
        assert loaded.status == "ok", loaded.traceback
        shown = kernel.run("s = %omp_status --env\ns").text
        assert "set after the start, by import" in shown
        codes = "[f.code for f in s.findings]"
        assert "OMP301" not in kernel.value(codes)
        assert kernel.value("{c.name: c.by for c in s.changes if c.imported}") == {
            "CUSTOM_DEVICE_ROOT": "import paddle",
            "OMP_NUM_THREADS": "import paddle",
            "KMP_DUPLICATE_LIB_OK": "import sklearn",
            "KMP_INIT_AT_FORK": "import sklearn",
        }
        if CPUS < 2:
            assert "OMP208" not in kernel.value(codes)
            return
        finding = "[f for f in s.findings if f.code == 'OMP208'][0]"
        title = kernel.value(f"{finding}.title")
        assert title.startswith("import paddle set OMP_NUM_THREADS=1: ")
        assert "OpenBLAS (scipy), GNU libgomp (scikit-learn) have 1 thread" in title
        assert "numpy" not in title
        session, pop = (line.split(": ", 1)[1] for line in kernel.value(f"{finding}.remedies[:2]"))
        kernel.run(f"{session}\ns = %omp_status")
        counts = (
            "{l.owner: l.num_threads for l in s.libraries if l.owner in ('scipy', 'scikit-learn')}"
        )
        allowed = kernel.value("s.budget.threads")
        assert kernel.value(counts) == {"scipy": allowed, "scikit-learn": allowed}
        kernel.run("%omp_limit off\ns = %omp_status")
        assert "OMP208" in kernel.value(codes)
        kernel.run(f"{pop}\ns = %omp_status")
        assert "OMP208" not in kernel.value(codes)
    finally:
        kernel.close()
