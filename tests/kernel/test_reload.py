"""`%reload_ext` in a real kernel: the limit, the guard's mode and the panels go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from live import LINUX, Kernel
from places import ROOT

from kernel.test_dashboard import BOXES, FIRST, OPEN_WIDGETS, click, until
from kernel.test_extension import SETTLED, TRACE, trace, traced

pytestmark = pytest.mark.skipif(not LINUX, reason="sets limits through libc: Linux only")

COUNTS = "[lib.num_threads for lib in __import__('omp_magic').snapshot().libraries]"
VARIABLES = "[os.environ.get(n) for n in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS')]"
THREADS = "len(os.listdir('/proc/self/task'))"
TWO = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
RELOAD = "%reload_ext omp_magic"


def quietly(kernel: Kernel, cell: str) -> str:
    """Run a cell that must not fail nor complain, and give what it printed."""
    reply = kernel.run(cell)
    assert (reply.status, reply.stderr) == ("ok", ""), reply.traceback + reply.stderr
    return reply.stdout.strip()


@pytest.mark.messages
def test_a_reload_keeps_what_the_session_has() -> None:
    kernel = Kernel(TWO)
    try:
        kernel.run("import numpy, omp_magic, ipywidgets, time\n" + TRACE)
        kernel.run(SETTLED + "\n%config IPCompleter.greedy = False")
        kernel.value(COUNTS)
        before = trace(kernel)
        for line in (
            "%load_ext omp_magic",
            "%omp_limit 1",
            "%config OmpMagics.guard = 'raise'",
            "dash = %omp_dashboard --interval 0.25",
        ):
            quietly(kernel, line)
        threads, told = kernel.value(THREADS), quietly(kernel, "%omp_limit")
        mine = kernel.value("dash.controls.root.model_id")
        for _ in range(2):
            assert quietly(kernel, RELOAD) == ""
            assert kernel.value(COUNTS) == [1]
            assert kernel.value(VARIABLES) == ["1", "1"]
            assert quietly(kernel, "%omp_limit") == told
            assert quietly(kernel, "%omp_guard").startswith("omp_guard raise")
            # The panel is the same one, and goes on with the same thread.
            assert kernel.value(f"[dash.closed, len(dash._live.panels), {THREADS}]") == [
                False,
                1,
                threads,
            ]
            assert kernel.value("dash.controls.root.model_id") == mine
            assert kernel.value("dash.controls.root.comm is not None") is True
            quietly(kernel, "seen = len(dash._live.history)")
            until(kernel, "len(dash._live.history) > seen + 2", True)
        # Its controls turn what the magics tell, and the other way round.
        click(kernel, "dash.controls.restore")
        until(kernel, COUNTS, [2])
        assert "no limit is in force" in quietly(kernel, "%omp_limit")
        click(kernel, FIRST, value=1)
        until(kernel, COUNTS, [1])
        assert quietly(kernel, RELOAD) == ""
        assert "set by the dashboard" in quietly(kernel, "%omp_limit")
        assert kernel.value(COUNTS) == [1]
        quietly(kernel, "%omp_guard off")
        quietly(kernel, RELOAD)
        assert quietly(kernel, "%omp_guard").startswith("omp_guard off")
        assert kernel.value("dash.controls.guard.value") == "off"
        quietly(kernel, "%omp_limit off")
        assert kernel.value(f"[{COUNTS}, {BOXES}]") == [[2], [2]]
        quietly(kernel, "%omp_limit 1")
        # A limited cell, and one that awaits, around a reload.
        quietly(kernel, f"%%omp_limit 1\nimport asyncio\nawait asyncio.sleep(0)\n{RELOAD}\nx = 1")
        quietly(kernel, "%unload_ext omp_magic")
        assert traced(kernel, before) == before
        assert kernel.value(COUNTS) == [2]
        assert kernel.value(OPEN_WIDGETS) == 0
        # An unload has forgotten all: who loads again starts afresh.
        quietly(kernel, "%load_ext omp_magic")
        assert "no limit is in force" in quietly(kernel, "%omp_limit")
        # %config has changed the shell's configuration, which outlives the extension.
        assert quietly(kernel, "%omp_guard").startswith("omp_guard raise")
    finally:
        kernel.close()


BREAK = """
import omp_magic.jupyter.extension as extension
whole, extension.install = extension.install, lambda shell: 1 / 0
"""
MEND = "extension.install = whole"


def test_a_reload_that_fails_gives_everything_back(tmp_path: Path) -> None:
    here = tmp_path / "omp_magic"
    shutil.copytree(ROOT / "omp_magic", here, ignore=shutil.ignore_patterns("__pycache__"))
    kernel = Kernel(TWO)
    try:
        kernel.run(f"import sys, os; sys.path.insert(0, {str(tmp_path)!r})")
        kernel.run("import numpy, omp_magic\n" + TRACE)
        kernel.run(SETTLED + "\n%config IPCompleter.greedy = False")
        assert kernel.value("omp_magic.__file__").startswith(str(tmp_path))
        before = trace(kernel)
        opened = "%load_ext omp_magic\n%omp_limit 1\n%omp_guard raise\ndash = %omp_dashboard"
        ended = "omp_magic: not loaded again, so this has ended: %omp_limit 1, 1 panel"

        def nothing_left() -> None:
            assert kernel.value(COUNTS) == [2]
            assert kernel.value("[dash.closed, len(dash._live.panels)]") == [True, 0]
            kernel.run("del dash; import time; time.sleep(0.6)")
            assert traced(kernel, before) == before

        quietly(kernel, opened)
        quietly(kernel, BREAK)
        reply = kernel.run(RELOAD)
        assert (reply.ename, ended in reply.stderr) == ("ZeroDivisionError", True), reply.stderr
        nothing_left()
        # IPython believes it loaded when only its own half of a reload has worked.
        quietly(kernel, MEND)
        quietly(kernel, opened)
        whole = (here / "__init__.py").read_text("utf-8")
        (here / "__init__.py").write_text("def\n", "utf-8")
        reply = kernel.run(RELOAD)
        assert (reply.ename, ended in reply.stderr) == ("SyntaxError", True), reply.stderr
        nothing_left()
        (here / "__init__.py").write_text(whole, "utf-8")
        quietly(kernel, "%load_ext omp_magic")
        assert "no limit is in force" in quietly(kernel, "%omp_limit")
    finally:
        kernel.close()


def test_loading_twice_loses_nothing_and_a_reload_mends(kernel: Kernel) -> None:
    quietly(kernel, "import numpy\n%load_ext omp_magic\n%omp_guard off\n%omp_limit 1")
    quietly(kernel, "import omp_magic; omp_magic.load_ipython_extension(get_ipython())")
    assert "already loaded" in quietly(kernel, "%load_ext omp_magic")
    assert quietly(kernel, "%omp_guard").startswith("omp_guard off")
    assert "set by %omp_limit 1" in quietly(kernel, "%omp_limit")
    quietly(kernel, "get_ipython().register_magic_function(lambda line: 0, 'line', 'omp_status')")
    quietly(kernel, RELOAD)
    assert "OpenBLAS" in kernel.run("%omp_status").text
