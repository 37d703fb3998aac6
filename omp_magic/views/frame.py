"""Snapshots and ticks -> pandas.DataFrame. Importing pandas imports NumPy, which loads OpenBLAS."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields

import pandas as pd

from ..errors import RequestError
from ..facts.clusters import WorkerState
from ..facts.clustersnapshots import ClusterSnapshot
from ..facts.libraries import Library
from ..facts.plain import as_plain
from ..facts.snapshots import Snapshot
from ..facts.sweeps import Sweep
from ..facts.ticks import Tick

_COUNTS = ("num_threads", "would_use")
_TRUTHS = ("initialized", "serves", "replaced")
_RATES = ("interval_s", "cpus", "group_cpus", "allowed_cpus", "throttled", "waiting")
_SIZES = ("num_threads", "rss_bytes")
_SWEPT = {
    **dict.fromkeys(("peak_rss_bytes", "worker_bytes"), "Int64"),
    **dict.fromkeys(("cpu_s", "startup_s", "sending_s"), "Float64"),
}
SUFFIXES = (".csv", ".parquet")


def render_frame(snapshot: Snapshot) -> pd.DataFrame:
    """Give the runtimes as a table, one row a library; unknown values are ``pandas.NA``."""
    columns = [field.name for field in fields(Library)]
    frame = pd.DataFrame(as_plain(snapshot.libraries), columns=columns)
    kinds = {**dict.fromkeys(_COUNTS, "Int64"), **dict.fromkeys(_TRUTHS, "boolean")}
    typed: pd.DataFrame = frame.astype(kinds)
    return typed


def ticks_frame(ticks: Sequence[Tick], labels: Mapping[str, str]) -> pd.DataFrame:
    """Give what the dashboard saw as a table, one row a look; unknown values are missing.

    Parameters
    ----------
    ticks
        The oldest first.
    labels
        Names of owners of threads, by path.

    Returns
    -------
    pandas.DataFrame
        By time in UTC. For each owner of threads ``alive OWNER`` and ``busy OWNER`` count its
        threads: 0 where it had none, missing where owners were not known.
    """
    index = pd.to_datetime([tick.at_s for tick in ticks], unit="s", utc=True).rename("at")
    frame = pd.DataFrame(index=index)
    for name in _RATES:
        frame[name] = pd.array([getattr(tick, name) for tick in ticks], dtype="Float64")
    for name in _SIZES:
        frame[name] = pd.array([getattr(tick, name) for tick in ticks], dtype="Int64")
    frame["num_children"] = pd.array([len(tick.children) for tick in ticks], dtype="Int64")
    counts = [_by_owner(tick, labels) for tick in ticks]
    owners = sorted({owner for count in counts for owner in count or ()})
    columns = {
        f"{kind} {owner}": pd.array(
            [None if count is None else count.get(owner, (0, 0))[at] for count in counts],
            dtype="Int64",
        )
        for owner in owners
        for at, kind in enumerate(("alive", "busy"))
    }
    joined: pd.DataFrame = pd.concat([frame, pd.DataFrame(columns, index=index)], axis=1)
    return joined


def _by_owner(tick: Tick, labels: Mapping[str, str]) -> dict[str, tuple[int, int]] | None:
    if tick.owners is None:
        return None
    counts: dict[str, tuple[int, int]] = {}
    for owner in tick.owners:
        name = labels.get(owner.path) or os.path.basename(owner.path)
        alive, busy = counts.get(name, (0, 0))
        counts[name] = alive + owner.alive, busy + owner.busy
    return counts


def save_frame(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table to a file, as its name ends.

    Raises
    ------
    RequestError
        When it ends neither in .csv nor in .parquet. Nothing was written.
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix == ".csv":
        frame.to_csv(path)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        accepted = f"a name that ends in {' or '.join(SUFFIXES)}"
        raise RequestError(os.fspath(path), accepted, 'save("threads.csv")')


def sweep_frame(sweep: Sweep) -> pd.DataFrame:
    """Give a sweep as a table, one row a point; times are seconds, sizes bytes.

    Returns
    -------
    pandas.DataFrame
        ``runs_s`` holds the times of a point's runs; ``best`` is true for one row. With items,
        ``items_per_s`` is the throughput.
    """
    rows = []
    for point in sweep.points:
        row = {field.name: getattr(point, field.name) for field in fields(point)}
        runs = row.pop("runs")
        row |= {
            "num_runs": len(runs),
            "disturbed": point.disturbed,
            "runs_s": tuple(run.wall_s for run in runs),
            "best": sweep.is_best(point),
        }
        if sweep.items:
            row["items_per_s"] = sweep.items / point.median_s
        rows.append(row)
    frame = pd.DataFrame(rows)
    known = {name: kind for name, kind in _SWEPT.items() if name in frame}
    typed: pd.DataFrame = frame.astype(known)
    return typed


_WORKER = ("address", "name", "pid", "tasks", "demand", "quota_cpus", "seen", "took_s")
_STATE = ("python", "system", "prefix", "budget_cpus", "budget_threads", "bound")
_OF_WORKERS = {
    **dict.fromkeys(("pid", "tasks", "demand", "budget_threads"), "Int64"),
    **dict.fromkeys(("quota_cpus", "took_s", "budget_cpus"), "Float64"),
}


def cluster_frame(cluster: ClusterSnapshot) -> pd.DataFrame:
    """Give a cluster as a table, one row a worker, in the order of its workers.

    Returns
    -------
    pandas.DataFrame
        ``host`` is the machine's name, ``group`` the number of its kind; ``runtimes``, ``pools``,
        ``variables`` and ``codes`` are texts; ``gap`` says why a worker has not answered.
    """
    groups = {id(e): n for n, group in enumerate(cluster.groups, 1) for e in group.workers}
    hosts = {id(e): host.name for host in cluster.hosts for e in host.workers}
    rows = []
    told: dict[int, dict[str, str]] = {}
    for worker in cluster.workers:
        state = worker.state
        row = {name: getattr(worker, name) for name in _WORKER}
        row |= {"host": hosts[id(worker)], "group": groups[id(worker)]}
        row |= {name: getattr(state, name, None) for name in _STATE}
        if id(state) not in told:
            told[id(state)] = _state_texts(state)
        row |= told[id(state)]
        row["gap"] = None if worker.gap is None else worker.gap.why
        rows.append(row)
    names = [*_WORKER[:2], "host", "group", *_WORKER[2:], *_STATE, *_TEXTS, "gap"]
    typed: pd.DataFrame = pd.DataFrame(rows, columns=names).astype(_OF_WORKERS)
    return typed


_TEXTS = ("runtimes", "pools", "variables", "limits", "codes")


def _state_texts(state: WorkerState | None) -> dict[str, str]:
    """Give what a state has several of, each as a text; a table has one value a cell."""
    if state is None:
        return {}
    found = (
        [
            f"{each.label} {each.version or ''} ({each.owner or each.name})"
            for each in state.libraries
        ],
        [f"{pool.name}={pool.size}" for pool in state.pools if pool.size],
        [f"{name}={value}" for name, value in state.variables],
        state.limits,
        state.codes,
    )
    return {name: "; ".join(each) for name, each in zip(_TEXTS, found, strict=True)}
