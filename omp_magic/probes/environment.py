"""The environment variables that matter, in the three places where they can differ."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..facts.changes import Change
from ..facts.libraries import Library, Pool
from ..facts.settings import OURS, EnvSetting, Reading
from ..knowledge.catalog import BY_KEY, readers_of
from ..knowledge.dialects import DIALECTS
from ..knowledge.meanings import meaning_or_none, problem_of
from ..knowledge.readings import readings_of
from ..knowledge.rivals import setters_of
from ..knowledge.variables import VARIABLES
from ..machine import Machine
from ..machine.port.native import Native
from ..machine.python.own import encoded_environ

_Row = tuple[str, "str | None", "str | None", "str | None"]

_READERS = {name: readers_of(name) for name in VARIABLES}
_ENCODED = {name: name.encode() for name in VARIABLES}
_PACKAGES = sorted(
    {reader for rows in DIALECTS.values() for row in rows for reader in row.readers} - set(BY_KEY)
)

_LAYER = "MKL_THREADING_LAYER"

_last: tuple[Any, tuple[EnvSetting, ...]] | None = None


def probe_environment(  # noqa: PLR0913 - each is a fact of its own
    machine: Machine,
    native: Native | None,
    at_exec: Mapping[str, str],
    *,
    libraries: tuple[Library, ...] = (),
    pools: tuple[Pool, ...] = (),
    affinity_cpus: int = 0,
    limited: bool = False,
    altered: tuple[str, ...] = (),
    changes: tuple[Change, ...] = (),
    modules: Collection[str] | None = None,
) -> tuple[EnvSetting, ...]:
    """Give each variable of `catalog.VARIABLES` that is set somewhere.

    What the same values, libraries and modules gave last time is given again.

    Parameters
    ----------
    machine
        Its `environ` is what Python sees.
    native
        Its C environment is what libraries see; without it they are taken to be equal.
    at_exec
        The environment at the start of the process, from `probe_at_exec`.
    libraries, pools
        What is loaded, with its counts: what each of them made of each variable.
    affinity_cpus
        CPUs in the affinity mask; 0 when unknown.
    limited
        Whether a limit of omp_magic is in force.
    altered
        Variables that it has set; what libraries make of them ends with it and is left out.
    changes
        Who was seen to set what.
    modules
        What is imported in another process, as far as its map tells; None for this one.
    """
    global _last  # noqa: PLW0603 - one process has one environment
    rows = tuple(_rows(machine, native, at_exec))
    if not rows:
        return ()
    seen = {each.name: each for each in changes if each.what == "variable"}
    here = sys.modules if modules is None else modules
    setters = tuple(_set_by(row, seen.get(row[0]), altered, here) for row in rows)
    packages = tuple(name for name in _PACKAGES if name in here)
    mkl = modules is None and _mkl_is_to_come(rows, libraries)
    key = (rows, setters, changes, packages, libraries, pools, affinity_cpus, limited, altered, mkl)
    if _last is not None and _last[0] == key:
        return _last[1]
    readings = readings_of(
        {name: value for name, _, value, _ in rows},
        {name: started for name, _, _, started in rows},
        libraries,
        pools,
        affinity_cpus=affinity_cpus,
        limited=limited,
    )
    if mkl:
        service = Reading(reader="mkl-service", family="mkl", state="to come")
        readings[_LAYER] = (*readings.get(_LAYER, ()), service)
    loaded = frozenset((*packages, *(library.family for library in libraries)))
    found = tuple(
        replace(
            _setting(row, by, () if row[0] in altered else readings.get(row[0], ()), loaded),
            change=None if row[0] in altered else seen.get(row[0]),
        )
        for row, by in zip(rows, setters, strict=True)
    )
    _last = key, found
    return found


def _set_by(
    row: _Row, change: Change | None, altered: tuple[str, ...], modules: Collection[str]
) -> tuple[str, ...]:
    """Give who set a variable: by comparison, or by what is known of what was imported before."""
    name, python, value, started = row
    if name in altered:
        return OURS
    if change is not None:
        return (change.by.removeprefix("import "),) if change.imported else ()
    return setters_of(name, python, value, started, modules)


def _mkl_is_to_come(rows: tuple[_Row, ...], libraries: tuple[Library, ...]) -> bool:
    """Tell whether importing mkl is possible and would read the threading layer.

    No finder but the one for files is asked: others may import to answer.
    """
    if not any(name == _LAYER and value is not None for name, _, value, _ in rows):
        return False
    # Not "mkl": that stands there from the start of its import, and it is its C part that exits.
    if "mkl._mklinit" in sys.modules or any(library.family == "mkl" for library in libraries):
        return False
    from importlib.machinery import PathFinder  # noqa: PLC0415 - where the variable is set only

    return PathFinder.find_spec("mkl") is not None


def _rows(machine: Machine, native: Native | None, at_exec: Mapping[str, str]) -> Iterator[_Row]:
    # os.environ needs 0.7 us for each name it lacks, more than all the rest.
    raw = encoded_environ() if machine.environ is os.environ else None
    for name in _READERS:
        python = None
        if raw is None or _ENCODED[name] in raw:
            python = machine.environ.get(name)
        value = native.getenv(name) if native is not None else python
        started = at_exec.get(name)
        if python is not None or value is not None or started is not None:
            yield name, python, value, started


def _setting(
    row: _Row, set_by: tuple[str, ...], readings: tuple[Reading, ...], loaded: frozenset[str]
) -> EnvSetting:
    name, python, value, started = row
    return EnvSetting(
        name=name,
        python=python,
        native=value,
        at_exec=started,
        readers=_READERS[name],
        meaning=meaning_or_none(name, value),
        problem="" if value is None else problem_of(name, value, loaded),
        set_by=set_by,
        readings=readings,
    )


def probe_at_exec(machine: Machine) -> dict[str, str]:
    """Read the environment that the process was started with.

    Raises
    ------
    OSError
        When the system does not keep it.
    """
    return machine.system.variables_at_start()
