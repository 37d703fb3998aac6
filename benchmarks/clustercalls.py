"""What a look at a worker costs beyond the engine's own round trip, with Dask and ipyparallel.

A look at all workers is held against the same question about nothing (`Client.run` and
`DirectView.apply_sync` of ``eval("None")``), and against what a user would ask by hand:
`threadpoolctl.threadpool_info`, which tells of runtimes alone. Also with an omp_magic that came
with the question. NumPy is loaded at each worker. Each figure is the median of interleaved rounds.
Prints a table, and exits with 1 when a worker costs more than 20 ms.
"""

from __future__ import annotations

import statistics
import sys
import time
from builtins import eval as evaluate
from collections.abc import Callable
from typing import Any

WORKERS = 4
ROUNDS = 15
MOST_MS = 20.0
"""A worker's look, beyond the round trip."""


def lack() -> None:
    """Let this process find no omp_magic."""
    import sys

    class Lacking:
        def find_spec(self, name: str, *_: Any) -> None:
            if name.partition(".")[0] == "omp_magic":
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, Lacking())
    for name in [each for each in sys.modules if each.partition(".")[0] == "omp_magic"]:
        del sys.modules[name]


def controlled() -> Any:
    """Ask what a user would ask by hand."""
    import threadpoolctl

    return threadpoolctl.threadpool_info()


def loaded() -> None:
    """Load what has a pool."""
    import numpy  # noqa: F401, ICN001 - to have its pool


def medians_ms(works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Give the median time of each, from interleaved rounds."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for number in range(ROUNDS + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number:  # the first round imports
                took[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(each) for name, each in took.items()}


def told(engine: str, client: Any, run: Callable[..., Any]) -> int:
    """Print a row for looks by the workers' own omp_magic, and one for one that is brought."""
    import omp_magic

    missed = 0
    run(loaded)
    works: dict[str, Callable[[], Any]] = {
        "look": lambda: omp_magic.cluster(client, progress=False),
        "nothing": lambda: run(evaluate, "None"),
        "threadpoolctl": lambda: run(controlled),
    }
    for kind in ("installed", "brought"):
        if kind == "brought":
            run(lack)
        found = medians_ms(works)
        seen = {each.seen for each in works["look"]().workers}
        missed += seen != {"inside" if kind == "installed" else "carried"}
        each_ms = (found["look"] - found["nothing"]) / WORKERS
        ratio = found["look"] / found["threadpoolctl"]
        times = " | ".join(f"{found[name]:.1f} ms" for name in works)
        print(f"| {engine} | {kind} | {times} | {each_ms:.2f} ms | {ratio:.2f} |", flush=True)
        missed += each_ms > MOST_MS
    return missed


def dask() -> int:
    """Ask a LocalCluster."""
    from distributed import Client, LocalCluster

    made: Any = LocalCluster
    with (
        made(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]  # it has no types
    ):
        return told("Dask", client, client.run)


def ipyparallel() -> int:
    """Ask engines of ipyparallel."""
    from ipyparallel import Cluster

    with Cluster(n=WORKERS, log_level=40) as client:
        return told("ipyparallel", client, client[:].apply_sync)


def main() -> int:
    """Run both."""
    print(f"{WORKERS} workers, all of them asked at once\n")
    print("| engine | omp_magic | look | nothing | threadpoolctl | a worker | of threadpoolctl |")
    print("|---|---|---|---|---|---|---|")
    return min(1, dask() + ipyparallel())


if __name__ == "__main__":
    sys.exit(main())
