"""Clusters made of recorded workers, varied: `tests/data/cluster/states.json`.

Recorded by `omp_magic.atworker.look` in real processes with two CPUs: numpy 2.4; scikit-learn 1.9
after a fit; the same started with the variables that Dask's nanny sets; torch with MKL's wheels.
Host, machine and prefix were renamed, and what has its default left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from places import ROOT

from omp_magic.facts.clusters import ClusterWorker, WorkerState
from omp_magic.facts.clustersnapshots import ClusterSnapshot
from omp_magic.facts.gaps import Gap
from omp_magic.facts.libraries import Finding, Library, Pool
from omp_magic.rules.clustered import judge_cluster
from omp_magic.views.renderers import cluster_renderers

ClusterSnapshot.renderers.update(cluster_renderers)
NUMPY, SKLEARN, NANNY, TORCH = range(4)
"""Places of the recorded ones."""


@cache
def recorded() -> tuple[ClusterWorker, ...]:
    """Give the recorded workers, each with a state and findings."""
    text = (ROOT / "tests/data/cluster/states.json").read_text("utf-8")
    return tuple(map(_worker, json.loads(text)))


def _worker(row: dict[str, Any]) -> ClusterWorker:
    state = dict(_tuples(row["state"]))
    state["libraries"] = tuple(Library(**{"soname": None, **each}) for each in state["libraries"])
    state["pools"] = tuple(Pool(**each) for each in state["pools"])
    found = tuple(Finding(**each) for each in _tuples(row["findings"]))
    worker = {name: value for name, value in _tuples(row["worker"]).items() if name != "address"}
    return ClusterWorker(address="", state=WorkerState(**state), findings=found, **worker)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {name: _tuples(each) for name, each in value.items()}
    return value


def state_of(place: int, **facts: Any) -> WorkerState:
    """Give a recorded state, with some facts changed."""
    state = recorded()[place].state
    assert state is not None
    return replace(state, **facts)


def sized(state: WorkerState, threads: int) -> WorkerState:
    """Give a state whose pools have so many threads."""
    pools = tuple(replace(pool, num_threads=threads) for pool in state.pools)
    return replace(state, pools=pools)


def worker(place: int = SKLEARN, number: int = 0, **facts: Any) -> ClusterWorker:
    """Give a recorded worker at an address of its own."""
    given = {"address": f"tcp://10.0.0.7:{40000 + number}", "name": str(number), **facts}
    return replace(recorded()[place], **given)


def silent(number: int = 0, why: str = "no answer in 10 s", **facts: Any) -> ClusterWorker:
    """Give a worker that has not answered."""
    given: dict[str, Any] = {"address": f"tcp://10.0.0.7:{40000 + number}", "host": "10.0.0.7"}
    gap = Gap(what="worker", why=why, where=given["address"])
    return ClusterWorker(**{**given, "gap": gap, **facts})


def cluster(workers: Iterable[ClusterWorker], **facts: Any) -> ClusterSnapshot:
    """Give a cluster of workers, judged."""
    given: dict[str, Any] = {"engine": "dask", "title": "LocalCluster 7f3a", **facts}
    found = ClusterSnapshot(workers=tuple(workers), **given)
    return found.with_findings(judge_cluster(found))


def simulated(number: int, states: int = 2, per_host: int = 40) -> ClusterSnapshot:
    """Give a cluster of so many workers of so many different states, each a recorded one varied.

    Equal states are one object, as `facts.packed.unpack_once` gives them.
    """
    made = [_varied(place) for place in range(states)]
    rows = []
    for place in range(number):
        kind = place % states if states > 2 else int(place % 13 == 12) % states
        host = place // per_host
        rows.append(
            replace(
                recorded()[kind % 3],
                address=f"tcp://10.0.{host // 250}.{host % 250}:{40000 + place % per_host}",
                name=f"node-{host}-{place % per_host}",
                host=f"node-{host}",
                machine=f"{host:08x}-0000-4000-8000-000000000000",
                pid=1000 + place,
                tasks=2,
                state=made[kind],
                took_s=0.004,
            )
        )
    return cluster(rows)


def _varied(place: int) -> WorkerState:
    """Give a recorded state, and past the first ones another version and size of its own."""
    state = state_of(place % 3)
    if place < 3:
        return state
    libraries = tuple(
        replace(each, owner_version=f"2.{place}", path=f"{each.path}.{place}")
        for each in state.libraries
    )
    return replace(sized(state, 1 + place % 64), libraries=libraries)
