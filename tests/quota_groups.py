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
from quota import enter_group, make_group, prefer_group, remove_group


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
