"""The words of OMP405: who does not answer, and what fits the reason of each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ..facts.clusterhosts import host_in
from ..facts.clusters import ClusterWorker
from ..facts.clustersnapshots import ClusterSnapshot
from ..knowledge.engines import words_of
from .cluster_words import MOST, client_of, filled, last_word


def silent_evidence(silent: Sequence[ClusterWorker]) -> tuple[str, ...]:
    """Give each silent worker's address and reason, of a few."""
    told = tuple(
        f"{each.title}{f' on {each.host}' if each.host else ''}: "
        f"{each.gap.why if each.gap is not None else 'not known why'}"
        for each in silent[:MOST]
    )
    more = len(silent) - MOST
    return (*told, f"and {more} more") if more > 0 else told


def silent_remedies(silent: Sequence[ClusterWorker], cluster: ClusterSnapshot) -> tuple[str, ...]:
    """Give what to do about workers that do not answer: what fits why each does not."""
    lost = [each for each in silent if not each.busy]
    client = client_of(cluster.engine)
    told = dict.fromkeys(_lost_remedies(lost, cluster)) if lost else {}
    if len(lost) < len(silent):
        told[f"Wait until it is done, or ask for longer: %omp_cluster {client} --timeout 30"] = None
    return tuple(told) or (f"Ask again, and wait longer: %omp_cluster {client} --timeout 60",)


def _lost_remedies(lost: Sequence[ClusterWorker], cluster: ClusterSnapshot) -> Iterator[str]:
    hung = [each for each in lost if not each.ended]
    seen = next((each.pid for each in hung if each.pid is not None), None)
    if seen is not None:
        yield f"See on its host what its threads wait for: !omp-magic status --pid {seen}"
    told = words_of(cluster.engine)
    given = {"number": len(cluster.workers), "profile": shlex.quote(last_word(cluster))}
    there = [each for each in hung if host_in(each.address) or not told.absent]
    if len(there) < len(hung):  # their engine has no address of them
        yield from filled(told.absent, cluster, **given)
    owned = next((each for each in there if each.anew is not False), None)
    if owned is not None:
        yield from filled(told.silent, cluster, address=owned.address)
    alone = next((each for each in lost if each.anew is False), None)
    if alone is not None:
        yield from filled(told.alone, cluster, tasks=alone.tasks, **given)
    if any(each.ended and each.anew is not False for each in lost):
        yield from told.ended or filled(told.silent, cluster, address=lost[0].address)
