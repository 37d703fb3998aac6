"""Two snapshots -> a Difference. What is not known at one moment is not compared."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar

from .changes import Change
from .cpus import Bound, Budget
from .differences import (
    Delta,
    Difference,
    by,
    deltas,
    finding_identity,
    libraries_differ,
    library_identity,
    pool_identity,
    pools_differ,
)
from .libraries import Finding, Gap, Library, Pool
from .limits import Limit
from .processes import Child, PythonThreads, ThreadOwner
from .settings import EnvSetting
from .tasks import TaskBudget

T = TypeVar("T")
_FILED = {
    "libraries": ("libraries",),
    "pools": ("libraries", "pools of packages"),
    "budget": ("budget",),
    "variables": ("environment",),
    "children": ("workers",),
    "changes": ("changes",),
    "findings": ("findings", "libraries"),
}
"""By what is compared, the gaps that leave it unknown as a whole."""


class Facts(Protocol):
    """What of a snapshot is compared; `Snapshot` stands above this module."""

    @property
    def pid(self) -> int:
        """The process."""

    @property
    def budget(self) -> Budget:
        """CPUs it may use."""

    @property
    def libraries(self) -> tuple[Library, ...]:
        """Mapped runtimes."""

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Their pools, and packages' own."""

    @property
    def num_os_threads(self) -> int | None:
        """OS threads; None when unknown."""

    @property
    def python_threads(self) -> PythonThreads | None:
        """Python threads; None when unknown."""

    @property
    def thread_owners(self) -> tuple[ThreadOwner, ...] | None:
        """OS threads by owner; None when unknown."""

    @property
    def environment(self) -> tuple[EnvSetting, ...]:
        """Variables of the table."""

    @property
    def tasks(self) -> TaskBudget | None:
        """What bounds threads; None when unknown."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Limits of omp_magic."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was changed since omp_magic was loaded."""

    @property
    def children(self) -> tuple[Child, ...]:
        """Child processes with a runtime."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is found."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be read."""


