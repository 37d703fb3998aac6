"""Engines of ipyparallel, limited for one piece of work: python engines.py."""

from __future__ import annotations

import ipyparallel

import omp_magic


def threads() -> list[int]:
    """Say how many threads each pool of an engine has."""
    import numpy as np
    import threadpoolctl

    np.ones((100, 100)) @ np.ones((100, 100))
    return [each["num_threads"] for each in threadpoolctl.threadpool_info()]


def main() -> None:
    """Start them, limit them, and give back what they had."""
    with ipyparallel.Cluster(n=2, log_level=40) as rc:
        print(omp_magic.cluster(rc, limit="auto"))
        print("limited:", rc[:].apply_sync(threads))
        found = omp_magic.cluster(rc, limit="off")
        print("given back:", rc[:].apply_sync(threads))
        for finding in found.findings:
            print(finding.code, finding.title)


if __name__ == "__main__":
    main()
