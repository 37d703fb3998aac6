"""What the answers about CPUs are made of; apart, since `omp-magic run` needs no other rows."""

from __future__ import annotations

from typing import NamedTuple

CGROUPS = "cgroups"
AFFINITY = "CPU affinity"
"""What `System.lacks` is asked for, beside what `rows` has."""
THERE_IS_NONE = "there is none on this system"
"""A reason that leaves nothing unknown."""


class Cores(NamedTuple):
    """The CPUs of the machine.

    Parameters
    ----------
    online, offline
        Logical CPUs; `offline` is 0 where that is not known.
    physical
        Cores; None where that is not known.
    kinds
        Of cores that are not alike, (their name, logical CPUs) the fastest first, as
        ``(("performance", 8), ("efficiency", 4))``; () where all are alike.
    file, told_by
        What told the number online: a file or "", and in words.
    physical_told_by
        What told the cores.
    """

    online: int
    offline: int = 0
    physical: int | None = None
    kinds: tuple[tuple[str, int], ...] = ()
    file: str = ""
    told_by: str = ""
    physical_told_by: str = ""


class CpuLimit(NamedTuple):
    """A limit on the CPUs of a process that is no cgroup's.

    Parameters
    ----------
    source
        ``"job object"``, ``"taskpolicy"``.
    cpus
        CPUs that it allows.
    detail
        The text behind it.
    lowers
        Whether it lowers what a pool should use; `reason` says why not.
    is_quota
        Whether it is a share of time, not a set of CPUs.
    """

    source: str
    cpus: float
    detail: str = ""
    lowers: bool = True
    reason: str = ""
    is_quota: bool = False
