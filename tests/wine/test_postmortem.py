"""A kernel of Windows that dies, told by the next one of its notebook; a clean end says nothing."""

from __future__ import annotations

import time
from pathlib import Path

from wine import windows
from wine.kernels import WindowsKernel

NAME = "omp-notebook.ipynb"


def _kernel(runtime: Path) -> WindowsKernel:
    """Start a kernel of one notebook: here no manager starts one again under its old id."""
    folder = windows.windows_path(runtime)
    return WindowsKernel({"JUPYTER_RUNTIME_DIR": folder, "JPY_SESSION_NAME": f"C:\\{NAME}"})


def test_an_access_violation_is_told_and_a_clean_end_is_not() -> None:
    windows.WORK.mkdir(exist_ok=True)
    runtime = windows.WORK / f"runtime-{time.time_ns()}"
    clean = _kernel(runtime)
    try:
        assert clean.run("%load_ext omp_magic").stderr == ""
        assert len(list(runtime.glob("omp_magic-*.record"))) == 1
        assert clean.run("%omp_postmortem").status == "ok"
    finally:
        clean.close()
    assert list(runtime.glob("omp_magic-*")) == []

    dying = _kernel(runtime)
    try:
        assert dying.run("%load_ext omp_magic\nimport ctypes").stderr == ""
        # ctypes makes an OSError of it, and faulthandler has written of it by then.
        assert dying.run("ctypes.memset(0, 1, 1)").ename == "OSError"
        assert dying.run("import faulthandler; faulthandler._read_null()").status == "dead"
    finally:
        dying.close()

    told = _kernel(runtime)
    try:
        line = told.run("%load_ext omp_magic").stderr
        assert "omp_magic: this notebook's kernel died of an access violation in cell 3" in line
        text = " ".join(told.run("%omp_postmortem").text.split())
        assert NAME in text
        assert "Windows' C libraries each have an exit of their own" in text
    finally:
        told.close()
        for left in runtime.glob("*"):
            left.unlink()
        runtime.rmdir()
