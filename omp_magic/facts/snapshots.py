"""A snapshot: all facts of one moment, as dict, JSON, table, text and HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import MissingRendererError
from .mime import bundle
from .plain import as_plain

if TYPE_CHECKING:
    import pandas as pd

    from .changes import Change
    from .cpus import Budget
    from .differences import Difference
    from .libraries import Finding, Gap, Library, Pool
    from .limits import Limit
    from .load import Load
    from .outside import Outside
    from .overruns import Overrun
    from .packages import Package
    from .processes import Child, PythonThreads, Thread, ThreadOwner
    from .sends import Sending
    from .settings import EnvSetting
    from .tasks import TaskBudget
    from .throttling import Throttling
    from .workers import Workers

SCHEMA = 1
"""Version of the JSON that `Snapshot.to_json` writes; raised when a key changes meaning."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Snapshot:
    """What is true of this process at one moment.

    Parameters
    ----------
    pid
        The process.
    python
        Version of its interpreter.
    prefix
        The environment it runs in (``sys.prefix``).
    conda
        Whether that is an environment of conda's.
    system
        ``"linux"``, ``"macos"`` or ``"windows"``: what mends something differs between them.
    budget
        CPUs it may use.
    libraries, pools
        Mapped OpenMP and BLAS runtimes, and the pools they have.
    num_os_threads
        OS threads of the process; None when unknown.
    os_threads
        Each of them; None unless it was asked for.
    environment
        Variables that matter and are set somewhere.
    throttling
        Counters of the cgroups that can throttle this process, leaf to root.
    thread_owners
        The files that own live threads, Python's left out; None where that cannot be known.
    tasks
        Threads that may still start; None when nothing is known of them.
    python_threads
        The Python threads that live; None when they are not looked at.
    packages
        Packages with native files in memory that are no longer the ones on disk.
    children
        Child processes with a runtime of their own.
    workers
        All child processes, looked at from outside; None unless it was asked for.
    start_method
        How multiprocessing starts children: ``"fork"``, ``"spawn"`` or ``"forkserver"``; None
        when it is not imported.
    notebook
        Whether ``__main__`` has no file that a child could import: a notebook or a console, whose
        functions spawn and forkserver cannot send.
    stranded
        What live pools of processes were given and cannot send to their workers.
    load
        What happened since the snapshot before; None for the first.
    findings
        What `rules.judge` made of these facts.
    changes
        What imports and cells changed in this process since omp_magic was loaded, and is not
        back as it was.
    limits
        Limits that omp_magic itself holds for the session.
    overruns
        Limits that were not held: of those in force, and of the last cell.
    gaps
        What could not be read.
    outside
        What is known of it because it is another process; None for the one that takes it.
    shown
        Parts a view should open; a hint to views, not a fact.
    """

    pid: int
    python: str
    prefix: str
    budget: Budget
    libraries: tuple[Library, ...]
    pools: tuple[Pool, ...]
    num_os_threads: int | None
    os_threads: tuple[Thread, ...] | None
    environment: tuple[EnvSetting, ...]
    throttling: tuple[Throttling, ...]
    thread_owners: tuple[ThreadOwner, ...] | None = None
    tasks: TaskBudget | None = None
    python_threads: PythonThreads | None = None
    packages: tuple[Package, ...] = ()
    children: tuple[Child, ...] = ()
    workers: Workers | None = None
    start_method: str | None = None
    notebook: bool = False
    stranded: tuple[Sending, ...] = ()
    conda: bool = False
    system: str = "linux"
    load: Load | None = None
    findings: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    limits: tuple[Limit, ...] = ()
    overruns: tuple[Overrun, ...] = ()
    gaps: tuple[Gap, ...] = ()
    outside: Outside | None = None
    shown: frozenset[str] = field(default=frozenset(), compare=False)

    renderers: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    """Filled by `omp_magic.views`: facts stand below views and do not import them."""

    @property
    def is_foreseen(self) -> bool:
        """Whether it is of no process that runs: one that is to be, perhaps on another system."""
        return self.pid == 0

    def setting(self, name: str) -> EnvSetting | None:
        """Give one variable; None when it is set nowhere."""
        return next((each for each in self.environment if each.name == name), None)

    def with_findings(self, findings: tuple[Finding, ...]) -> Snapshot:
        """Give the same facts with findings."""
        return replace(self, findings=findings)

    def with_gap(self, gap: Gap) -> Snapshot:
        """Give the same facts with one thing more that is not known."""
        return replace(self, gaps=(*self.gaps, gap))

    def diff(self, after: Snapshot, since: str = "") -> Difference:
        """Say what changed from this snapshot to a later one.

        Parameters
        ----------
        after
            The later one.
        since
            What this one was, for people; or "".

        Returns
        -------
        Difference
            Libraries, pools, threads, variables, CPUs, limits, children and findings that came,
            went or changed. It is false when nothing did.

        Examples
        --------
        >>> import omp_magic
        >>> before = omp_magic.snapshot()
        >>> bool(before.diff(before))
        False
        """
        from .comparing import Comparison  # noqa: PLC0415 - 10 ms that only who compares pays

        return Comparison(self, after).difference(since)

    def to_dict(self) -> dict[str, Any]:
        """Give the snapshot as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            Keys ``schema``, ``pid``, ``python``, ``prefix``, ``conda``, ``budget``,
            ``libraries``, ``pools``, ``threads``, ``environment``, ``throttling``, ``packages``,
            ``children``, ``workers``, ``start_method``, ``notebook``, ``stranded``, ``tasks``,
            ``load``, ``findings``, ``changes``, ``limits``, ``overruns``, ``gaps`` and
            ``outside``.
            ``threads["list"]`` is None unless it was asked for; ``threads["owners"]`` are those
            of `thread_owners`.
        """
        return {
            "schema": SCHEMA,
            "pid": self.pid,
            "python": self.python,
            "prefix": self.prefix,
            "conda": self.conda,
            "budget": {"cpus": self.budget.cpus, **as_plain(self.budget)},
            "libraries": as_plain(self.libraries),
            "pools": as_plain(self.pools),
            "threads": {
                "count": self.num_os_threads,
                "list": as_plain(self.os_threads),
                "owners": as_plain(self.thread_owners),
                "python": as_plain(self.python_threads),
            },
            "environment": as_plain(self.environment),
            "throttling": as_plain(self.throttling),
            "packages": as_plain(self.packages),
            "children": as_plain(self.children),
            "workers": self._workers_plain(),
            "start_method": self.start_method,
            "notebook": self.notebook,
            "stranded": as_plain(self.stranded),
            "tasks": self.tasks and {"free": self.tasks.free, **as_plain(self.tasks)},
            "load": as_plain(self.load),
            "findings": as_plain(self.findings),
            "changes": as_plain(self.changes),
            "limits": as_plain(self.limits),
            "overruns": as_plain(self.overruns),
            "gaps": as_plain(self.gaps),
            "outside": as_plain(self.outside),
        }

    def _workers_plain(self) -> dict[str, Any] | None:
        if self.workers is None:
            return None
        from .contrasts import workers_plain  # noqa: PLC0415 - only who asked for workers pays

        return workers_plain(self.workers)

    def to_json(self, indent: int | None = 2) -> str:
        """Give `to_dict` as JSON text in ASCII, so that any terminal can carry it."""
        return json.dumps(self.to_dict(), indent=indent)

    def to_frame(self) -> pd.DataFrame:
        """Give the runtimes as a table, one row a library. Imports pandas, hence NumPy.

        Returns
        -------
        pandas.DataFrame
            Columns are the fields of `Library`; counts are nullable integers.
        """
        frame: pd.DataFrame = self._render("frame")
        return frame

    def to_html(self) -> str:
        """Give one HTML page for a bug report, which needs nothing else and runs no script.

        As `omp_magic.report` writes it: with evidence and versions, and with the names of the
        home folder, the user and the machine replaced.
        """
        return str(self._render("page"))

    def _render(self, name: str) -> Any:
        if name not in self.renderers:
            raise MissingRendererError(name)
        return self.renderers[name](self)

    def __repr__(self) -> str:
        """Give one line, so that a debugger stays readable; `str` gives the whole."""
        return (
            f"<Snapshot pid={self.pid} cpus={self.budget.cpus:g} "
            f"libraries={len(self.libraries)} findings={len(self.findings)} gaps={len(self.gaps)}>"
        )

    def __str__(self) -> str:
        """Give the whole snapshot as plain text, as a terminal shows it."""
        return str(self._render("text"))

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Give text/plain and text/html, or JSON where that was asked for."""
        makers: dict[str, Callable[[], Any]] = {
            "text/plain": lambda: self._render("display"),
            "text/html": lambda: self._render("html"),
        }
        if "json" in self.shown:
            makers = {"text/plain": self.to_json, "application/json": self.to_dict}
        return bundle(makers, include, exclude)
