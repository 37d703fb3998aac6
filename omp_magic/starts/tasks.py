"""A start of workers that an engine fills with tasks, one for each CPU where nobody says more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..facts.starts import BY_TASKS
from ..knowledge.variables import VARIABLES
from .asking import MOST_WORKERS, Asked
from .fixes import most_threads_in
from .making import users_own


def by_tasks(
    asked: Asked, cpus: int, environ: Mapping[str, str], *, told: bool
) -> tuple[Asked, dict[str, str], frozenset[str]]:
    """Give what is asked for with its tasks counted, and what `users_own` gives of that.

    A user's count of more than a task's share is for the program that has it: in a file for
    workers the tasks of all CPUs would multiply it, and the pools that follow it would lose the 1
    that Dask has for them (distributed.yaml, ``pre-spawn-environ``). Where it is set it wins over
    the file, which is said.

    Parameters
    ----------
    asked
        What was asked for.
    cpus
        The CPUs allowed, as whole threads: as many tasks as Dask's workers of a host run at once
        (distributed/deploy/local.py, ``nthreads_per_worker``; dask/system.py, ``cpu_count``).
    environ
        The variables as they are.
    told
        Whether a number of tasks was named.
    """
    tasks = asked.workers if told else min(cpus, MOST_WORKERS)
    asked = replace(asked, workers=tasks, divided=BY_TASKS)
    own, above = users_own(environ, asked)
    share = max(1, cpus // tasks)
    many = [name for name in VARIABLES if (most_threads_in(name, own.get(name)) or 0) > share]
    if many:
        names = " ".join(many)
        note = f"more than a task's share is set here, and wins where a nanny starts: unset {names}"
        asked = replace(asked, notes=(*asked.notes, note))
    return asked, {name: own[name] for name in own if name not in many}, above.difference(many)
