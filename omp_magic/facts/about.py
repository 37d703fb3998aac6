"""The facts of a report beside its snapshot: versions, the system, and what must not be in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a bug report says besides what a snapshot says.

    Parameters
    ----------
    made_at
        When it was made: ``"2026-03-01 09:07:12 UTC"``.
    tools
        (Name, version) of omp_magic, Python, IPython, ipykernel, ipywidgets and JupyterLab; None
        for what is not installed.
    packages
        (Distribution, version) of those whose native files are mapped; None when not known.
    system
        (What, value): platform, distribution, kernel release, C library, machine.
    """

    made_at: str
    tools: tuple[tuple[str, str | None], ...] = ()
    packages: tuple[tuple[str, str | None], ...] = ()
    system: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What a report must not tell: each spelled as the system has it.

    Parameters
    ----------
    homes
        The home folder, by each of its paths.
    users
        Names of the user.
    hosts
        Names of the machine.
    """

    homes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
