"""`omp_magic.cluster`: every worker of a cluster that runs, in one table, and limited."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import SupportsIndex

from .bars import Bar
from .clusters.asking import EXAMPLE, OFF, Asking
from .clusters.engines import engine_of
from .errors import RequestError
from .facts.clustersnapshots import ClusterSnapshot
from .facts.gaps import Gap
from .here import HERE
from .limits.spec import parse_limit
from .onlooking import seen_outside
from .rules.clustered import judge_cluster
from .views import renderers

ClusterSnapshot.renderers.update(renderers.cluster_renderers)
_SHORT_S = 1.0
"""Seconds of a look that shows no bar."""


def cluster(
    client: object,
    limit: str | SupportsIndex | Mapping[str, SupportsIndex | str] | None = None,
    timeout_s: float = 10.0,
    *,
    progress: bool | None = None,
) -> ClusterSnapshot:
    """Say what every worker of a running cluster is like: host, runtimes, threads, CPUs.

    Each worker looks at itself: nothing is loaded, started or set there. One without omp_magic is
    brought ours for it, in memory. One that does not answer is a gap with its address, and keeps
    back no other. It is looked at from outside then where this process has started it: by a pool,
    a ``LocalCluster`` with nannies, or ipyparallel's ``Cluster`` once it has answered.

    Parameters
    ----------
    client
        A client of Dask's distributed, or one of its clusters; ipyparallel's ``Client`` or
        ``Cluster``, or a view for its engines alone; the module ``ray``, an actor's handle or
        several; a ``joblib.Parallel``, or ``joblib`` for the backend that is active; a pool of
        processes or threads of `concurrent.futures` or `multiprocessing`. No worker is started for
        a look.
    limit
        Also limit every pool of every worker until ``"off"``, which gives back what each had:
        ``"auto"`` is each host's CPUs divided by the tasks that run there at once, those of engines
        outside of a view too; anything else is as in `omp_magic.limit`, counted at each worker.
        None for no change.
    timeout_s
        Seconds that each worker has for each question.
    progress
        Whether a bar is shown after a second; when None in a notebook and in a terminal.

    Returns
    -------
    ClusterSnapshot
        Frozen; by ``hosts`` and by ``groups`` of equal state, with ``to_frame()``. After Ctrl-C it
        has the workers that had answered until then.

    Raises
    ------
    RequestError
        When `client` is of no engine that is known, or closed, `limit` is none, or `timeout_s` is
        no time.
    ClusterError
        When the cluster as a whole does not answer.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.cluster(3)
    Traceback (most recent call last):
    omp_magic.errors.RequestError: ...
    """
    asked = _asked(limit)
    each_s = _checked(timeout_s)
    engine = engine_of(client)
    try:
        seen = Asking(engine, each_s, Bar(progress, _SHORT_S), seen_outside).snapshot(asked)
    finally:
        close = getattr(engine, "close", None)
        if close is not None:
            close()
        if asked is not None:
            # A worker may be a thread of this process, and only a thread itself sets its counts.
            HERE.sync()
    try:
        return seen.with_findings(judge_cluster(seen))
    except Exception as error:  # noqa: BLE001 - what was seen is told all the same
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        return replace(seen, gaps=(*seen.gaps, Gap(what="findings", why=why)))


def _asked(limit: object) -> str | None:
    """Give a limit as it is written."""
    if limit is None or limit == OFF:
        return limit if isinstance(limit, str) else None
    given: object = limit
    asking = EXAMPLE.format('limit="{}"')
    return parse_limit(given, asking=asking, also=(OFF,), names="help(omp_magic.limit)").text  # type: ignore[arg-type]  # it refuses what it does not take


def _checked(timeout_s: object) -> float:
    ok = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    # An int may be more than a float can hold.
    if not ok or not 0 < timeout_s <= sys.float_info.max:  # type: ignore[operator]  # a number, as was seen
        accepted = "a number of seconds above 0 as timeout_s"
        raise RequestError(repr(timeout_s), accepted, EXAMPLE.format("timeout_s=30"))
    return float(timeout_s)  # type: ignore[arg-type]  # as above
