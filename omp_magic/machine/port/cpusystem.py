"""What a system is asked about the CPUs: the part of `System` that is loaded without all else."""

from __future__ import annotations

from typing import Protocol

from .cpurows import Cores, CpuLimit


class CpuSystem(Protocol):
    """What the operating system tells of the CPUs of one process."""

    name: str
    """``"linux"``, ``"macos"`` or ``"windows"``: for facts and texts, never for a branch."""

    def lacks(self, what: str) -> str:
        """Give why a part is not told at all; "" where it is."""

    def affinity(self, process: int | None = None) -> frozenset[int] | int | None:
        """Give the CPUs that the process may be scheduled on, or how many; None when not told.

        Parameters
        ----------
        process
            A descendant, of which it is its first thread's; this process when None.

        Raises
        ------
        OSError, ParseError
            When it has ended, or may not be asked.
        """

    def cores(self) -> Cores:
        """Give the CPUs of the machine.

        Raises
        ------
        OSError, ParseError
            When the system does not tell.
        """

    def cpu_limits(self) -> tuple[CpuLimit, ...]:
        """Give the limits that are no cgroup's.

        Raises
        ------
        OSError
            When there may be some that cannot be read.
        """

    def notes(self, *, quota: bool) -> tuple[str, ...]:
        """Give what a reader of the budget should know besides: a policy, a translation.

        Parameters
        ----------
        quota
            Whether the process has one.
        """
