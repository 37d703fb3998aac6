"""How many CPUs threads really get: measured, only when asked."""

from __future__ import annotations

import hashlib
import threading
import time

from ..cpus import Bound

_BLOCK = bytes(1 << 20)
"""hashlib lets go of the GIL for more than 2047 bytes; a block of 1 MiB takes about 1 ms."""


def measure_cpus(threads: int, seconds: float = 0.5) -> Bound:
    """Keep threads busy for a moment and count the CPU time that they got.

    The one way to find a limit that no file shows: a container's parent, or a busy host.

    Parameters
    ----------
    threads
        How many; as many as the affinity mask has CPUs.
    seconds
        How long. Below half a second the first period's saved-up quota shows.

    Returns
    -------
    Bound
        Its `cpus` is CPU time over wall time.
    """
    stop = threading.Event()
    gate = threading.Barrier(threads + 1)
    used = [0.0] * threads

    def work(number: int) -> None:
        gate.wait()
        start = time.thread_time()
        while not stop.is_set():
            hashlib.sha256(_BLOCK).digest()
        used[number] = time.thread_time() - start

    workers = [
        threading.Thread(target=work, args=(number,), name="omp_magic measure", daemon=True)
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    start = time.perf_counter()
    stop.wait(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    wall = time.perf_counter() - start
    return Bound(
        source="measured",
        cpus=sum(used) / wall,
        detail=f"{threads} threads for {wall:.2f} s",
        lowers=False,
        reason="what threads got just now, neighbours included",
    )
