"""What `omp_magic.section` and `omp_magic.metrics` cost a server, against what does as much.

A section whose logger is off is held against a pair of ``logging.debug`` that is off, one that is
logged against a pair that is on and a reading of psutil (memory, CPU time, number of threads) at
each end, which tells less: neither whose the threads are nor who was busy. A scrape is held against
`threadpoolctl.threadpool_info`. Each figure is the median of interleaved rounds, with NumPy, SciPy
and scikit-learn loaded. Prints a table, and exits with 1 when one is over its aim.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 15
MOST_OFF, MOST_ON, MOST_SCRAPE = 3.0, 3.0, 1.0
"""Times their peers: a section that is off, one that is logged, a scrape."""


def us(work: Callable[[], Any], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats * 1e6


def medians(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Give the median time in us of each, from interleaved rounds."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            found = us(work, repeats)
            if number:  # the first round loads what is loaded when it is needed
                took[name].append(found)
    return {name: statistics.median(each) for name, each in took.items()}


def loggers() -> tuple[logging.Logger, logging.Logger]:
    """Give ours and the peer's, with one handler that writes to nowhere."""
    handler = logging.StreamHandler(open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    found = logging.getLogger("omp_magic"), logging.getLogger("peer")
    for each in found:
        each.addHandler(handler)
        each.propagate = False
    return found


def off(section: Callable[[], Any], decorated: Callable[[], Any], pair: Callable[[], Any]) -> int:
    """Time sections whose logger is off; give how many are over their aim."""
    found = medians({"with": section, "decorated": decorated, "pair": pair}, 20_000)
    missed = 0
    for name in ("with", "decorated"):
        ratio = found[name] / found["pair"]
        more = f"{ratio:.2f} times a pair of logging.debug"
        missed += told(f"off, {name}", found[name], more, late=ratio > MOST_OFF)
    return missed


def on(section: Callable[[], Any], peer: Callable[[], Any], threads: int) -> int:
    """Time sections that are logged beside so many threads that wait."""
    stop = threading.Event()
    waiting = [threading.Thread(target=stop.wait) for _ in range(threads)]
    for each in waiting:
        each.start()
    found = medians({"with": section, "peer": peer}, 200)
    stop.set()
    for each in waiting:
        each.join()
    ratio = found["with"] / found["peer"]
    more = f"{ratio:.2f} times logging.debug and psutil"
    name = f"on, with {threads} threads more"
    return told(name, found["with"], more, late=not threads and ratio > MOST_ON)


def scrape() -> int:
    """Time a scrape."""
    import threadpoolctl

    import omp_magic

    found = medians({"ours": omp_magic.metrics, "peer": threadpoolctl.threadpool_info}, 50)
    ratio = found["ours"] / found["peer"]
    more = f"{ratio:.2f} times threadpoolctl.threadpool_info"
    return told("a scrape", found["ours"], more, late=ratio > MOST_SCRAPE)


def told(name: str, took_us: float, more: str, *, late: bool) -> int:
    """Print a row; give 1 when it is over its aim."""
    print(f"{name:28}{took_us:9.2f} us   {more}{'   MISSED' if late else ''}", flush=True)
    return int(late)


def main() -> int:
    import numpy as np
    import psutil
    import scipy.linalg
    import sklearn.cluster  # noqa: F401 - what the figures are asked for

    import omp_magic

    ours, peer = loggers()
    process = psutil.Process()
    scipy.linalg.det(np.eye(3))

    def section() -> None:
        with omp_magic.section("x"):
            pass

    @omp_magic.section("y")
    def decorated() -> None:
        pass

    def pair() -> None:
        peer.debug("begin %s", "x")
        peer.debug("end %s", "x")

    def reading() -> tuple[int, float, int]:
        with process.oneshot():
            return process.memory_info().rss, process.cpu_times().user, process.num_threads()

    def pair_with_readings() -> None:
        peer.debug("begin %s %s", "x", reading())
        peer.debug("end %s %s", "x", reading())

    ours.setLevel("INFO")
    peer.setLevel("INFO")
    missed = off(section, decorated, pair)
    ours.setLevel("DEBUG")
    peer.setLevel("DEBUG")
    missed += on(section, pair_with_readings, 0) + on(section, pair_with_readings, 60)
    ours.setLevel("INFO")
    return int(bool(missed + scrape()))


if __name__ == "__main__":
    sys.exit(main())
