"""%omp_explain in a real kernel, omp-magic explain, and what they show."""

from __future__ import annotations

from typing import Any

import pytest
from live import LINUX, Kernel

EVIL = "</b><script>alert(1)</script>\x1b[31m"


@pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")
def test_in_a_kernel(kernel: Kernel, libiomp5: str, tmp_path: Any) -> None:
    kernel.run("%load_ext omp_magic")
    clean = kernel.run("%omp_explain OMP101")
    assert set(clean.result) == {"text/plain", "text/html"}
    assert "Not the case in this kernel now." in clean.text
    assert "Error #15" in clean.text
    # On a machine that is busy or has little, there may be findings all the same.
    alone = kernel.run("%omp_explain").text
    assert "Nothing is wrong here" in alone or "OMP2" in alone
    kernel.run(
        f"import ctypes, shutil; shutil.copy({libiomp5!r}, {str(tmp_path)!r})\n"
        f"both = [ctypes.CDLL(p) for p in ({libiomp5!r}, '{tmp_path}/libiomp5.so')]"
    )
    for line in ("%omp_explain 101", "%omp_explain omp101", "%omp_explain"):
        found = kernel.run(line)
        # What is to be run has whole paths.
        assert f"ctypes.CDLL('{libiomp5}', ctypes.RTLD_GLOBAL)" in found.text
        assert "In this kernel: This kernel will die" in found.text
    both = kernel.run("%omp_explain OMP101 OMP302").text
    assert both.index("OMP101 ·") < both.index("OMP302 ·")
    assert kernel.run("%omp_explain OMP101;").result == {}
    wrong = kernel.run("%omp_explain OMP999")
    assert (wrong.status, wrong.ename) == ("error", "UsageError")
    assert wrong.stderr.strip().count("\n") == 0
    assert "accepted: a code such as OMP101" in wrong.stderr
    assert "did you mean OMP101? example: %omp_explain OMP101" in (
        kernel.run("%omp_explain OMP1O1").stderr
    )
    assert "ready to run and had no CPU" in kernel.run("%omp_explain waiting").text
    assert "waiting: The share" in kernel.run("%omp_explain waiting").result["text/html"]
    assert "%omp_explain OMP101" in kernel.run("%omp_explain?").payload[0]["data"]["text/plain"]
    if kernel.value("__import__('IPython').version_info[:2] >= (8, 6)"):
        assert "OMP301" in kernel.complete("%omp_explain OMP3")
