"""The environment variables that matter, in the three places where they can differ."""

from __future__ import annotations

from collections.abc import Mapping

from ..catalog import VARIABLES, readers_of
from ..machine import Machine
from ..native import Native
from ..procfs import parse_environ
from ..settings import EnvSetting

_READERS = {name: readers_of(name) for name in VARIABLES}


def probe_environment(
    machine: Machine, native: Native | None, at_exec: Mapping[str, str]
) -> tuple[EnvSetting, ...]:
    """Give each variable of `catalog.VARIABLES` that is set somewhere.

    Parameters
    ----------
    machine
        Its `environ` is what Python sees.
    native
        Its C environment is what libraries see; without it they are taken to be equal.
    at_exec
        The environment at the start of the process, from `probe_at_exec`.
    """
    found = []
    for name, readers in _READERS.items():
        python = machine.environ.get(name)
        seen_by_c = native.getenv(name) if native is not None else python
        at_start = at_exec.get(name)
        if python is not None or seen_by_c is not None or at_start is not None:
            found.append(
                EnvSetting(
                    name=name, python=python, native=seen_by_c, at_exec=at_start, readers=readers
                )
            )
    return tuple(found)


def probe_at_exec(machine: Machine) -> dict[str, str]:
    """Read the environment that the process was started with.

    Raises
    ------
    OSError
        When it cannot be read, as on systems without /proc.
    """
    return parse_environ(machine.read("/proc/self/environ"))
