"""The facts about CPUs: what bounds this process. Frozen, units in names."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .gaps import Gap


def cpus_words(cpus: float) -> str:
    """Give CPUs with their unit: ``2.5 CPUs``, ``1 CPU``."""
    number = f"{round(cpus, 2):g}"
    return f"{number} CPU{'' if number == '1' else 's'}"


def threads_for(cpus: float) -> int:
    """Give how many threads may work at once on so many CPUs: 3 on 2.5, and one at least."""
    return max(1, math.ceil(cpus - 1e-9))


def threads_for_tasks(cpus: float, tasks: int) -> int:
    """Give the threads that each of so many tasks at once may have on CPUs; one at least."""
    # A thousandth: 2.9999999 CPUs of a quota are three.
    return max(1, math.floor(cpus / max(1, tasks) + 1e-3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One limit on the CPUs of this process, or something that looks like one.

    Parameters
    ----------
    source
        ``"machine"``, ``"affinity"``, ``"cpuset"``, ``"cgroup v1"``, ``"cgroup v2"``,
        ``"physical cores"``, ``"measured"``, or the name of a variable.
    cpus
        CPUs it allows; None when it sets no limit.
    where
        What sets it: a cgroup's path, or "".
    detail
        The text behind it, for example ``"cpu.max 250000 100000"``.
    file
        The file that says so, or "".
    lowers
        Whether it may lower `Budget.threads`.
    reason
        Why it may not, or why a declaration may; "" where the kernel enforces it.
    """

    source: str
    cpus: float | None
    where: str = ""
    detail: str = ""
    file: str = ""
    lowers: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The CPUs this process may use, and what decides that.

    Parameters
    ----------
    quota_cpus
        Smallest quota/period over the own cgroup and every visible ancestor; None when
        none of them sets one.
    threads
        What a pool should use: ``max(1, min(affinity, ceil(quota)))``, lowered further only
        by declarations that `declared.DECLARATIONS` lets lower it.
    binding
        The bound that decided.
    bounds
        All of them, cgroups from leaf to root.
    affinity_cpus, machine_cpus
        CPUs in the affinity mask, and CPUs online in the machine.
    kinds
        Where the machine's cores are not alike: (kind, logical CPUs), the fastest first.
    notes
        What a reader should know: what limits may be out of sight, what escapes the quota.
    """

    quota_cpus: float | None
    threads: int
    binding: Bound
    bounds: tuple[Bound, ...]
    affinity_cpus: int
    machine_cpus: int
    kinds: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def machine_words(self) -> str:
        """The machine's CPUs, ``8`` or ``12: 8 performance + 4 efficiency``."""
        kinds = " + ".join(f"{number} {name}" for name, number in self.kinds)
        return f"{self.machine_cpus}: {kinds}" if kinds else f"{self.machine_cpus}"

    @property
    def cpus(self) -> float:
        """CPUs allowed as a fraction: the smallest bound that may lower `threads`."""
        return min(bound.cpus for bound in self.bounds if bound.lowers and bound.cpus is not None)
