"""Real cgroups with a quota, v1 or v2, for tests; made as the benchmark makes its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from live import CLEAN
from quota import V2, enter_group, make_group, prefer_group, remove_group, write


@contextmanager
def nested_quotas() -> Iterator[str]:
    """A group with half a CPU below one with 1.5, removed afterwards."""
    name = f"omp_magic_test_{os.getpid()}"
    with ExitStack() as groups:
        try:
            outer = make_group(1.5, name)
            groups.callback(remove_group, outer)
            prefer_group(outer)
            inner = make_group(0.5, "inner", outer)
            groups.callback(remove_group, inner)
        except OSError as error:
            pytest.skip(f"no cgroup with a cpu controller can be made here: {error.strerror}")
        yield inner


@contextmanager
def one_quota(cpus: float, name: str) -> Iterator[str]:
    """A group with so many CPUs and no quota above it, removed afterwards."""
    try:
        group = make_group(cpus, f"omp_magic_{name}_{os.getpid()}")
    except OSError as error:
        pytest.skip(f"no cgroup with a cpu controller can be made here: {error.strerror}")
    try:
        prefer_group(group)
        yield group
    finally:
        remove_group(group)


def inside(group: str, code: str) -> dict[str, Any]:
    """Run a program in a cgroup and give the JSON of its last line."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env=CLEAN,
        preexec_fn=lambda: enter_group(group),
    )
    found: dict[str, Any] = json.loads(ended.stdout.strip().split("\n")[-1])
    return found


@contextmanager
def plain_groups(*controllers: str) -> Iterator[tuple[str, ...]]:
    """A group without a limit for each controller of v1, or one for all of v2; removed afterwards.

    What still runs in it is ended. Other tests run beside: such a group has its own figures.
    """
    unified = os.path.exists(f"{V2}/cgroup.controllers")
    parents = (V2,) if unified else tuple(f"{V2}/{each}" for each in controllers)
    with ExitStack() as groups:
        found = []
        for parent in parents:
            folder = f"{parent}/omp_magic_plain_{os.getpid()}"
            try:
                for each in controllers if unified else ():
                    write(f"{parent}/cgroup.subtree_control", f"+{each}")
                os.mkdir(folder)
            except OSError as error:
                pytest.skip(f"no cgroup can be made here: {error.strerror}")
            groups.callback(remove_group, folder)
            found.append(folder)
        yield tuple(found)
