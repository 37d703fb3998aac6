"""What a tick of the live panel costs: CPU time of the thread that ticks, as a share of a core.

There are threads of a real libgomp team and of Python. They sleep, while a matrix product or a loop
of Python code runs beside, or the whole team runs between two ticks, so that each thread is asked
how long it waited. Another thread ticks, and sleeps 20 ms between two ticks, so that 240 of them
take seconds; the share is that of one tick a second. Prints a table, and exits with 1 when a
figure is over its aim.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable

from threads import PYTHON_THREADS, Team

TICKS, REST_S = 240, 0.02
AIMS = {66: 0.005, 500: 0.015}
"""The largest share of a core at one tick a second, by the number of threads."""


def ticked(work: Callable[[], object]) -> tuple[list[float], list[float], int]:
    """Tick beside some work; give CPU seconds and wall seconds of each tick, and the threads."""
    from omp_magic.machine import Machine
    from omp_magic.probes.live.pulse import Pulse

    pulse = Pulse(Machine.here())
    used: list[float] = []
    took: list[float] = []
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        try:
            for _ in range(TICKS):
                time.sleep(REST_S)
                wall, cpu = time.perf_counter(), time.thread_time()
                tick = pulse.tick()
                used.append(time.thread_time() - cpu)
                took.append(time.perf_counter() - wall)
                if tick.gaps or tick.owners is None:
                    raise RuntimeError(f"a tick has gaps: {tick.gaps}")
                seen.append(tick.num_threads or 0)
        finally:
            done.set()

    thread = threading.Thread(target=look)
    thread.start()
    while not done.is_set():
        work()
    thread.join()
    if len(used) != TICKS:
        raise RuntimeError("the ticks ended early")
    return used, took, max(seen)


def main() -> int:
    import numpy as np

    from omp_magic.probes.live import pace
    from omp_magic.probes.live import pulse as pulses

    missed, stop, team = 0, threading.Event(), Team()

    def region() -> None:
        team.grow(0)
        time.sleep(REST_S / 2)

    matrix = np.ones((700, 700))
    works: list[tuple[str, Callable[[], object]]] = [
        ("sleep", lambda: time.sleep(0.01)),
        ("matrix product", lambda: matrix @ matrix),
        ("Python loop", lambda: sum(range(1000))),
        ("OpenMP regions", region),
    ]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs, {TICKS} ticks")
    # At one tick a second nothing is put off: what costs less than 2 ms is read each time.
    pace.WAITS = 0
    pulses.SHORTEST_S = 0.0
    head = f"{'beside':16}{'threads':>8}{'mean us':>9}{'median':>8}{'wall ms':>9}{'most':>7}"
    print(f"{head}{'share':>9}{'aim':>7}")
    for _ in range(PYTHON_THREADS):
        threading.Thread(target=stop.wait, daemon=True).start()
    for number, aim in AIMS.items():
        team.grow(number - len(os.listdir("/proc/self/task")))
        for name, work in works:
            used, took, threads = ticked(work)
            if threads < number:
                raise RuntimeError(f"{threads} threads instead of {number}")
            share = statistics.mean(used)
            missed += share > aim
            print(
                f"{name:16}{threads:8}{share * 1e6:9.0f}{statistics.median(used) * 1e6:8.0f}"
                f"{statistics.median(took) * 1e3:9.2f}{max(took) * 1e3:7.1f}{share:9.3%}{aim:7.1%}"
            )
    stop.set()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
