"""The extension in a real kernel of Windows: loaded, used, and gone again without a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wine.kernels import WindowsKernel

USED = """
import numpy, scipy.linalg, sklearn.cluster
_ = numpy.ones((300, 300)) @ numpy.ones((300, 300))
"""
PLACES = """
import ctypes, os, subprocess, threading, inside
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
def places():
    owners = [ctypes, os, os, subprocess, threading.Thread, ExtensionFileLoader, SourceFileLoader]
    names = ["_dlopen", "add_dll_directory", "putenv", "Popen", "start", "create_module",
             "exec_module"]
    found = [getattr(owner, name) for owner, name in zip(owners, names)]
    # What was put into a class that inherits the method is seen in its own dict.
    callbacks = get_ipython().events.callbacks
    own = ["exec_module" in vars(SourceFileLoader), len(callbacks["pre_run_cell"]),
           len(callbacks["post_run_cell"]), len(threading.enumerate())]
    return found, own, inside.notifications()
"""


@pytest.fixture
def kernel() -> Iterator[WindowsKernel]:
    started = WindowsKernel()
    yield started
    started.close()


def test_the_magics_work_and_leave_nothing(kernel: WindowsKernel) -> None:
    kernel.run(PLACES + "before = places()")
    variables = kernel.value("inside.environment()")
    for cell in (
        "%load_ext omp_magic",
        "%omp_status",
        "import ctypes; intel = ctypes.CDLL(inside.INTEL); _ = intel.omp_get_max_threads()",
        "import numpy; _ = numpy.ones((300, 300)) @ numpy.ones((300, 300))",
        "%omp_status --cpus --env --threads",
        "%%omp_limit 1\ncount = intel.omp_get_max_threads()",
        "%omp_guard raise",
        "%omp_guard",
        "%omp_limit 1",
        "%omp_limit off",
        "%omp_explain",
        "%%omp_status\nimport scipy.linalg",
        "%unload_ext omp_magic",
    ):
        reply = kernel.run(cell)
        assert (reply.status, reply.stderr) == ("ok", ""), (cell, reply.traceback)
    assert kernel.value("count") == 1
    assert kernel.value("places()[0] == before[0]") is True
    assert kernel.value("[places()[1:], before[1:]]") == kernel.value("[before[1:], before[1:]]")
    now = kernel.value("inside.environment()")
    ours = {name for name in {*variables, *now} if variables.get(name) != now.get(name)}
    # The runtime's registration is its own.
    assert {each for each in ours if not each.startswith("__KMP_REGISTERED_LIB_")} == set()


def test_while_it_is_loaded_loads_are_watched(kernel: WindowsKernel) -> None:
    """Otherwise the test above proves nothing."""
    kernel.run(PLACES + "before = places()")
    kernel.run("%load_ext omp_magic")
    assert kernel.value("places()[0] == before[0]") is False


def test_a_cell_is_limited_and_the_counts_come_back(kernel: WindowsKernel) -> None:
    kernel.run(
        "%load_ext omp_magic\n" + USED + "\nimport threadpoolctl\n"
        "def counts():\n"
        "    return [each['num_threads'] for each in threadpoolctl.threadpool_info()]"
    )
    before = kernel.value("counts()")
    assert len(before) == 3
    assert min(before) > 1
    limited = kernel.run("%%omp_limit 1\nwithin = counts()")
    assert (limited.status, limited.stderr) == ("ok", "")
    assert kernel.value("within") == [1, 1, 1]
    assert kernel.value("counts()") == before
    failed = kernel.run("%%omp_limit 1\nwithin = counts()\n1/0")
    assert (failed.status, failed.ename) == ("error", "ZeroDivisionError")
    assert kernel.value("[within, counts()]") == [[1, 1, 1], before]
    for cell in ("%omp_limit 1", "within = counts()", "%omp_limit off"):
        assert kernel.run(cell).status == "ok"
    assert kernel.value("[within, counts()]") == [[1, 1, 1], before]


def test_a_reload_goes_on(kernel: WindowsKernel) -> None:
    kernel.run(PLACES + "before = places()")
    for cell in ("%load_ext omp_magic", "%reload_ext omp_magic", "%omp_status"):
        reply = kernel.run(cell)
        assert (reply.status, reply.stderr) == ("ok", ""), reply.traceback
    kernel.run("%unload_ext omp_magic")
    assert kernel.value("places()[0] == before[0]") is True


def test_the_dashboard_opens_and_closes(kernel: WindowsKernel) -> None:
    for cell in ("%load_ext omp_magic", USED, "%omp_dashboard", "1 + 1", "%unload_ext omp_magic"):
        reply = kernel.run(cell)
        assert (reply.status, reply.stderr) == ("ok", ""), (cell, reply.traceback)
    kernel.close()
    assert kernel.said.code == 0
    assert "Traceback" not in kernel.said.stderr
