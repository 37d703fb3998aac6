"""Kernels that really die, and what the next one of the same notebook says of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from live import HOME, Kernel, Reply, forget_registration

LOAD = "%load_ext omp_magic\nimport ctypes, os"
TOLD = "omp_magic: this notebook's kernel "


def records() -> list[Path]:
    """The records that lie in the runtime folder, and what stands beside them."""
    return sorted(Path(HOME, "runtime").glob("omp_magic-*"))


def pid_of(kernel: Kernel) -> int:
    """Give the kernel's process."""
    pid = getattr(kernel.manager.provisioner, "pid", None)
    assert isinstance(pid, int)
    return pid


def died(kernel: Kernel, cell: str) -> None:
    """Run a cell that ends the kernel, and start it anew as its server does."""
    pid = pid_of(kernel)
    kernel.client.execute(cell, store_history=True)
    deadline = time.monotonic() + 120
    while kernel.manager.is_alive():
        assert time.monotonic() < deadline, f"it lives on: {cell}"
        time.sleep(0.02)
    kernel.drain()
    kernel.restart()
    forget_registration(pid)


def told(kernel: Kernel, load: str = LOAD) -> str:
    """Load the extension, and give what it says of the kernel before; "" when nothing."""
    reply = kernel.run(load)
    assert reply.status == "ok", reply.traceback
    return reply.stderr


def asked(kernel: Kernel) -> str:
    """Ask for the postmortem, and give its text without the breaks of its lines."""
    reply: Reply = kernel.run("%omp_postmortem")
    assert reply.status == "ok", reply.traceback
    assert "text/html" in reply.result
    return " ".join(reply.text.split())


def asked_to_restart(kernel: Kernel, cell: str, after_s: float) -> None:
    """Start a cell that never ends, and have its server restart the kernel as a user does."""
    kernel.client.execute(cell, store_history=True)
    time.sleep(after_s)
    kernel.manager.shutdown_wait_time = 0.4
    kernel.manager.restart_kernel(now=False)
    kernel.drain()
    kernel.client.wait_for_ready(timeout=60)


@contextlib.contextmanager
def memory_group(limit_bytes: int) -> Iterator[str]:
    """A cgroup with so much memory, of v1 or v2, removed afterwards.

    Raises
    ------
    OSError
        When none can be made here.
    """
    v1 = "/sys/fs/cgroup/memory"
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    if unified:
        Path("/sys/fs/cgroup/cgroup.subtree_control").write_text("+memory", "utf-8")
    folder = f"{'/sys/fs/cgroup' if unified else v1}/omp_magic_memory_{os.getpid()}"
    os.mkdir(folder)
    try:
        limit = Path(folder, "memory.max" if unified else "memory.limit_in_bytes")
        limit.write_text(str(limit_bytes), "utf-8")
        swap = Path(folder, "memory.swap.max" if unified else "memory.memsw.limit_in_bytes")
        if swap.exists():
            swap.write_text("0" if unified else str(limit_bytes), "utf-8")
        yield folder
    finally:
        deadline = time.monotonic() + 20
        while True:
            try:
                os.rmdir(folder)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
