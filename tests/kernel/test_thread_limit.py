"""Threads that cannot start, in real groups of the pids controller: said before, and explained."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import LINUX, Kernel, run_program
from quota import write
from quota_groups import plain_groups

pytestmark = pytest.mark.skipif(not LINUX, reason="cgroups: Linux only")


@pytest.fixture
def tasks() -> Iterator[str]:
    with plain_groups("pids") as (folder,):
        yield folder


def fill(folder: str, kernel: Kernel, more: int = 0) -> int:
    """Put the kernel into the group, and let it start `more` tasks; give how many it has."""
    write(f"{folder}/pids.max", "max")
    write(f"{folder}/cgroup.procs", str(kernel.value("os.getpid()")))
    used = -1
    while used != (used := int(Path(f"{folder}/pids.current").read_text("ascii"))):
        time.sleep(0.2)  # the kernel's own threads have all started
    write(f"{folder}/pids.max", str(used + more))
    return used


def test_openblas_that_could_not_start_is_told_before_and_explained_after(
    tasks: str, kernel: Kernel, tmp_path: Path
) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("OpenBLAS starts no thread on one CPU")
    kernel.run("%load_ext omp_magic\nimport os, sys, time")
    (tmp_path / "slow_import.py").write_text("import time\ntime.sleep(30)\n")
    kernel.run(f"sys.path.insert(0, {str(tmp_path)!r})")
    used = fill(tasks, kernel)
    text = " ".join(kernel.run("%omp_status").text.split())
    assert "OMP210" in text
    assert f"{used} of {used} tasks" in text
    assert "pids.max of /" in text
    # Somebody pressed: that is not explained away, although there is no room for a thread.
    pressed = kernel.run("import slow_import", interrupt_after=0.5)
    assert (pressed.ename, pressed.displays) == ("KeyboardInterrupt", [])
    failed = kernel.run("import numpy")
    assert failed.ename == "KeyboardInterrupt"
    [shown] = failed.displays
    assert shown["text/plain"].startswith("✖ Nobody interrupted: OpenBLAS (numpy) could not start")
    after = kernel.run("%omp_status").text
    assert "started without" in after
    assert "OpenBLAS (numpy) could not start" in after
    # A person's Ctrl-C after that is not explained by it either.
    pressed = kernel.run("import slow_import", interrupt_after=0.5)
    assert (pressed.ename, pressed.displays) == ("KeyboardInterrupt", [])
    # The remedy as it stands: without it this product waits for ever (0.3.31).
    kernel.run("%omp_limit blas=1")
    works = kernel.run("import numpy as np\na = np.ones((600, 600)); print((a @ a)[0, 0])")
    assert works.stdout == "600.0\n"
    assert "could not start" not in kernel.run("%omp_status").text


def test_a_team_that_cannot_start_is_told_and_a_limit_lets_it_work(
    tasks: str, kernel: Kernel
) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("libgomp starts no thread on one CPU")
    kernel.run("%load_ext omp_magic\nimport os, sklearn.cluster, numpy as np")
    fill(tasks, kernel)
    text = " ".join(kernel.run("%omp_status --cpus").text.split())
    assert "pools still to start want" in text
    assert "leaves least room" in text
    kernel.run("%omp_limit 1")
    assert "OMP210" not in kernel.run("%omp_status").text
    fit = "sklearn.cluster.KMeans(3, n_init=1).fit(np.ones((5000, 3)) * np.arange(3))"
    assert kernel.run(fit).status == "ok"
    kernel.run("%omp_limit off")
    # What was said comes true: libgomp exits the process.
    assert kernel.run(fit).status == "dead"


USER = """
import json, os, resource, threading, omp_magic
omp_magic.snapshot()
resource.setrlimit(resource.RLIMIT_NPROC, (40, 40))
def row():
    found = omp_magic.snapshot()
    bound = found.tasks.bounds[-1]
    return bound.source, bound.used, bound.reason, [f.code for f in found.findings]
root = row()
os.setgroups([]); os.setgid(43210); os.setuid(43210)
alone = row()
gate, number = threading.Event(), 0
try:
    while True:
        threading.Thread(target=gate.wait, daemon=True).start(); number += 1
except RuntimeError:
    full = row()
gate.set()
print(json.dumps({"root": root, "alone": alone, "number": number, "full": full}))
"""


def test_the_limit_of_a_user_counts_all_tasks_and_not_for_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without processes")
    ended = run_program([sys.executable, "-c", USER], 60, {})
    assert ended.code == 0, ended.err
    seen = json.loads(ended.out)
    assert seen["root"][:2] == ["RLIMIT_NPROC", None]
    assert "root" in seen["root"][2]
    assert seen["alone"][1] + seen["number"] == 40
    assert "OMP210" not in seen["alone"][3]
    assert seen["full"][1] == 40
    assert "OMP210" in seen["full"][3]
