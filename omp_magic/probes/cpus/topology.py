"""The CPUs of the machine, and those this process may be scheduled on."""

from __future__ import annotations

from ...errors import ParseError
from ...facts.gaps import Gap
from ...machine import Machine
from ...machine.port.cpurows import AFFINITY, THERE_IS_NONE, Cores


def probe_affinity(machine: Machine, gaps: list[Gap]) -> int:
    """Count the CPUs of the affinity mask; cpuset and offline CPUs are already left out.

    Parameters
    ----------
    machine
        The machine to read.
    gaps
        Receives why it is not known; the CPUs online stand for it then.
    """
    given = machine.affinity
    if given is None:
        try:
            given = machine.cpus.affinity()
            why = machine.cpus.lacks(AFFINITY) or "this system does not tell it"
            if given is None and why != THERE_IS_NONE:
                gaps.append(Gap(what=AFFINITY, why=why))
        except (OSError, ParseError) as error:
            gaps.append(Gap.of(AFFINITY, error))
    if given is None:
        return probe_topology(machine, 1).online
    return max(1, given if isinstance(given, int) else len(set(given)))


def probe_topology(machine: Machine, at_least: int) -> Cores:
    """Count the CPUs of the machine, as its system tells: PYTHON_CPU_COUNT changes os.cpu_count().

    Parameters
    ----------
    machine
        The machine to read.
    at_least
        What the affinity says: the machine has no fewer.

    Raises
    ------
    OSError, ParseError
        When the system does not tell.
    """
    cores = machine.cpus.cores()
    return cores._replace(online=max(cores.online, at_least))
