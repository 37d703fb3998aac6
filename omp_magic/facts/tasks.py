"""The facts about threads that may still start: what bounds them, what is used, what is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .libraries import Library, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBound:
    """One limit on the tasks, which are threads and processes alike.

    Parameters
    ----------
    source
        ``"cgroup v1"``, ``"cgroup v2"``, ``"RLIMIT_NPROC"``, ``"threads-max"``, ``"pid_max"``.
    limit
        Tasks it allows; None when it sets no limit.
    used
        Tasks that count against it now; None when they were not counted.
    where
        What sets it: a cgroup's path, or "".
    name
        What people know it by: ``"pids.max"``, ``"ulimit -u"``.
    file
        The file that says so.
    refused
        How often the kernel refused a task for it (``pids.events``); None when not read.
    reason
        Why it does not hold here, or was not counted; "" where it holds.
    """

    source: str
    limit: int | None
    used: int | None = None
    where: str = ""
    name: str = ""
    file: str = ""
    refused: int | None = None
    reason: str = ""

    @property
    def free(self) -> int | None:
        """Tasks that may still start; None when there is no limit, or the use is not known."""
        if self.limit is None or self.used is None:
            return None
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Threads that a pool which is there has yet to start."""

    name: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBudget:
    """The threads that may still start, beside the CPUs they may use.

    Parameters
    ----------
    bounds
        All that limits them, cgroups from leaf to root.
    wants
        What the pools that are loaded have yet to start.
    """

    bounds: tuple[TaskBound, ...] = ()
    wants: tuple[Want, ...] = ()

    @property
    def binding(self) -> TaskBound | None:
        """The bound that leaves least room; None when none is known to bind."""
        known = [bound for bound in self.bounds if bound.free is not None and not bound.reason]
        return min(known, key=lambda bound: bound.free or 0, default=None)

    @property
    def free(self) -> int | None:
        """Tasks that may still start; None when no limit is known."""
        bound = self.binding
        return bound.free if bound is not None else None

    @property
    def wanted(self) -> int:
        """Threads that the pools which are loaded have yet to start, together."""
        return sum(want.threads for want in self.wants)


def wants_of(libraries: Iterable[Library], pools: Iterable[Pool]) -> tuple[Want, ...]:
    """Give what loaded pools have yet to start.

    A runtime makes its team at its first parallel region, all but the thread that calls. OpenBLAS
    makes its threads when it is loaded, and what it lacks then it never makes.

    Parameters
    ----------
    libraries, pools
        As in `Snapshot`.
    """
    by_path = {library.path: library for library in libraries}
    wants = []
    for pool in pools:
        library = by_path.get(pool.library)
        threads = 0
        if pool.lender or pool.family == "openblas":
            continue
        if library is None:
            threads = pool.would_use or 0
        elif library.workers is not None:
            threads = pool.size - 1 - library.workers
        if threads > 0:
            wants.append(Want(name=pool.name, threads=threads))
    return tuple(wants)
