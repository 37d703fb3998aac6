"""What is to be run about a cluster, with the user's names in place of the tables' own."""

from __future__ import annotations

import re
from dataclasses import replace

from ..facts.clustersnapshots import ClusterSnapshot
from ..facts.libraries import Finding

_CALLED = {"dask": "client", "ipyparallel": "rc", "executor": "executor"}
"""What the tables call the client of an engine whose methods they name."""
_ASKED = re.compile(r"(%omp_cluster |omp_magic\.cluster\()(?:client|rc|ray|joblib|executor)\b")


def in_names(finding: Finding, cluster: ClusterSnapshot) -> Finding:
    """Give a finding whose remedies can be run as they stand.

    Parameters
    ----------
    finding
        One of the cluster's.
    cluster
        Which has the user's names; where it has none, the tables' stay.
    """
    if not cluster.asked_as:
        return finding
    return replace(finding, remedies=tuple(_named(each, cluster) for each in finding.remedies))


def _named(remedy: str, cluster: ClusterSnapshot) -> str:
    remedy = _ASKED.sub(lambda found: f"{found[1]}{cluster.asked_as}", remedy)
    own = _CALLED.get(cluster.engine)
    if own is None or not cluster.client_as:
        return remedy
    return re.sub(rf"(?<![\w.]){own}(?=\.\w|\[)", lambda _: cluster.client_as, remedy)
