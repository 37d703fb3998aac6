"""What came, went or changed between two snapshots, and what of it is not known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from ..errors import MissingRendererError
from .changes import Change
from .cpus import Bound, Budget
from .libraries import Finding, Gap, Library, Pool
from .limits import Limit
from .mime import bundle
from .plain import as_plain
from .processes import Child, PythonThreads, ThreadOwner
from .settings import EnvSetting
from .tasks import TaskBound

T = TypeVar("T")
Fact_co = TypeVar("Fact_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Delta(Generic[Fact_co]):
    """One thing before and after; None where it was not there.

    Parameters
    ----------
    before, after
        What was known of it.
    """

    before: Fact_co | None
    after: Fact_co | None

    @property
    def either(self) -> Fact_co:
        """What it is now, or was."""
        found = self.before if self.after is None else self.after
        assert found is not None  # noqa: S101 - `deltas` makes none of two Nones
        return found

    @property
    def how(self) -> str:
        """``"came"``, ``"went"`` or ``"changed"``."""
        if self.before is None:
            return "came"
        return "went" if self.after is None else "changed"

    def to_dict(self) -> dict[str, Any]:
        """Give it with the keys ``how``, ``before`` and ``after``."""
        return {"how": self.how, "before": as_plain(self.before), "after": as_plain(self.after)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Difference:
    """What is no longer as it was; what is the same is not in it.

    Parameters
    ----------
    pid_before, pid_after
        The process of each snapshot.
    since
        What the first one was, for people: ``"%omp_status in cell 3"``; or "".
    libraries
        Runtimes by device, inode and path: those that came or went, or whose counts or state
        changed.
    pools
        Pools by their library; packages' pools by their name too.
    budget
        The CPUs allowed; None when neither their number nor what decides it changed.
    bounds
        What bounds the CPUs, whether it decides or not.
    num_os_threads
        OS threads of the process, before and after; None when equal, or not known.
    python_threads
        Python threads; None when equal, or not known.
    thread_owners
        OS threads by the file that owns them.
    environment
        Variables of the table that are set to something else, for Python or for C.
    limits
        Limits that omp_magic holds.
    tasks
        What bounds the number of threads and processes.
    changes
        What else of the process's state changed: RLIMITs, the start method, floating point.
    children
        Child processes with a runtime of their own, by pid.
    findings
        Findings that came and went. One whose numbers alone differ is the same.
    gaps
        What could not be compared, since it was not known at one of the two moments.
    """

    pid_before: int
    pid_after: int
    since: str = ""
    libraries: tuple[Delta[Library], ...] = ()
    pools: tuple[Delta[Pool], ...] = ()
    budget: Delta[Budget] | None = None
    bounds: tuple[Delta[Bound], ...] = ()
    num_os_threads: tuple[int, int] | None = None
    python_threads: Delta[PythonThreads] | None = None
    thread_owners: tuple[Delta[ThreadOwner], ...] = ()
    environment: tuple[Delta[EnvSetting], ...] = ()
    limits: tuple[Delta[Limit], ...] = ()
    tasks: tuple[Delta[TaskBound], ...] = ()
    changes: tuple[Delta[Change], ...] = ()
    children: tuple[Delta[Child], ...] = ()
    findings: tuple[Delta[Finding], ...] = ()
    gaps: tuple[Gap, ...] = ()

    renderers: ClassVar[dict[str, Callable[[Any], str]]] = {}
    """Filled by `omp_magic.views`, as `Snapshot.renderers` is."""

    def __bool__(self) -> bool:
        """Tell whether anything changed; what could not be compared is no change."""
        return bool(
            self.pid_before != self.pid_after
            or self.budget
            or self.num_os_threads
            or self.python_threads
            or any(getattr(self, name) for name in _LISTS)
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            Keys ``pid``, ``budget``, ``num_os_threads`` and ``python_threads`` with ``before`` and
            ``after``, the last three None when equal; lists of changes under ``libraries``,
            ``pools``, ``bounds``, ``thread_owners``, ``environment``, ``limits``, ``tasks``,
            ``changes``, ``children`` and ``findings``; ``since`` and ``gaps``.
        """
        threads = self.num_os_threads
        return {
            "since": self.since,
            "pid": {"before": self.pid_before, "after": self.pid_after},
            "budget": self.budget and self.budget.to_dict(),
            "num_os_threads": threads and {"before": threads[0], "after": threads[1]},
            "python_threads": self.python_threads and self.python_threads.to_dict(),
            **{name: [each.to_dict() for each in getattr(self, name)] for name in _LISTS},
            "gaps": as_plain(self.gaps),
        }

    def _render(self, name: str) -> str:
        if name not in self.renderers:
            raise MissingRendererError(name)
        return self.renderers[name](self)

    def __repr__(self) -> str:
        """Give one line; `str` gives the whole."""
        number = sum(len(getattr(self, name)) for name in _LISTS)
        return f"<Difference of pid={self.pid_after} changes={number} gaps={len(self.gaps)}>"

    def __str__(self) -> str:
        """Give the whole as plain text, as a terminal shows it."""
        return self._render("text")

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Give text/plain and text/html."""
        makers = {"text/plain": self.__str__, "text/html": lambda: self._render("html")}
        return bundle(makers, include, exclude)


_LISTS = (
    "libraries",
    "pools",
    "bounds",
    "thread_owners",
    "environment",
    "limits",
    "tasks",
    "changes",
    "children",
    "findings",
)


def deltas(
    before: Iterable[T],
    after: Iterable[T],
    identity: Callable[[T], Hashable],
    differ: Callable[[T, T], bool],
) -> tuple[Delta[T], ...]:
    """Give what came, went, or is another now, in the order of `after`, what went last.

    Things of one identity are paired in their order.

    Examples
    --------
    >>> found = deltas(["a1", "b1"], ["b2", "c1"], lambda each: each[0], by(lambda each: each[1]))
    >>> [(each.how, each.either) for each in found]
    [('changed', 'b2'), ('came', 'c1'), ('went', 'a1')]
    """
    were, are = _numbered(before, identity), _numbered(after, identity)
    found = [
        Delta(were.get(key), each)
        for key, each in are.items()
        if key not in were or differ(were[key], each)
    ]
    return (*found, *(Delta(each, None) for key, each in were.items() if key not in are))


def _numbered(things: Iterable[T], identity: Callable[[T], Hashable]) -> dict[Hashable, T]:
    seen: Counter[Hashable] = Counter()
    found: dict[Hashable, T] = {}
    for each in things:
        key = identity(each)
        found[key, seen[key]] = each
        seen[key] += 1
    return found


def by(state: Callable[[T], object]) -> Callable[[T, T], bool]:
    """Give what tells two things apart by their state."""
    return lambda before, after: state(before) != state(after)


def library_identity(library: Library) -> Hashable:
    """Give what makes a library that one: its file, and which runtime in it."""
    return library.family, library.device, library.inode, library.path


def libraries_differ(before: Library, after: Library) -> bool:
    """Tell whether a library's row says something else; a value that is not known is no change."""
    return before.serves != after.serves or _known_to_differ(
        before,
        after,
        "num_threads",
        "workers",
        "missing",
        "initialized",
        "would_use",
        "idle",
        "threading_layer",
        "replaced",
    )


def pool_identity(pool: Pool) -> Hashable:
    """Give what makes a pool that one. A library's is called anew when another one comes."""
    return pool.api, pool.family, pool.library, pool.name if pool.api == "python" else ""


def pools_differ(before: Pool, after: Pool) -> bool:
    """Tell whether a pool's row says something else; `would_use` is None once it has started."""
    started = (before.would_use is None) != (after.would_use is None)
    own = (before.bound_cpus, before.layer) != (after.bound_cpus, after.layer)
    return started or own or _known_to_differ(before, after, "num_threads", "would_use", "workers")


def _known_to_differ(before: object, after: object, *names: str) -> bool:
    pairs = ((getattr(before, name), getattr(after, name)) for name in names)
    return any(a is not None and b is not None and a != b for a, b in pairs)


def finding_identity(finding: Finding) -> Hashable:
    """Give what makes a finding that one: its code and its sentence, numbers left out."""
    return finding.code, re.sub(r"\d[\d.,]*", "0", finding.title)
