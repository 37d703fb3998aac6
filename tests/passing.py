"""A parallel region that names its own number of threads, without a compiler."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from pathlib import Path

_REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def burn(_data: object = None) -> None:
    """Use a tenth of a second or more of CPU time, without the GIL."""
    hashlib.pbkdf2_hmac("sha256", b"omp", b"magic", 200_000)


_BURN = _REGION(burn)


def libgomp(part: str = "libgomp") -> ctypes.CDLL:
    """Give a libgomp that is mapped, the first whose path holds `part`."""
    lines = Path("/proc/self/maps").read_text("utf-8").splitlines()
    paths = (line[line.index("/") :] for line in lines if "/" in line)
    return ctypes.CDLL(next(path for path in paths if part in path and "libgomp" in path))


def region(threads: int, library: ctypes.CDLL | None = None) -> None:
    """Run a region with that many threads; 0 takes the runtime's count.

    What gcc makes of ``#pragma omp parallel num_threads(threads)`` (libgomp/libgomp_g.h).
    """
    (library or libgomp()).GOMP_parallel(_BURN, None, threads, 0)


def counted(function: Callable[[], object]) -> int:
    """Give the threads that worked for a function: a third or more of what the busiest did."""
    import os
    import time

    def clocks() -> dict[int, int]:
        found = {}
        for tid in map(int, os.listdir("/proc/self/task")):
            try:
                found[tid] = time.clock_gettime_ns((~tid << 3) | 6)
            except OSError:
                continue  # it ended after it was listed
        return found

    before = clocks()
    function()
    used = [ns - before.get(tid, 0) for tid, ns in clocks().items()]
    return sum(ns >= max(used) / 3 for ns in used)
