"""Snapshot -> WorkerState: what of a process may be equal in another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .clusters import WorkerState
from .libraries import Library, Pool
from .settings import EnvSetting
from .snapshots import Snapshot

OF_A_MOMENT = ("OMP203", "OMP205", "OMP206", "OMP209", "OMP210", "OMP211")
"""Codes of what passes: load, throttling, neighbours, threads that are there just now. A worker
that had waited at one look was of another kind than its peers, and of theirs again at the next."""
LIMIT = "limit"
"""`Gap.what` of what a limit could not do at a worker."""


def state_of(facts: Snapshot, own: Mapping[str, str | None] | None = None) -> WorkerState:
    """Give what a process is like, without what is its own: numbers of files, live threads.

    Parameters
    ----------
    facts
        The process.
    own
        Variables that limits have set there, with the values that they have without them.
    """
    budget = facts.budget
    own = own or {}
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
            if (value := own.get(each.name) if each.name in own else _value(each)) is not None
        ),
        limits=tuple(each.spec for each in facts.limits),
        codes=tuple(
            dict.fromkeys(each.code for each in facts.findings if each.code not in OF_A_MOMENT)
        ),
        unknown=tuple(dict.fromkeys(each.what for each in facts.gaps)),
    )


def _value(setting: EnvSetting) -> str | None:
    return setting.native if setting.python is None else setting.python


def _library(library: Library) -> Library:
    return replace(library, device=None, inode=None, workers=None, missing=None)


def _pool(pool: Pool) -> Pool:
    return replace(pool, workers=None)
