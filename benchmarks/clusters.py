"""What a cluster of many workers costs to be grouped, judged and drawn, from 10 to 10,000.

Recorded workers, varied by `tests/madeclusters.py`: two kinds in all, as a cluster mostly is, and
each worker of a kind of its own, which no cluster is. Grouping is held against what a user would do
with the same facts: a table of the workers and pandas' groupby. Prints a table, and exits with 1
when 10,000 are grouped in more than 2 s, a page has more than 500 KB, or a worker costs three times
more among 10,000 than among 1,000.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST_GROUPED_S, MOST_PAGE_BYTES, MOST_GROWTH = 2.0, 500_000, 3.0
SIZES = (10, 100, 1_000, 10_000)
ROUNDS = 3


def best_s(work: Callable[[], Any]) -> float:
    """Give the shortest time of a few rounds."""
    took = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def measured(number: int, kinds: int) -> tuple[float, float, float, float, int]:
    """Give times of grouping, judging, a page and the peer, and the page's bytes."""
    from madeclusters import simulated as made

    from omp_magic.facts.clustersnapshots import ClusterSnapshot
    from omp_magic.rules.clustered import judge_cluster
    from omp_magic.views.cluster_text import render_html

    workers = made(number, kinds).workers

    def fresh() -> ClusterSnapshot:
        return ClusterSnapshot(engine="dask", title="simulated", workers=workers)

    def grouped() -> ClusterSnapshot:
        found = fresh()
        return found if found.groups and found.hosts else fresh()

    def judged() -> ClusterSnapshot:
        found = grouped()
        return found.with_findings(judge_cluster(found))

    whole = judged()

    def page() -> str:
        return render_html(whole)

    def peer() -> Any:
        frame = fresh().to_frame()
        return frame.groupby(["host", "python", "runtimes", "pools", "variables", "tasks"]).size()

    group_s, judge_s, page_s = map(best_s, (grouped, judged, page))
    size = len(page().encode())
    return group_s, max(0.0, judge_s - group_s), page_s, best_s(peer), size


def simulated() -> int:
    """Print the table of simulated clusters; give how many aims were missed."""
    missed = 0
    print("| workers | kinds | grouped | judged | page | page size | of pandas |")
    print("|---|---|---|---|---|---|---|")
    for kinds in (2, 0):
        each_us = {}
        for number in SIZES:
            group_s, judge_s, page_s, peer_s, size = measured(number, kinds or number)
            total = group_s + judge_s + page_s
            each_us[number] = total / number * 1e6
            times = " | ".join(f"{1000 * each:.1f} ms" for each in (group_s, judge_s, page_s))
            ratio = f"{group_s / peer_s:.2f}"
            row = f"| {number} | {kinds or number} | {times} | {size / 1000:.0f} KB | {ratio} |"
            print(row, flush=True)
            missed += group_s > MOST_GROUPED_S or size > MOST_PAGE_BYTES
        growth = each_us[10_000] / each_us[1_000]
        print(f"  a worker costs {growth:.2f} times as much among 10,000 as among 1,000")
        missed += growth > MOST_GROWTH
    return missed


def main() -> int:
    """Run all."""
    root = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(root / "tests"), str(root)]
    return min(1, simulated())


if __name__ == "__main__":
    sys.exit(main())
