"""Snapshot -> WorkerState: what of a process may be equal in another one."""

from __future__ import annotations

from dataclasses import replace

from .clusters import WorkerState
from .libraries import Library, Pool
from .snapshots import Snapshot

LIMIT = "limit"
"""`Gap.what` of what a limit could not do at a worker."""


def state_of(facts: Snapshot) -> WorkerState:
    """Give what a process is like, without what is its own: numbers of files, live threads."""
    budget = facts.budget
    return WorkerState(
        python=facts.python,
        system=facts.system,
        prefix=facts.prefix,
        budget_cpus=budget.cpus,
        budget_threads=budget.threads,
        affinity_cpus=budget.affinity_cpus,
        machine_cpus=budget.machine_cpus,
        bound=budget.binding.source,
        libraries=tuple(map(_library, facts.libraries)),
        pools=tuple(map(_pool, facts.pools)),
        variables=tuple(
            (each.name, value)
            for each in facts.environment
            if (value := each.native if each.python is None else each.python) is not None
        ),
        limits=tuple(each.spec for each in facts.limits),
        codes=tuple(dict.fromkeys(each.code for each in facts.findings)),
        unknown=tuple(dict.fromkeys(each.what for each in facts.gaps)),
    )


def _library(library: Library) -> Library:
    return replace(library, device=None, inode=None, workers=None, missing=None)


def _pool(pool: Pool) -> Pool:
    return replace(pool, workers=None)
