"""Real clusters, with their client in a real kernel, and what asks their runtimes themselves."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from live import Kernel

AT_WORKER = """
import ctypes, glob, os, signal, sysconfig, threading, time

def load():
    "Map and start numpy's OpenBLAS and scikit-learn's libgomp."
    import numpy
    libs = os.path.join(sysconfig.get_path("platlib"), "scikit_learn.libs", "libgomp*")
    gomp = ctypes.CDLL(glob.glob(libs)[0])
    gomp.omp_get_max_threads()
    return os.getpid()

def counts():
    "What the runtimes say themselves, in this thread."
    import threadpoolctl
    return {each["internal_api"]: each["num_threads"] for each in threadpoolctl.threadpool_info()}

def counted(seconds=0.2):
    "The same in a task, with its thread and with what a thread has that it starts."
    own, later = counts(), []
    thread = threading.Thread(target=lambda: later.append(counts()))
    thread.start()
    thread.join()
    time.sleep(seconds)
    return threading.get_ident(), own, later[0]
"""
"""What workers run, sent to them by value."""

BLOCK = """
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "omp_magic":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Lacking())
"""
"""Lets a process find no omp_magic."""

COUNTS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
"""Two for each pool on any machine of the tests, where one is less."""


class ClusterKernel(Kernel):
    """A kernel that has a cluster; `pids` are ended with it, those that are stopped too.

    Parameters
    ----------
    start
        Starts the cluster, as a cell.
    env
        Variables of the kernel.
    """

    def __init__(self, start: str, env: dict[str, str] | None = None) -> None:
        self.pids: set[int] = set()
        super().__init__({**COUNTS, **(env or {})})
        try:
            self.done(AT_WORKER + "\nimport omp_magic")
            self.done(start)
        except BaseException:
            self.close()
            raise

    def done(self, code: str, timeout: float = 90) -> str:
        """Run a cell that must not fail; give what it printed."""
        reply = self.run(code, timeout)
        assert reply.status == "ok", reply.traceback
        return reply.stdout

    def know(self, expression: str) -> list[int]:
        """Note the pids of workers, to be ended."""
        found: list[int] = self.value(expression)
        self.pids.update(found)
        return found

    def rows(self, call: str) -> list[dict[str, Any]]:
        """Call `omp_magic.cluster` and give its workers, each with its state."""
        told: dict[str, Any] = self.value(f"(seen := {call}).to_dict()")
        groups = told["groups"]
        return [{**each, "state": groups[each["group"]]["state"]} for each in told["workers"]]

    def close(self) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)  # a stopped one would not see that its parent ends
        super().close()
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process for a while, so that it answers nobody and ends for nobody."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
