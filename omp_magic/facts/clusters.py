"""The facts about the workers of a cluster: who they are, and what may be equal among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .gaps import Gap
from .libraries import Finding, Library, Pool

if TYPE_CHECKING:
    from .snapshots import Snapshot

WORKS = "it is busy with a cell or a task, and does one thing at a time"
"""Why a worker has not answered that its engine knows to be at work."""
WORKS_OR_HANGS = "it works, or it hangs"
"""That of one which has not come for the question."""
ENDED = "it has ended"
"""How the reason of one begins that is no more."""


def at_once(pools: Iterable[Pool], tasks: int) -> int:
    """Give the most threads that may work at once where so many tasks compute.

    An OpenMP pool belongs to the thread that enters it, so that each task's thread has a team of
    its own: libgomp's ``gomp_get_thread_pool`` (team.c) and LLVM's root threads
    (``__kmp_register_root``). OpenBLAS and the pools of packages are one for the process: a second
    thread that calls it brings itself alone (OpenBLAS' blas_server.c). So one pool of 4 threads and
    2 tasks are 8 in OpenMP, and 5 in OpenBLAS.

    Parameters
    ----------
    pools
        Those that borrow another's threads, or wait for files, are not counted; nor are those
        whose size is not known.
    tasks
        Tasks that run at once, each in a thread of its own.

    Examples
    --------
    >>> facts = dict(num_threads=4, would_use=None, library="", family="", name="")
    >>> team = Pool(api="openmp", scope="thread", **facts)
    >>> pool = Pool(api="blas", scope="process", **facts)
    >>> at_once([team], 2), at_once([pool], 2), at_once([team, pool], 2), at_once([], 2)
    (8, 5, 8, 2)
    """
    own = [pool for pool in pools if pool.size and not pool.lender and not pool.for_io]
    team = max((pool.size for pool in own if pool.api == "openmp"), default=1)
    once = sorted((pool.size for pool in own if pool.api != "openmp"), reverse=True)
    entered = [size for size in once[:tasks] if size > team]
    return sum(entered) + (tasks - len(entered)) * team


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """What a worker is like: nothing in it belongs to one process alone, so that many are equal.

    Parameters
    ----------
    python, system, prefix
        As in `Snapshot`.
    budget_cpus, budget_threads
        CPUs that it may use, and what a pool of it should use: `Budget`.
    affinity_cpus, machine_cpus
        CPUs of its mask, and of its machine.
    bound
        What decides that: ``"cgroup v2"``, ``"affinity"`` …
    libraries
        Its runtimes, without what is of one process: no device, inode, live threads.
    pools
        Their pools, and those of packages, without live threads.
    variables
        Those of our tables that are set there, as they are without the limits.
    limits
        The limits that omp_magic holds there.
    codes
        Codes of its findings, without those of a moment: `workerstate.OF_A_MOMENT`.
    unknown
        What of it could not be read: `Gap.what`.
    """

    python: str
    system: str
    prefix: str
    budget_cpus: float
    budget_threads: int
    affinity_cpus: int
    machine_cpus: int
    bound: str
    libraries: tuple[Library, ...] = ()
    pools: tuple[Pool, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def all_sized(self) -> bool:
        """Whether the size of each pool that computes is known."""
        return all(pool.size or pool.lender or pool.for_io for pool in self.pools)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterWorker:
    """A worker of a cluster, or why nothing is known of it.

    Parameters
    ----------
    address, name
        Its names in the engine's words, see `clusters.port.Seat`.
    host
        Its machine's name, as it says itself; what the engine says of one that did not answer.
    machine
        What tells machines apart whose names are equal, and shows that two names are one machine;
        "" when not known.
    pid
        Its process; None when not known.
    tasks
        Tasks that it runs at once.
    affinity
        CPUs on which it may run; None when not known.
    cgroup
        The cgroup whose quota binds it; "" when none does, or when not known.
    quota_cpus
        That quota; None when there is none.
    quotas
        (cgroup, CPUs) of each that it is in and that has a quota, from its own one up: several
        workers may have less together than each of them alone.
    cgroups
        What tells cgroups of equal paths apart: the namespace in which they count (in a container
        each is "/"); "" when not known.
    state
        What it is like; None when it has not answered.
    findings, gaps
        What is found there, and what could not be read there.
    gap
        Why nothing is known of it; None when it answered.
    seen
        ``"inside"``: it told itself; ``"carried"``: by an omp_magic that came with the question;
        ``"outside"``: it was looked at from another process of its machine; "" where nothing is
        known.
    took_s
        Time from the question to its answer; None when none came.
    anew
        Whether there is what starts it anew when it is told to, a nanny for example; None when not
        known.
    packed
        Its whole snapshot, for whoever asks for it; b"" when there is none.
    """

    address: str
    name: str = ""
    host: str = ""
    machine: str = ""
    pid: int | None = None
    tasks: int = 1
    affinity: tuple[int, ...] | None = None
    cgroup: str = ""
    quota_cpus: float | None = None
    quotas: tuple[tuple[str, float], ...] = ()
    cgroups: str = ""
    state: WorkerState | None = None
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gap: Gap | None = None
    seen: str = ""
    took_s: float | None = field(default=None, compare=False)
    anew: bool | None = None
    packed: bytes = field(default=b"", compare=False, repr=False)

    @property
    def snapshot(self) -> Snapshot | None:
        """Its whole snapshot, read anew at each time; None when there is none.

        Raises
        ------
        ParseError
            When its bytes are of a version that has what this one does not know.
        """
        if not self.packed:
            return None
        from .packed import unpack  # noqa: PLC0415 - only who asks for a whole snapshot pays

        whole: Snapshot = unpack(self.packed)
        return whole

    @property
    def busy(self) -> bool:
        """Whether it has not answered since it works, as far as its engine can tell."""
        why = "" if self.gap is None else self.gap.why
        return why.endswith((WORKS, WORKS_OR_HANGS))

    @property
    def ended(self) -> bool:
        """Whether its engine says that it is no more."""
        return self.gap is not None and self.gap.why.startswith(ENDED)

    @property
    def demand(self) -> int | None:
        """Threads that may work there at once, see `at_once`; None when nothing is known of it."""
        return None if self.state is None else at_once(self.state.pools, self.tasks)

    @property
    def title(self) -> str:
        """Its address, and its name where that says more."""
        return (
            f"{self.address} ({self.name})" if self.name not in ("", self.address) else self.address
        )

    def __repr__(self) -> str:
        """Give one line; `to_dict` of its cluster has all."""
        told = self.seen or ("silent" if self.state is None else "known")
        return f"<ClusterWorker {self.title[:80]!r} pid={self.pid} tasks={self.tasks} {told}>"
