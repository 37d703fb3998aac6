"""A Dask cluster of this machine whose workers share its CPUs: python dask_local.py."""

from __future__ import annotations

from typing import Any

import omp_magic


def product(size: int) -> float:
    """Use OpenBLAS in a task."""
    import numpy as np

    matrix = np.ones((size, size))
    return float((matrix @ matrix)[0, 0])


def main() -> None:
    """Start it, look at it, and end it."""
    from distributed import LocalCluster

    local: Any = LocalCluster
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": None}
    with local(**options) as cluster, cluster.get_client() as client:
        # Every worker, those to come too: its share of this machine's CPUs.
        client.register_plugin(omp_magic.dask_plugin("auto"))
        print(sum(client.gather(client.map(product, range(100, 110)))))
        found = omp_magic.cluster(client)
        print(found)
        # What there is to say of them, once: it stands in the scheduler's log as well.
        for _, told in client.get_events("omp_magic") or ():
            print(told["worker"], told["code"], told["title"])


if __name__ == "__main__":  # the workers import this file
    main()
