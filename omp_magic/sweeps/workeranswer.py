"""The sentence about numbers of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .answer import NEAR, times_words, verb_for
from .measured import Measured
from .points import words_of
from .statistics import differ

_CLEARLY = 1.25
_NEAR_FULL = 0.7
"""From this share of the free memory on the sentence says what the workers take."""


def worker_verdict(measured: Sequence[Measured], best: int) -> str:
    """Give the answer: ``"4 workers of 1 thread: 2.3 times as fast as this process"``.

    Parameters
    ----------
    measured
        The base line first, then by workers and threads.
    best
        The place of the best.
    """
    first, chosen = measured[0], measured[best]
    if len(measured) == 1:
        return f"{first.label}: nothing else was run"
    if best:
        ratio = first.median_s / chosen.median_s
        text = f"{chosen.label}: {times_words(ratio)} as fast as {first.label}"
    else:
        text = f"{first.label}: no gain from {'more workers' if first.workers else 'workers'}"
    return "; ".join([text, *_others(measured, chosen)])


def memory_words(need_bytes: int | None, free_bytes: int | None, sizes: tuple[str, str]) -> str:
    """Give what the workers take of the memory where that is much of it, or ""."""
    if need_bytes is None or not free_bytes or need_bytes < _NEAR_FULL * free_bytes:
        return ""
    return f"they take {sizes[0]} of the {sizes[1]} that are free"


def _others(measured: Sequence[Measured], chosen: Measured) -> Iterator[str]:
    """Tell of more workers by the quickest case of each number, and of the slowest case."""
    quickest: dict[int, Measured] = {}
    for each in measured:
        if each.workers > max(chosen.workers, measured[0].workers):
            known = quickest.get(each.workers)
            if known is None or each.median_s < known.median_s:
                quickest[each.workers] = each
    slower = [n for n, each in quickest.items() if _is_slower(each, chosen)]
    same = [n for n in quickest if n not in slower]
    if same:
        if chosen.workers:
            yield f"{words_of(same)} {verb_for(same, 'add')} nothing"
        else:
            s = "" if same == [1] else "s"
            yield f"{words_of(same)} worker{s} {verb_for(same, 'take')} as long"
    told = None
    if slower:
        number = max(slower, key=lambda n: quickest[n].median_s)
        told = quickest[number]
        s = "" if number == 1 else "s"
        noun = "" if chosen.workers else f" worker{s}"
        yield f"{number}{noun} {verb_for([number], 'take')} {_times(told, chosen)} as long"
    as_many = [each for each in measured[1:] if each.workers >= chosen.workers]
    worst = max(as_many, key=lambda each: each.median_s, default=chosen)
    much_worse = told is None or worst.median_s > _CLEARLY * told.median_s
    if worst is not told and much_worse and _is_slower(worst, chosen, _CLEARLY):
        verb = verb_for([worst.workers], "take")
        yield f"{worst.label} {verb} {_times(worst, chosen)} as long"


def _times(each: Measured, chosen: Measured) -> str:
    return times_words(each.median_s / chosen.median_s)


def _is_slower(each: Measured, chosen: Measured, much: float = NEAR) -> bool:
    slow = each.median_s > much * chosen.median_s
    return slow and differ(each.counted, chosen.counted)
