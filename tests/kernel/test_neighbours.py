"""Two real kernels in one real cgroup: one works, the other says so; alone it says nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from live import LINUX, Kernel
from quota import prefer_group, write
from quota_groups import plain_groups

pytestmark = pytest.mark.skipif(not LINUX, reason="cgroups: Linux only")

WORK = """
import hashlib, threading, time
block, stop = bytes(1 << 20), threading.Event()
def work():
    while not stop.is_set(): hashlib.sha256(block).digest()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
"""


@pytest.fixture
def shared() -> Iterator[tuple[str, ...]]:
    with plain_groups("cpu", "cpuacct") as folders:
        for folder in folders:
            with suppress(OSError):  # busy tests in other groups must not have all CPUs
                prefer_group(folder)
        yield folders


def looks(kernel: Kernel, number: int = 3) -> list[str]:
    found = []
    for _ in range(number):
        time.sleep(1.1)  # a rate is one of a second or more
        found.append(kernel.run("%omp_status").text)
    return found


def until(true: Callable[[], object], seconds: float = 40) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def test_the_other_kernel_is_told_and_alone_nothing_is(
    shared: tuple[str, ...], kernel: Kernel
) -> None:
    other = Kernel()
    try:
        for each in (kernel, other):
            for folder in shared:
                write(f"{folder}/cgroup.procs", str(each.value("__import__('os').getpid()")))
        kernel.run("%load_ext omp_magic\nimport time")
        kernel.run("dash = %omp_dashboard")
        findings = "'OMP211' in ''.join(s.head.value for s in dash.controls.findings._shown)"
        live = "'others here <b>' in dash.controls.live.value"
        quiet = looks(kernel)
        assert not any("OMP211" in text for text in quiet)
        assert kernel.value(f"[{findings}, {live}]") == [False, False]
        pid = other.value("__import__('os').getpid()")
        other.run(WORK)
        told = looks(kernel)
        assert "OMP211" in told[-1]
        assert f"pid {pid} with" in " ".join(told[-1].split())
        assert until(lambda: kernel.value(f"{findings} and {live}"))
        other.run("stop.set(); [thread.join() for thread in threads]")
        looks(kernel, 1)
        assert not any("OMP211" in text for text in looks(kernel))
        assert until(lambda: not kernel.value(f"{findings} or {live}"))
    finally:
        other.close()


CHILD = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
"""


@pytest.mark.thorough  # tests/pure/test_neighbours.py has it from files
def test_ones_own_children_are_no_neighbours(shared: tuple[str, ...], kernel: Kernel) -> None:
    for folder in shared:
        write(f"{folder}/cgroup.procs", str(kernel.value("__import__('os').getpid()")))
    kernel.run("%load_ext omp_magic")
    kernel.run(CHILD)
    try:
        assert not any("OMP211" in text for text in looks(kernel, 4))
    finally:
        kernel.run("[child.kill() for child in children]; [child.wait() for child in children]")


@pytest.mark.thorough  # as above
def test_without_a_group_of_its_own_a_kernel_that_waits_is_told(kernel: Kernel) -> None:
    cpus = len(os.sched_getaffinity(0))
    busy = Kernel()
    try:
        busy.run(WORK.replace("range(2)", f"range({2 * cpus})"))
        kernel.run("%load_ext omp_magic")
        kernel.run(WORK.replace("range(2)", f"range({cpus})"))
        # Other tests beside are neighbours too, so none of them is looked for by name.
        assert until(lambda: "OMP211" in kernel.run("%omp_status").text)
    finally:
        kernel.run("stop.set()")
        busy.close()
