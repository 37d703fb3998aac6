"""Environments with packages that do not go together, each its own venv below tests/.cache."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import installing
import pytest
from live import Ended, run_program
from places import CACHE, ROOT

MKL = ("mkl", "mkl-service", "threadpoolctl")
"""MKL brings another libiomp5 than the test environment may have."""
KERNEL = ("ipykernel", "jinja2", "rich")
"""What a kernel with this project on its path needs, for `live.Kernel(python=...)`."""
MKL_AND_TORCH = (*KERNEL, *MKL, "torch==2.13.0")
POOLS = (
    *KERNEL,
    "torch==2.13.0",
    "blosc2",
    "duckdb",
    "faiss-cpu",
    "ipywidgets",
    "lightgbm",
    "numba",
    "numexpr",
    "onnx",
    "onnxruntime",
    "opencv-python-headless",
    "polars",
    "pyarrow",
    "scikit-learn",
    "tokenizers",
    "xgboost",
)
"""Packages with thread pools of their own; one environment, since all are on OpenBLAS."""
PADDLE = (*KERNEL, "paddlepaddle==3.3.1", "scikit-learn", "setuptools")
"""Importing paddle sets OMP_NUM_THREADS, and what it imports adds a folder to sys.path."""
TENSORFLOW = ("tensorflow-cpu",)
SERVERS = ("fastapi", "flask", "gunicorn", "httpx", "numpy", "uvicorn")
"""Without prometheus_client, and without what omp_magic itself wants: a server needs neither."""
FORKS = (
    "catboost",
    "datafusion",
    "deltalake",
    "grpcio",
    "jax",
    "numba",
    "pyarrow",
    "tbb",
    *TENSORFLOW,
)
"""Packages whose pools knowledge/forks has a row of, beside those of POOLS and MKL."""
STRANGERS = (
    *KERNEL,
    *("av", "blosc", "catboost", "clarabel", "cvxpy", "datafusion", "highspy", "jax", "numcodecs"),
    *("openvino", "rasterio", "scipy", "simpleitk", "tbb4py", "vtk"),
)
"""Packages whose threads no limit reaches."""


def environment(name: str, requirements: tuple[str, ...]) -> str:
    """Give the interpreter of an environment with these packages; skip where there are none.

    It is made once and kept, and made anew when the requirements change. The matrix makes none: on
    Linux torch's wheels may bring 5 GB of CUDA for each Python, which once filled the disk.
    """
    if os.environ.get("WITHOUT_ENVIRONMENTS"):
        pytest.skip(f"{name}: make test tries these packages, the matrix does not")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = CACHE / f"{name}-{version}"
    python = str(home / "bin" / "python")
    ready = home / "ready"
    wanted = json.dumps(requirements)
    if not ready.exists() or ready.read_text("utf-8") != wanted:
        with only_one(Path(f"{home}.lock")):
            if not ready.exists() or ready.read_text("utf-8") != wanted:
                _made(home, python, requirements)
                ready.write_text(wanted, "utf-8")
    return python


def _made(home: Path, python: str, requirements: tuple[str, ...]) -> None:
    """Make it, or skip with the requirement at fault."""
    said = _said(installing.make(home, sys.executable))
    if not said:
        said = _said(installing.install(python, *requirements))
    if said:
        pytest.skip(f"{', '.join(requirements)} cannot be installed here: {said}")


def _said(command: list[str]) -> str:
    """Run a command; give the end of what it said when it failed, else ""."""
    variables = installing.environment_for(command, os.environ)
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=900, env=variables
    )
    return ended.stderr.strip().rpartition("\n")[2][-160:] or "?" if ended.returncode else ""


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Wait for whoever else makes the same; POSIX's locks end with their process."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        if os.name == "posix":
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def run_in(python: str, code: str, *arguments: str, timeout: float = 180, **env: str) -> Ended:
    """Run a program with that interpreter, this omp_magic and a clean environment."""
    return run_program([python, "-c", code, *arguments], timeout, {"PYTHONPATH": str(ROOT), **env})


def values_in(python: str, code: str, *arguments: str, **env: str) -> Any:
    """Run such a program and give the JSON of its last line."""
    ended = run_in(python, code, *arguments, timeout=180, **env)
    assert ended.code == 0, ended.err
    return json.loads(ended.out.strip().split("\n")[-1])
