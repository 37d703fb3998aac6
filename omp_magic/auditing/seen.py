"""What a process would be like after imports, on this machine's CPUs and with its variables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..facts.libraries import Library, Pool, named_apart
from ..facts.settings import EnvSetting
from ..facts.snapshots import Snapshot
from ..facts.trials import Trial
from ..knowledge.catalog import BY_KEY, readers_of
from ..knowledge.envvars import threads_in
from ..knowledge.meanings import meaning_or_none, problem_of
from ..knowledge.readings import readings_of
from ..probes.runtimes.pools import pools_of

_Values = dict[str, "str | None"]


def blank(facts: Snapshot) -> Snapshot:
    """Give a process that is to be, of a snapshot of this one: its CPUs and its variables.

    What is so at this moment only is left out: throttling and neighbours would fail a pipeline for
    what else its machine does.
    """
    return Snapshot(
        pid=0,
        python=facts.python,
        prefix=facts.prefix,
        conda=facts.conda,
        system=facts.system,
        budget=facts.budget,
        libraries=(),
        pools=(),
        num_os_threads=None,
        os_threads=None,
        environment=facts.environment,
        throttling=(),
        gaps=facts.budget.gaps,
    )


def after(facts: Snapshot, trial: Trial) -> Snapshot:
    """Give the process that has done a trial's imports and calls, as far as the trial went."""
    libraries = named_apart(trial.libraries)
    pools = pools_of(libraries)
    started: _Values = dict(trial.environment)
    now, python, by = dict(started), dict(started), dict[str, tuple[str, ...]]()
    for step in trial.steps:
        for change in step.changes:
            now[change.name] = change.after
            if change.in_python:
                python[change.name] = change.after
            imported = (step.name,) if step.kind == "import" else ()
            by[change.name] = change.set_by or imported
    readings = readings_of(now, started, libraries, pools, affinity_cpus=facts.budget.affinity_cpus)
    loaded = frozenset(each.family for each in libraries)
    settings = tuple(
        EnvSetting(
            name=name,
            python=python.get(name),
            native=value,
            at_exec=started.get(name),
            readers=readers_of(name),
            meaning=meaning_or_none(name, value),
            problem="" if value is None else problem_of(name, value, loaded),
            set_by=by.get(name, ()),
            readings=readings.get(name, ()),
        )
        for name, value in now.items()
    )
    return replace(blank(facts), libraries=libraries, pools=pools, environment=settings)


def expected(facts: Snapshot, runtimes: Iterable[Library]) -> Snapshot:
    """Give the process that would have runtimes, told of files: their pools and no libraries.

    A pool is as large as the variable says that the runtime reads, or as the affinity mask is for
    OpenMP (omp_get_num_procs); others count by rules of their own.
    """
    values = {each.name: each.native for each in facts.environment}
    pools = []
    for library in named_apart(runtimes):
        size = _would_use(library, values, facts.budget.affinity_cpus)
        if size is not None and not library.idle:
            family = BY_KEY[library.family]
            pools.append(
                Pool(
                    name=library.title,
                    family=library.family,
                    api=library.api,
                    library=library.path,
                    num_threads=None,
                    would_use=size,
                    scope=family.scope,
                    variables=family.variables,
                )
            )
    return replace(blank(facts), pools=tuple(pools))


def _would_use(library: Library, values: _Values, affinity_cpus: int) -> int | None:
    for name in BY_KEY[library.family].variables:
        value = values.get(name)
        threads = None if value is None else threads_in(library.family, name, value)
        if threads is not None:
            return threads
    return affinity_cpus if library.api == "openmp" else None
