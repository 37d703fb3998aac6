"""What `omp_magic` offers to Python: snapshot(), explain() and limit()."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import views  # noqa: F401 - gives Snapshot its views
from .errors import LimitError
from .facts import Gap, Limit
from .limits.held import Held, surely
from .limits.limiter import Limiter
from .limits.spread import running_loop
from .limitspec import parse_limit
from .machine import Machine
from .observe import Observer
from .rules import judge
from .rules.explain import explain as explain_code
from .snapshots import Snapshot
from .views.explain import Page

if TYPE_CHECKING:
    from .checks import Check

_LOG = logging.getLogger("omp_magic")
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Here:
    """The running process: one observer and one ledger of limits, made when first used.

    After a fork the child gets its own: another pid has other cgroups and no pool threads.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._observer: Observer | None = None
        self._limiter: Limiter | None = None

    @property
    def observer(self) -> Observer:
        """The observer of this process."""
        if self._observer is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._observer = Observer(Machine.here())
            self._limiter = None
        return self._observer

    @property
    def limiter(self) -> Limiter:
        """The ledger of this process."""
        observer = self.observer
        if self._limiter is None:
            self._limiter = Limiter(observer)
        return self._limiter

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that are in force now."""
        return self._limiter.told if self._limiter is not None else ()

    def sync(self) -> None:
        """Put this thread under the limits that are in force for it, where any ever were."""
        if self._limiter is not None and self._pid == os.getpid():
            self._limiter.sync()

    @property
    def altered(self) -> tuple[str, ...]:
        """The variables that limits have set."""
        return self._limiter.variables.names if self._limiter is not None else ()


HERE = Here()


def snapshot(
    *, threads: bool = False, measure: bool = False, shown: frozenset[str] = frozenset()
) -> Snapshot:
    """Say what is true of this process now: runtimes, thread counts, CPUs, findings.

    Nothing is loaded, started or set. A repeated call costs about a tenth of
    `threadpoolctl.threadpool_info`, because the loader's own counter tells whether anything
    was loaded or unloaded in between, by whatever way.

    Parameters
    ----------
    threads
        Also list every OS thread.
    measure
        Also keep threads busy for half a second and count the CPUs they really get.
    shown
        Parts that views should open: ``"cpus"``, ``"env"``, ``"threads"``, ``"json"``.

    Returns
    -------
    Snapshot
        Frozen. What could not be read is in its `gaps`; nothing is raised for it. OpenMP
        counts belong to a thread and are read on the main thread only.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.snapshot().budget.threads >= 1
    True
    """
    facts = HERE.observer.take(
        threads=threads,
        measure=measure,
        shown=shown,
        limits=HERE.limits,
        altered=HERE.altered,
    )
    try:
        return facts.with_findings(judge(facts))
    except Exception as error:  # noqa: BLE001 - a fault of ours must not break the user's cell
        why = f"a fault in omp_magic: {type(error).__name__}: {error}"
        return facts.with_gap(Gap(what="findings", why=why))


def explain(*codes: str) -> Page:
    """Explain findings at length, with what they rest on in this process.

    Parameters
    ----------
    codes
        ``"OMP101"``, or the number alone; without any, what is found now.

    Raises
    ------
    UnknownCodeError
        When there is no such code.

    Examples
    --------
    >>> import omp_magic
    >>> print(omp_magic.explain("OMP106"))  # doctest: +ELLIPSIS
    OMP106 · info · several BLAS copies, each with its own pool
    ...
    """
    findings = snapshot().findings
    wanted = codes or tuple(dict.fromkeys(finding.code for finding in findings))
    intro = "" if wanted else "Nothing is wrong here. Every code: omp-magic explain"
    return Page((explain_code(code, findings) for code in wanted), intro)


def check(*modules: str, run: bool = False, order: bool = False) -> Check:
    """Say what importing modules may load here, and what that would do; nothing is imported.

    Parameters
    ----------
    modules
        Names as ``import`` takes them, in the order of importing.
    run
        Also import them in a child process, step by step, and use each runtime they load.
    order
        Also search an order that works, and prove it by running it.

    Returns
    -------
    Check
        Its `runtimes` are a tuple of `Library`, its `findings` what would be the case then.

    Raises
    ------
    TrialError
        When a name is no module's.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.check("json").runtimes
    ()
    """
    from .checks import Check, check_modules  # noqa: PLC0415 - only a check pays
    from .views import check_renderers  # noqa: PLC0415 - as above

    Check.renderers.update(check_renderers)
    return check_modules(modules, snapshot(), run=run, order=order)


class limit:  # noqa: N801 - used like a function, as contextlib.suppress is
    """Limit the threads of every pool while a block or a function runs.

    Can be used as a context manager or as a decorator, also of ``async def`` functions; may
    be nested, and may be entered again after it was left. Threads, tasks of executors and child
    processes that are started inside have the limit too.

    OpenMP's counts belong to threads: those of threads that were there before are not changed.
    A coroutine's limit is taken back while it waits, so other tasks of the event loop run
    without it. What has one count for the process (OpenBLAS, numexpr, OpenCV, Arrow) cannot be
    kept apart between threads that run at the same time: the limit entered last holds for all.

    Parameters
    ----------
    spec
        A number of threads, ``"auto"``, ``"auto/4"``, ``"blas=1 openmp=2"``, a family
        (``"openblas=1"``), a package (``"numexpr=1"``), a SONAME or path, or a mapping of such
        names to numbers.
    env
        Whether child processes inherit the limit by their variables.

    Raises
    ------
    LimitError
        At once, when `spec` is none of these.

    Examples
    --------
    >>> import omp_magic
    >>> with omp_magic.limit(1) as held:
    ...     held.spec.text
    '1'
    """

    def __init__(self, spec: str | int | Mapping[str, int | str], *, env: bool = True) -> None:
        self._spec = parse_limit(spec)
        self._env = env
        self._held: list[tuple[object, Held]] = []

    def __enter__(self) -> Held:
        """Put the limit in force."""
        runner, limiter = _runner(), HERE.limiter
        held = limiter.enter(self._spec, env=self._env)
        self._held.append((runner, held))
        return held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take it back, whatever happened inside."""
        mine: list[tuple[object, Held]] = []

        def end() -> None:
            if not mine:
                runner = _runner()
                # Threads and tasks may share the object: each leaves what it has entered.
                entered = [each for each in self._held if each[0] == runner] or self._held
                mine.append(entered[-1])
            mine[0][1].leave()
            if mine[0] in self._held:
                self._held.remove(mine[0])

        try:
            surely(end)
        except Exception as failure:  # noqa: BLE001 - law 7: the block has run, whatever we fail at
            name = type(failure).__name__
            _LOG.warning("omp_magic: not every limit is taken back (%s: %s)", name, failure)

    def __call__(self, function: _Function) -> _Function:
        """Give a function that runs under the limit."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise LimitError(
                f"generator function {function.__qualname__}",
                "a function or coroutine function, since a generator stops half-way",
                "with omp_magic.limit(2): ... inside the generator, around no yield",
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def limited_later(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await cast("Awaitable[Any]", function(*args, **kwargs))

            return cast("_Function", limited_later)

        @functools.wraps(function)
        def limited(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("_Function", limited)


def _runner() -> object:
    """Give what tells one thread or task from another."""
    tasks = sys.modules.get("asyncio.tasks")
    task = None
    if tasks is not None and running_loop() is not None:
        task = tasks.current_task()
    return threading.get_ident() if task is None else task
