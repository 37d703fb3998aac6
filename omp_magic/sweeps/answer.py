"""Runs -> points, the best of them, and the sentence that says so."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from ..facts.sweeps import Fit, Point
from .cases import counted_threads
from .disturbed import Ground
from .measured import Measured
from .points import words_of
from .scaling import fits_of
from .statistics import differ, drift_of, interval_of_median, outliers_of

NEAR = 1.05
"""Within so much of the fastest, fewer threads are better."""
_DRIFT, _DRIFT_RATIO, _FEWEST_DRIFT = 0.8, 1.25, 6
_MOST_SPOILED = 2
_BUSY_CPUS, _BUSY_SHARE = 0.3, 0.15
_FEWEST_RUNS = 3
_ALONE_CPUS = 1.05


def points_of(measured: Sequence[Measured]) -> tuple[Point, ...]:
    """Give a point for each case; speed-ups are against the first."""
    base_s, base = 0.0, 1
    points: list[Point] = []
    for each in measured:
        times, median_s = each.counted, each.median_s
        if not points:
            base_s, base = median_s, each.threads * max(1, each.workers)
        low_s, high_s = interval_of_median(times)
        speedup = base_s / median_s if median_s > 0 else 1.0
        more = each.threads * max(1, each.workers) / base
        cpu = [run.cpu_s for run in each.counting if run.cpu_s is not None]
        peaks = [run.peak_rss_bytes for run in each.runs if run.peak_rss_bytes is not None]
        points.append(
            Point(
                threads=each.threads,
                runs=tuple(each.runs),
                median_s=median_s,
                low_s=low_s,
                high_s=high_s,
                outliers=outliers_of(times),
                speedup=speedup,
                efficiency=speedup / more,
                cpu_s=statistics.median(cpu) if cpu else None,
                peak_rss_bytes=max(peaks, default=None),
                workers=each.workers,
                kind=each.kind,
                startup_s=each.startup_s,
                sending_s=each.sending_s,
                worker_bytes=each.worker_bytes,
            )
        )
    return tuple(points)


def best_of(measured: Sequence[Measured]) -> int:
    """Give the place of the best case: the first within 5 % of the fastest, or within its noise."""
    medians = [each.median_s for each in measured]
    fastest = min(range(len(medians)), key=medians.__getitem__)
    for place, each in enumerate(measured):
        near = medians[place] <= NEAR * medians[fastest]
        if near or not _gains(measured[fastest], each, len(measured) - 1):
            return place
    return fastest


def _gains(one: Measured, other: Measured, chosen_of: int) -> bool:
    """Tell whether a case is faster than another by what its threads do, and not by noise.

    Code that keeps no second CPU busy has done nothing in parallel, whatever its runs took; workers
    may also wait at the same time, for files or for the net.
    """
    busy = None if one.workers else one.busy_cpus
    parallel = busy is None or busy >= _ALONE_CPUS
    return parallel and differ(one.counted, other.counted, chosen_of)


def verdict_of(measured: Sequence[Measured], best: int) -> str:
    """Give the answer in a sentence: ``"2 threads: 1.7 times as fast as 1; 4 add nothing"``."""
    first, medians = measured[0], [each.median_s for each in measured]
    if len(measured) == 1:
        return f"{counted_threads(first.threads)}: nothing else was run"
    more = range(best + 1, len(measured))
    slower = [
        place
        for place in more
        if medians[place] > NEAR * medians[best]
        and differ(measured[place].counted, measured[best].counted)
    ]
    same = [measured[place].threads for place in more if place not in slower]
    text = f"{counted_threads(measured[best].threads)}: "
    if best == 0:
        parts = [f"{words_of(same)} {verb_for(same, 'take')} as long"] if same else []
        text += "no gain from more"
    else:
        parts = [f"{words_of(same)} {verb_for(same, 'add')} nothing"] if same else []
        text += f"{times_words(medians[0] / medians[best])} as fast as {first.threads}"
    if slower:
        worst = max(slower, key=medians.__getitem__)
        number, times = measured[worst].threads, times_words(medians[worst] / medians[best])
        parts.append(f"{number} {verb_for([number], 'take')} {times} as long")
    return "; ".join([text, *parts])


def notes_of(
    measured: Sequence[Measured], best: int, ground: Ground, others_cpus: float | None
) -> list[str]:
    """Give what is to be known of the measurement, a sentence each.

    Parameters
    ----------
    measured, best
        The cases, and the place of the best.
    ground
        What they ran on.
    others_cpus
        CPUs that others used in most runs; None when not known.
    """
    return [
        *_noise(measured, best, ground),
        *_disturbances(measured),
        *_others(ground, others_cpus),
        *_drift(measured),
        *_outliers(measured),
    ]


def doubt_of(measured: Sequence[Measured]) -> str:
    """Give why an answer cannot be relied on, for the end of its sentence; "" where it can.

    Each point has a part in it: one that is too slow may have been the best.
    """
    spoiled = [each.name or counted_threads(each.threads) for each in measured if each.spoiled]
    if not spoiled:
        return ""
    if len(spoiled) > _MOST_SPOILED:
        return "not reliable, too many runs were disturbed"
    return f"not reliable, every run of {words_of(spoiled)} was disturbed"


def fits_to(measured: Sequence[Measured], cpus: float) -> tuple[Fit, ...]:
    """Fit the laws to the cases that have a CPU for each thread: beyond, threads only wait."""
    times = {each.threads: each.median_s for each in measured if each.threads <= cpus}
    return fits_of(times)


def times_words(ratio: float) -> str:
    """Give ``"2.3 times"``."""
    return f"{ratio:.2g} times" if ratio < 10 else f"{ratio:.0f} times"


def verb_for(numbers: Sequence[int], verb: str) -> str:
    """Give a verb for what these numbers count: 1 takes, 2 take."""
    return f"{verb}s" if list(numbers) == [1] else verb


def _noise(measured: Sequence[Measured], best: int, ground: Ground) -> Iterator[str]:
    medians = [each.median_s for each in measured]
    fastest = min(range(len(medians)), key=medians.__getitem__)
    if len(measured) > 1 and len(measured[best].counted) < 2:
        yield (
            f"of {counted_threads(measured[best].threads)} a single run counts: how far noise goes "
            "is not known; more of them (-r) would tell"
        )
    known = [each.busy_cpus for each in measured if each.busy_cpus is not None]
    busy = max(known) if len(known) == len(measured) else _ALONE_CPUS
    of_threads = len(measured) > 1 and not any(each.workers for each in measured)
    if of_threads and busy < _ALONE_CPUS and ground.cpus >= 2:
        yield f"nothing runs in parallel: {busy:.2f} CPUs are busy, whatever the limit"
    elif fastest != best and medians[best] > NEAR * medians[fastest]:
        gain = 1 - medians[fastest] / medians[best]
        than = measured[best].name or measured[best].threads
        yield (
            f"{measured[fastest].label} took {gain:.0%} less than {than}, "
            "which is within the noise of these runs: more of them (-r) would tell"
        )
    elif fastest == best != 0 and min(len(each.counted) for each in measured) < _FEWEST_RUNS:
        yield "so few runs do not tell noise from a gain: more of them (-r) would"


def _others(ground: Ground, others_cpus: float | None) -> Iterator[str]:
    least = max(_BUSY_CPUS, _BUSY_SHARE * ground.machine_cpus)
    if others_cpus is not None and others_cpus >= least:
        yield f"others on this machine used {others_cpus:.1f} CPUs most of the time"


def _disturbances(measured: Sequence[Measured]) -> Iterator[str]:
    spoiled = [run for each in measured for run in each.runs if run.disturbed]
    every = sum(len(each.runs) for each in measured)
    if spoiled:
        reasons = Counter(_kind_of(run.disturbed) for run in spoiled)
        why = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
        were = "was" if len(spoiled) == 1 else "were"
        more = "a point counts them only where it has no others"
        of_runs = f"{len(spoiled)} of {every} run{'' if every == 1 else 's'}"
        yield f"{of_runs} {were} disturbed: {why}; {more}"


def _kind_of(disturbed: str) -> str:
    """Give what disturbed without its figures."""
    for word, kind in (
        ("others used", "other processes used CPUs"),
        ("cgroup", "the cgroup was throttled"),
        ("waited", "threads waited for a CPU"),
    ):
        if word in disturbed:
            return kind
    return disturbed


def _drift(measured: Sequence[Measured]) -> Iterator[str]:
    """Tell where each run takes longer than the one before, whatever it runs with."""
    rows = [
        (run.number, run.wall_s / each.median_s)
        for each in measured
        for run in each.runs
        if not run.disturbed and each.median_s > 0
    ]
    values = [ratio for _, ratio in sorted(rows)]
    if len(values) < _FEWEST_DRIFT or drift_of(values) < _DRIFT:
        return
    third = len(values) // 3
    ratio = statistics.median(values[-third:]) / statistics.median(values[:third])
    if ratio >= _DRIFT_RATIO:
        yield (
            f"the runs took longer and longer, {times_words(ratio)} from the first third to the "
            "last: the code may change what it reads"
        )


def _outliers(measured: Sequence[Measured]) -> Iterator[str]:
    found = {each.label: number for each in measured if (number := outliers_of(each.counted))}
    if found:
        where = ", ".join(f"{label}: {number}" for label, number in found.items())
        yield f"runs far from the others count all the same ({where})"
