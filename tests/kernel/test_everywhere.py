"""What must hold on every system, in a real kernel and with the real command."""

from __future__ import annotations

from live import Kernel


def test_status_in_a_kernel(kernel: Kernel) -> None:
    assert kernel.run("%load_ext omp_magic").status == "ok"
    reply = kernel.run("%omp_status")
    assert reply.status == "ok"
    assert "Threads in this process" in reply.text
    assert "<table" in reply.result["text/html"] or "runtime" in reply.text
    kernel.run("import numpy\ns = %omp_status")
    assert kernel.value("s.budget.threads") >= 1
    assert kernel.value("len(s.to_json())") > 100
    reply = kernel.run("%omp_limit 0")
    assert reply.status == "error"
    assert "accepted:" in reply.stderr
    assert kernel.run("%unload_ext omp_magic").status == "ok"


def test_a_limit_holds(kernel: Kernel) -> None:
    kernel.run("%load_ext omp_magic\nimport numpy")
    reply = kernel.run("%%omp_limit 1\n6 * 7")
    assert (reply.text, reply.stderr) == ("42", "")
