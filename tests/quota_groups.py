"""Real cgroups with a quota, v1 or v2, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from live import CLEAN

V1 = "/sys/fs/cgroup/cpu"
V2 = "/sys/fs/cgroup"


def write(path: str, text: str) -> None:
    """Write so that the kernel's refusal is seen: a buffered write loses it."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def set_quota(folder: str, quota_us: int) -> None:
    if os.path.exists(f"{folder}/cpu.max"):
        write(f"{folder}/cpu.max", f"{quota_us} 100000")
    else:
        write(f"{folder}/cpu.cfs_period_us", "100000")
        write(f"{folder}/cpu.cfs_quota_us", str(quota_us))


@contextmanager
def nested_quotas() -> Iterator[str]:
    """A group with half a CPU below one with 1.5, on v1 or v2, removed afterwards."""
    root = V1 if os.path.exists(f"{V1}/cpu.cfs_quota_us") else V2
    outer = f"{root}/omp_magic_test_{os.getpid()}"
    inner = f"{outer}/inner"
    made: list[str] = []
    try:
        try:
            for folder in (outer, inner):
                os.mkdir(folder)
                made.append(folder)
                if os.path.exists(f"{folder}/cgroup.subtree_control") and folder == outer:
                    write(f"{folder}/cgroup.subtree_control", "+cpu")
            set_quota(outer, 150_000)
            set_quota(inner, 50_000)
        except OSError as error:
            pytest.skip(f"no cgroup with a cpu controller can be made here: {error.strerror}")
        yield inner
    finally:
        for folder in reversed(made):
            _remove(folder)


def _remove(folder: str) -> None:
    for _ in range(100):
        try:
            os.rmdir(folder)
        except OSError:  # busy until its last process has been reaped
            time.sleep(0.05)
        else:
            return


def inside(group: str, code: str) -> dict[str, Any]:
    """Run a program in a cgroup and give the JSON of its last line."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=CLEAN,
        preexec_fn=lambda: write(f"{group}/cgroup.procs", "0"),
    )
    found: dict[str, Any] = json.loads(ended.stdout.strip().split("\n")[-1])
    return found
