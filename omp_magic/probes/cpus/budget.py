"""The CPUs that this process may really use, and what decides that."""

from __future__ import annotations

import math
import os
from dataclasses import replace

from ...facts.cpus import Bound, Budget
from ...facts.gaps import Gap
from ...knowledge.declared import parse_declared
from ...machine import Machine
from ...machine.port.cpurows import Cores
from .quotas import probe_cpusets, probe_limits, probe_quotas
from .topology import probe_affinity, probe_topology

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import
if TYPE_CHECKING:
    from ...facts.changes import Change


def probe_budget(machine: Machine) -> Budget:
    """Find the CPUs this process may use: quota of every visible cgroup, affinity, machine.

    Resolved anew at every call: limits change while a process runs.

    Parameters
    ----------
    machine
        The machine to read.

    Returns
    -------
    Budget
        With every bound that was found, the one that binds, and a `Gap` for what could not
        be read. Nothing is raised for a file that is missing or malformed.
    """
    gaps: list[Gap] = []
    notes: list[str] = []
    affinity_cpus = probe_affinity(machine, gaps)
    topology = probe_topology(machine, affinity_cpus)
    shares, limits = probe_limits(machine, gaps)
    quotas = (*probe_quotas(machine, gaps, notes), *shares)
    tightest = min(
        (bound for bound in quotas if bound.cpus is not None),
        key=lambda bound: bound.cpus or 0.0,
        default=None,
    )
    affinity = Bound(source="affinity", cpus=float(affinity_cpus), detail=topology.told_by)
    whole = Bound(
        source="machine", cpus=float(topology.online), detail=_online(topology), file=topology.file
    )
    declared, errors = parse_declared(machine.environ, quota_known=tightest is not None)
    gaps.extend(Gap(what=error.what, why=str(error)) for error in errors)
    extra = [*limits, *declared]
    if topology.physical is not None:
        extra.append(
            Bound(
                source="physical cores",
                cpus=float(topology.physical),
                detail=topology.physical_told_by,
                lowers=False,
                reason="two threads of one core share it; whether that helps depends on the code",
            )
        )
    if affinity_cpus < topology.online:
        extra.extend(probe_cpusets(machine))
    counted = [bound for bound in (*quotas, affinity, whole, *extra) if _counts(bound)]
    binding = min(counted, key=lambda bound: (bound.cpus or 0.0, bound is affinity))
    if topology.online > 1 and topology.offline:
        notes.append(f"{topology.offline} of the machine's CPUs are offline")
    notes.extend(machine.cpus.notes(quota=tightest is not None))
    return Budget(
        quota_cpus=tightest.cpus if tightest is not None else None,
        threads=max(1, math.ceil(binding.cpus or 1)),
        binding=binding,
        bounds=(*quotas, affinity, whole, *extra),
        affinity_cpus=affinity_cpus,
        machine_cpus=topology.online,
        kinds=topology.kinds,
        notes=tuple(notes),
        gaps=tuple(gaps),
    )


def with_reason(budget: Budget, change: Change) -> Budget:
    """Give a budget whose affinity says by whom and from what it was narrowed."""
    asked = f" ({', '.join(change.asked)})" if change.asked else ""
    who = change.by or "OpenMP"
    reason = f"narrowed from CPUs {change.before} to {change.after} by {who}{asked}"

    def told(bound: Bound) -> Bound:
        return replace(bound, reason=reason) if bound.source == "affinity" else bound

    bounds = tuple(told(bound) for bound in budget.bounds)
    return replace(budget, bounds=bounds, binding=told(budget.binding))


def _online(cores: Cores) -> str:
    """Give what the machine has: ``CPUs online``, or ``8 performance + 4 efficiency``."""
    kinds = " + ".join(f"{number} {name}" for name, number in cores.kinds)
    return kinds or "CPUs online"


def _counts(bound: Bound) -> bool:
    return bound.lowers and bound.cpus is not None


def unknown_budget() -> Budget:
    """Give what is left to say when nothing could be found out: the machine's CPUs."""
    cpus = os.cpu_count() or 1
    whole = Bound(source="machine", cpus=float(cpus), detail="os.cpu_count")
    return Budget(
        quota_cpus=None,
        threads=cpus,
        binding=whole,
        bounds=(whole,),
        affinity_cpus=cpus,
        machine_cpus=cpus,
    )
