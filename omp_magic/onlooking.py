"""A worker of this machine that did not answer, as it is seen from outside."""

from __future__ import annotations

from dataclasses import replace

from .errors import ProcessError
from .facts.clusters import ClusterWorker
from .facts.packed import pack
from .facts.workerstate import state_of
from .machine.other import OtherMachine
from .outside.process import look_at
from .probes.seat import probe_worker


def seen_outside(worker: ClusterWorker) -> ClusterWorker:
    """Give what can be known without the worker's help; itself where nothing can.

    Parameters
    ----------
    worker
        One that did not answer, whose `pid` is a process of this machine. Its `gap` stays.
    """
    if worker.pid is None:
        return worker
    try:
        facts = look_at(worker.pid)
    except ProcessError:
        return worker
    known = probe_worker(OtherMachine(worker.pid), facts.budget, "outside")
    return replace(
        worker,
        host=known.host,
        machine=known.machine,
        affinity=known.affinity,
        cgroup=known.cgroup,
        quota_cpus=known.quota_cpus,
        quotas=known.quotas,
        cgroups=known.cgroups,
        state=state_of(facts),
        findings=facts.findings,
        gaps=facts.gaps,
        seen=known.seen,
        packed=pack(facts),
    )
