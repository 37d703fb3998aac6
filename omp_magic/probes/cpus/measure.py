"""How many CPUs threads really get: measured, only when asked."""

from __future__ import annotations

import hashlib
import threading
import time

from ...facts.cpus import Bound
from ...machine.python.own import thread_clock

_BLOCK = bytes(1 << 20)
"""hashlib lets go of the GIL for more than 2047 bytes; a block of 1 MiB takes about 1 ms."""


_WARM_UP_S = 0.15
"""A quota unused in its first period is given at once, so that period is not counted."""


def measure_cpus(threads: int, seconds: float = 0.5) -> Bound:
    """Keep threads busy for a moment and count the CPU time that they get.

    The one way to find a limit that no file shows: a container's parent, or a busy host.

    Parameters
    ----------
    threads
        How many; as many as the affinity mask has CPUs.
    seconds
        How long, after a warm-up of 0.15 s; a multiple of the usual period of 0.1 s.

    Returns
    -------
    Bound
        Its `cpus` is CPU time over wall time.
    """
    stop = threading.Event()
    ready = threading.Barrier(threads + 1)

    def work() -> None:
        ready.wait()
        while not stop.is_set():
            hashlib.sha256(_BLOCK).digest()

    workers = [
        threading.Thread(target=work, name="omp_magic measure", daemon=True) for _ in range(threads)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    try:
        stop.wait(_WARM_UP_S)
        start = _looked_at(workers)
        stop.wait(seconds)
        end = _looked_at(workers)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    wall_s = end[0] - start[0]
    return Bound(
        source="measured",
        cpus=(end[1] - start[1]) / wall_s,
        detail=f"{threads} thread{'s' * (threads != 1)} for {wall_s:.2f} s",
        lowers=False,
        reason="what threads got just now, neighbours included",
    )


def _looked_at(workers: list[threading.Thread]) -> tuple[float, float]:
    """Give the wall clock and the CPU time of running threads, in seconds."""
    clocks = [clock for each in workers if (clock := thread_clock(each.ident or 0)) is not None]
    if len(clocks) == len(workers):
        return time.perf_counter(), sum(map(time.clock_gettime, clocks))
    return time.perf_counter(), time.process_time()
