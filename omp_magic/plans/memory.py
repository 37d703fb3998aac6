"""How many workers the memory is enough for."""

from __future__ import annotations

from collections.abc import Sequence

from ..facts.memory import MemoryBudget
from ..facts.plans import WorkerMemory


def worker_memory(
    budget: MemoryBudget, asked_bytes: int | None, live: Sequence[tuple[int, int | None]] = ()
) -> WorkerMemory:
    """Say what a worker needs and how many fit below the tightest limit.

    Parameters
    ----------
    budget
        What bounds the memory of this process and its children.
    asked_bytes
        What a worker needs, where that was named.
    live
        (RSS, PSS or None) of each worker that lives, in bytes. Without a named figure the largest
        is the figure, and they count among those that fit; with one they are part of what is used.
    """
    bound = budget.binding
    room = None
    if bound is not None:
        room = bound.limit_bytes if bound.free_bytes is None else bound.free_bytes
    if asked_bytes is not None:
        fits = None if room is None else room // asked_bytes
        return WorkerMemory(each_bytes=asked_bytes, told_by="asked", bound=bound, fits=fits)
    if not live:
        return WorkerMemory(bound=bound)
    shared = [pss_bytes for _, pss_bytes in live if pss_bytes is not None]
    told = len(shared) == len(live)
    each_bytes = max(1, *shared) if told else max(rss_bytes for rss_bytes, _ in live)
    return WorkerMemory(
        each_bytes=each_bytes,
        told_by="PSS" if told else "RSS",
        live=len(live),
        bound=bound,
        fits=None if room is None else len(live) + room // each_bytes,
    )
