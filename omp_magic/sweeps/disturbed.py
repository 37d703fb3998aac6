"""Runs -> which of them something else spoiled, and what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..facts.sweeps import Run

_THROTTLED_SHARE = 0.05
_OWN_USE = 0.9
"""Share of the quota from which a run has used it up itself."""
_WAITED_SHARE = 0.1
_OTHERS_SHARE, _OTHERS_CPUS = 0.2, 0.3
"""What others used more than in the quieter runs, of the machine's CPUs, and at least."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the runs ran on.

    Parameters
    ----------
    cpus
        CPUs that the process's threads can get: affinity and quota.
    machine_cpus
        CPUs of the machine.
    quota_cpus
        Its quota; None without one.
    is_rationed
        Whether the quota is less than the CPUs that it may be scheduled on.
    """

    cpus: float
    machine_cpus: int
    quota_cpus: float | None = None
    is_rationed: bool = False


def judged(
    runs: Mapping[int, Sequence[Run]], ground: Ground, at_once: Mapping[int, int]
) -> dict[int, list[Run]]:
    """Give the runs, each with what disturbed it, or "".

    A run is disturbed by what its own threads do not explain: more threads than CPUs wait for one
    another in every run, and use up a quota in every run; that is what is being measured. What
    others on the machine use matters where it is more than in the quieter quarter of all runs: a
    machine that is always as busy spoils no comparison.

    Parameters
    ----------
    runs
        By case.
    ground
        What they ran on.
    at_once
        The threads that work at once, by case.
    """
    others = sorted(
        run.others_cpus for each in runs.values() for run in each if run.others_cpus is not None
    )
    quiet_cpus = others[len(others) // 4] if others else 0.0
    return {
        case: [
            replace(run, disturbed=_disturbed(run, at_once[case], ground, quiet_cpus))
            for run in each
        ]
        for case, each in runs.items()
    }


def usual_others(runs: Mapping[int, Sequence[Run]]) -> float | None:
    """Give the CPUs that others used in the middle one of all runs; None when not known."""
    known = sorted(
        r.others_cpus for each in runs.values() for r in each if r.others_cpus is not None
    )
    return known[len(known) // 2] if known else None


def _disturbed(run: Run, threads: int, ground: Ground, quiet_cpus: float) -> str:
    whole_s = run.wall_s * run.calls
    busy = (run.cpu_s or 0.0) / run.wall_s if run.wall_s > 0 else 0.0
    quota = ground.quota_cpus
    if (
        quota is not None
        and (run.throttled_s or 0.0) > _THROTTLED_SHARE * whole_s
        and busy < _OWN_USE * quota
    ):
        return f"its cgroup was stopped for {run.throttled_s:.2f} s while it used {busy:.2f} CPUs"
    more_cpus = (run.others_cpus or 0.0) - quiet_cpus
    if more_cpus >= max(_OTHERS_CPUS, _OTHERS_SHARE * ground.machine_cpus):
        return f"others used {run.others_cpus:.2f} CPUs, {quiet_cpus:.2f} in quieter runs"
    if threads <= ground.cpus and (run.waited_share or 0.0) > _WAITED_SHARE:
        return f"its threads waited for a CPU {run.waited_share:.0%} of the time"
    return ""
