"""The running process's own answers, and how its files are read quickly."""

from __future__ import annotations

from .machine import Machine
from .port.native import Native, Variables


def native_here() -> Native:
    """Give calls into the running process.

    Raises
    ------
    OSError
        When its C library lacks a function.
    """
    return Machine.here().native()


def variables_here() -> Variables:
    """Give the running process's C environment as a whole.

    Raises
    ------
    OSError
        Where the C library does not show it.
    """
    return Machine.here().system.variables()


def quick(machine: Machine, *, reads: bool = True) -> Machine:
    """Give the same machine, its files read with the GIL held where files are; see `gilheld`.

    Parameters
    ----------
    machine
        The machine to read.
    reads
        As `GilHeld` has it.

    Raises
    ------
    OSError
        When the C library does not have the functions.
    """
    if machine.system.name != "linux":
        return machine  # no files are read there
    from .gilheld import GilHeld  # noqa: PLC0415 - one system is loaded, not three

    return GilHeld(machine, reads=reads)