class Comparison:
    """Compares two snapshots, part by part.

    Parameters
    ----------
    before, after
        The snapshots.
    """

    def __init__(self, before: Facts, after: Facts) -> None:
        self._before = before
        self._after = after
        self._gaps: list[Gap] = []

    def difference(self, since: str = "") -> Difference:
        """Give what is no longer as it was; `since` says what the first snapshot was."""
        before, after = self._before, self._after
        return Difference(
            pid_before=before.pid,
            pid_after=after.pid,
            since=since,
            libraries=self._compared(
                "libraries", lambda facts: facts.libraries, library_identity, libraries_differ
            ),
            pools=self._compared("pools", lambda facts: facts.pools, pool_identity, pools_differ),
            budget=self._budget(),
            bounds=self._compared("budget", _bounds, _bound_identity, by(lambda bound: bound.cpus)),
            num_os_threads=self._num_os_threads(),
            python_threads=self._python_threads(),
            thread_owners=self._compared(
                "threads by owner",
                lambda facts: facts.thread_owners,
                lambda owner: owner.path,
                by(lambda owner: owner.num_threads),
            ),
            environment=self._compared(
                "variables",
                lambda facts: tuple(each for each in facts.environment if _is_set(each)),
                lambda setting: setting.name,
                by(lambda setting: (setting.python, setting.native)),
            ),
            limits=deltas(before.limits, after.limits, lambda limit: limit, by(lambda _: None)),
            tasks=self._compared(
                "limits on threads",
                lambda facts: None if facts.tasks is None else facts.tasks.bounds,
                lambda bound: (bound.source, bound.where, bound.name),
                by(lambda bound: bound.limit),
            ),
            changes=self._compared(
                "changes",
                _other_changes,
                lambda each: (each.what, each.name),
                by(lambda c: c.after),
            ),
            children=self._compared(
                "children",
                lambda facts: facts.children,
                lambda child: (child.pid, child.forked),
                by(lambda child: (child.pool_threads, child.num_os_threads, child.runtimes)),
            ),
            findings=self._compared(
                "findings", lambda facts: facts.findings, finding_identity, by(lambda f: f.severity)
            ),
            gaps=tuple(dict.fromkeys((*self._gaps, *self._uncounted()))),
        )

    def _uncounted(self) -> list[Gap]:
        """Give the libraries whose threads were known at one moment only, though started at both.

        OpenMP's counts are read on the main thread alone.
        """
        were = {library_identity(each): each for each in self._before.libraries}
        gaps = []
        for now in self._after.libraries:
            then = were.get(library_identity(now))
            if then is None or not (then.initialized and now.initialized):
                continue
            if (then.num_threads is None) != (now.num_threads is None):
                lost, moment = (now, "after") if now.num_threads is None else (then, "before")
                note = f": {lost.note}" if lost.note else ""
                gaps.append(Gap(what=f"threads of {now.title}", why=f"not known {moment}{note}"))
        return gaps

    def _compared(
        self,
        what: str,
        part: Callable[[Facts], tuple[T, ...] | None],
        identity: Callable[[T], Hashable],
        differ: Callable[[T, T], bool],
    ) -> tuple[Delta[T], ...]:
        before, after = part(self._before), part(self._after)
        if not self._is_known(what, before is not None, after is not None):
            return ()
        return deltas(before or (), after or (), identity, differ)

    def _is_known(self, what: str, before: bool, after: bool) -> bool:
        """Tell whether a part is known at both moments; what is not is filed, unless at neither."""
        missing = {}
        for moment, facts, known in (
            ("before", self._before, before),
            ("after", self._after, after),
        ):
            gap = next((each for each in facts.gaps if each.what in _FILED.get(what, ())), None)
            if gap is not None or not known:
                missing[moment] = gap.why if gap is not None else ""
        if missing and (before or after):
            moments = " and ".join(missing)
            why = next(filter(None, missing.values()), "")
            told = f"not known {moments}" + (f": {why}" if why else "")
            self._gaps.append(Gap(what=what, why=told))
        return not missing

    def _budget(self) -> Delta[Budget] | None:
        before, after = self._before.budget, self._after.budget
        if not self._is_known("budget", before=True, after=True):
            return None
        same = _decided(before) == _decided(after)
        return None if same else Delta(before, after)

    def _num_os_threads(self) -> tuple[int, int] | None:
        before, after = self._before.num_os_threads, self._after.num_os_threads
        known = self._is_known("number of threads", before is not None, after is not None)
        if not known or before is None or after is None or before == after:
            return None
        return before, after

    def _python_threads(self) -> Delta[PythonThreads] | None:
        before, after = self._before.python_threads, self._after.python_threads
        known = self._is_known("Python's threads", before is not None, after is not None)
        return None if not known or before == after else Delta(before, after)


def _decided(budget: Budget) -> object:
    """Give the CPUs allowed and what decides them; its words may have numbers that move."""
    binding = budget.binding
    return (
        budget.cpus,
        budget.threads,
        budget.affinity_cpus,
        budget.machine_cpus,
        (binding.source, binding.where),
    )


def _bounds(facts: Facts) -> tuple[Bound, ...]:
    """Give what bounds the CPUs; a measurement is there when one was asked for."""
    return tuple(bound for bound in facts.budget.bounds if bound.source != "measured")


def _bound_identity(bound: Bound) -> Hashable:
    return bound.source, bound.where, bound.file


def _is_set(setting: EnvSetting) -> bool:
    """Tell whether a variable is set now: one that was set at the start has a row too."""
    return setting.python is not None or setting.native is not None


def _other_changes(facts: Facts) -> tuple[Change, ...]:
    """Give the changes that are not told as CPUs or as variables."""
    return tuple(each for each in facts.changes if each.what not in ("affinity", "variable"))
