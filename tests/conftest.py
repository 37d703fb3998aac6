"""Fixtures, and a check that each test leaves the test process as it was."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from building import python_extension
from downloads import download
from live import LINUX, Kernel, run_python
from places import CACHE, DATA
from quota_groups import nested_quotas
from reruns import Reruns

# A shell that starts us in the background has SIGINT ignored (POSIX, "2.11 Signals and Error
# Handling"), and so would have all children: none of them could be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A fresh kernel."""
    started = Kernel()
    yield started
    started.close()


@pytest.fixture(scope="module")
def shared_kernel() -> Iterator[Kernel]:
    """One kernel for a module's tests, with the extension and numpy loaded."""
    started = Kernel()
    assert started.run("%load_ext omp_magic\nimport numpy as np").status == "ok"
    yield started
    started.close()


@pytest.fixture
def python() -> Any:
    """`run_python`, for tests."""
    return run_python


@pytest.fixture
def half_a_cpu() -> Iterator[str]:
    """A cgroup with half a CPU below one with 1.5, on v1 or v2, removed afterwards."""
    with nested_quotas() as folder:
        yield folder


@pytest.fixture
def libiomp5() -> str:
    """A real Intel OpenMP runtime, from the intel-openmp wheel of the test extra."""
    path = os.path.join(sys.prefix, "lib", "libiomp5.so")
    if not os.path.exists(path):
        pytest.skip("no libiomp5.so: intel-openmp has a wheel for Linux on x86_64 only")
    return path


@pytest.fixture(scope="session")
def libomp() -> str:
    """A real LLVM OpenMP runtime, from the pyomp wheel."""
    path = CACHE / "libomp" / "libomp.so"
    if not path.exists():
        with download("pyomp==0.6.0", "manylinux_2_28_x86_64") as wheel:
            with zipfile.ZipFile(wheel) as opened:
                data = opened.read("numba/openmp/libs/openmp/lib/libomp.so")
            made = wheel.with_suffix(".so")
            made.write_bytes(data)
            path.parent.mkdir(exist_ok=True)
            os.replace(made, path)
    return str(path)


@pytest.fixture
def gcc() -> str:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("no gcc: extensions are built with it")
    return found


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


@pytest.fixture
def cases() -> list[dict[str, Any]]:
    """Cgroup layouts, most of them captured from real kernels; each names its source."""
    loaded: list[dict[str, Any]] = json.loads((DATA / "cgroup_cases.json").read_text("utf-8"))
    return loaded


def _state() -> dict[str, Any]:
    return {
        # pytest writes PYTEST_CURRENT_TEST at every phase, debugpy below ipykernel the other.
        "os.environ": {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTEST_CURRENT_TEST", "PYDEVD_USE_FRAME_EVAL")
        },
        # Where there is no SIGALRM, pytest-timeout has a thread, which outlives a test that fails.
        "threads": sorted(
            thread.name
            for thread in threading.enumerate()
            if not thread.name.startswith("pytest_timeout ")
        ),
        "meta_path": list(map(repr, sys.meta_path)),
        "C variable": _c_getenv("KMP_DUPLICATE_LIB_OK"),
    }


def _c_getenv(name: str) -> str | None:
    if not LINUX:
        return None
    getenv = ctypes.PyDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    value = getenv(name.encode())
    return None if value is None else value.decode()


@pytest.fixture(scope="session", autouse=True)
def terminal() -> Iterator[None]:
    """Text is made for a wide terminal, whatever the one is that the tests run in.

    Not by the fixture monkeypatch: asked for here, it would take a test's own changes back only
    after `tidy` has looked.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        yield


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """The test process is after each test as it was before."""
    before = _state()
    yield
    assert _state() == before


def _may_be_alone(path: Path) -> bool:
    return re.search(r"mark\.alone|@measures", path.read_text("utf-8")) is not None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files out in which nothing is alone, where that is asked for: they take 4 s."""
    asked = str(config.option.markexpr).startswith("alone")
    if asked and collection_path.match("test_*.py") and not _may_be_alone(collection_path):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See that no file is left out in which something is alone."""
    alone = {item.path for item in items if item.get_closest_marker("alone")}
    unseen = sorted(path.name for path in alone if not _may_be_alone(path))
    if unseen:
        raise pytest.UsageError(f"alone, and make test would not find it: {', '.join(unseen)}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Reruns())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many tests were skipped, with the reasons."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.write_line(f"skipped: {sum(reasons.values())}")
    for reason, number in sorted(reasons.items()):
        terminalreporter.write_line(f"  {number} x {reason}")
