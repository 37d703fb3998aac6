"""What is not known of the workers of a cluster, and what is to be known of a limit there."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.clusters import ClusterWorker
from ..facts.clustersnapshots import ClusterSnapshot
from ..facts.gaps import Gap
from ..facts.workerstate import LIMIT
from .cluster_groups import MOST_NAMED, clipped, who_of
from .words import counted

_MOST_CHARS = 400


def gaps_of(cluster: ClusterSnapshot, rows: int) -> Iterator[str]:
    """Give what is not known: of the cluster, of workers that are silent, of those that are not.

    Parameters
    ----------
    cluster
        The cluster.
    rows
        Of how many groups there is a row, which says already why its workers are silent.
    """
    told = {id(e) for group in cluster.groups[:rows] if group.state is None for e in group.workers}
    for gap in cluster.gaps[: 2 * MOST_NAMED]:
        if not _is_note(gap):
            yield clipped(_words(gap), _MOST_CHARS)
    reasons: dict[str, list[ClusterWorker]] = {}
    for each in cluster.workers:
        own = () if each.gap is None or id(each) in told else (each.gap,)
        for text in dict.fromkeys(_words(e) for e in (*own, *each.gaps) if not _is_note(e)):
            reasons.setdefault(text, []).append(each)
    yield from _ordered(reasons)


def notes_of(cluster: ClusterSnapshot) -> Iterator[str]:
    """Give what is known of a limit besides its numbers: what it holds later, or not at all."""
    for gap in cluster.gaps[: 2 * MOST_NAMED]:
        if _is_note(gap):
            yield clipped(_words(gap), _MOST_CHARS)
    reasons: dict[str, list[ClusterWorker]] = {}
    for each in cluster.workers:
        for text in dict.fromkeys(map(_words, filter(_is_note, each.gaps))):
            reasons.setdefault(text, []).append(each)
    yield from _ordered(reasons)


def _ordered(reasons: dict[str, list[ClusterWorker]]) -> Iterator[str]:
    ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
    for text, workers in ordered[: 3 * MOST_NAMED]:
        yield f"{clipped(text, _MOST_CHARS)} ({who_of(workers)})"
    left = len(ordered) - 3 * MOST_NAMED
    if left > 0:
        yield f"{counted(left, 'more reason')}: to_dict()"


def _is_note(gap: Gap) -> bool:
    return gap.what == LIMIT and not gap.why.startswith("not known")


def _words(gap: Gap) -> str:
    return f"{gap.what}: {gap.why}"
