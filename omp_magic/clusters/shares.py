"""What ``auto`` is for a worker: its part of the CPUs that all workers of its machine may use."""

from __future__ import annotations

from collections.abc import Iterable

from ..facts.clusterhosts import ClusterHost, hosts_of
from ..facts.clusters import ClusterWorker
from ..facts.cpus import cpus_words, threads_for_tasks

AUTO = "auto"
"""The limit that means this share."""


def share_of(worker: ClusterWorker, workers: Iterable[ClusterWorker]) -> tuple[int, str]:
    """Give the threads that each task of a worker may have, at least 1, and why.

    Parameters
    ----------
    worker
        A worker that has answered.
    workers
        All of the cluster, or of its machine.
    """
    host = next(each for each in hosts_of(workers) if worker in each.workers)
    return share_on(host, worker)


def share_on(host: ClusterHost, worker: ClusterWorker) -> tuple[int, str]:
    """Give what `share_of` gives, of a host that is known; no worker has more than its own CPUs."""
    own = worker.state.budget_cpus if worker.state is not None else 1.0
    cpus = own if host.cpus is None else host.cpus
    why = f"{cpus_words(cpus)} of {host.name}, {_tasks(host.tasks)}"
    tasks = host.tasks
    if own / worker.tasks < cpus / tasks:
        cpus, tasks = own, worker.tasks
        why = f"{cpus_words(own)} of its own, {_tasks(tasks)}"
    return threads_for_tasks(cpus, tasks), why


def _tasks(number: int) -> str:
    return f"{number} task{'' if number == 1 else 's'} at once"
