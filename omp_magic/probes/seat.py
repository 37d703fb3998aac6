"""Who a process is among others, on this machine and on several."""

from __future__ import annotations

import os
import socket

from ..errors import ParseError
from ..facts.clusters import ClusterWorker
from ..facts.cpus import Budget
from ..machine import Machine

_BOOT = "/proc/sys/kernel/random/boot_id"


def probe_worker(machine: Machine, budget: Budget, seen: str) -> ClusterWorker:
    """Give who this process is, as far as it knows itself.

    Parameters
    ----------
    machine
        The machine to read.
    budget
        Its CPUs.
    seen
        As in `ClusterWorker`.
    """
    return ClusterWorker(
        address="",
        host=socket.gethostname(),
        machine=_machine(machine),
        pid=os.getpid(),
        affinity=_affinity(machine),
        cgroup=_cgroup(budget),
        quota_cpus=budget.quota_cpus,
        quotas=_quotas(budget),
        cgroups=machine.cgroup_namespace(),
        seen=seen,
    )


def _machine(machine: Machine) -> str:
    """Give what all containers of a machine have alike, and no other machine; "" if unknown.

    The kernel makes it at random when it starts (random(4), boot_id).
    """
    try:
        return machine.read(_BOOT).strip()
    except OSError:
        return ""


def _affinity(machine: Machine) -> tuple[int, ...] | None:
    try:
        mask = machine.cpus.affinity()
    except (OSError, ParseError):
        return None
    return None if mask is None or isinstance(mask, int) else tuple(sorted(mask))


def _cgroup(budget: Budget) -> str:
    """Give the group whose quota binds; in a container its path may begin at the container's."""
    return min(_quotas(budget), key=lambda quota: quota[1], default=("", 0.0))[0]


def _quotas(budget: Budget) -> tuple[tuple[str, float], ...]:
    """Give the groups that have a quota, from the own one to the root."""
    return tuple(
        (bound.where, bound.cpus)
        for bound in budget.bounds
        if bound.source.startswith("cgroup") and bound.cpus is not None
    )
