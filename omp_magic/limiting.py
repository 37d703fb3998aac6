"""`omp_magic.limit`: a limit as a context manager and as a decorator."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, SupportsIndex, TypeVar, cast

from .errors import LimitError
from .here import HERE
from .limits.held import Held, surely
from .limits.loops import running_loop
from .limits.spec import parse_limit

_LOG = logging.getLogger("omp_magic")
_Function = TypeVar("_Function", bound=Callable[..., Any])


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
        (``"openblas=1"``; also mkl, blis, libgomp, libomp, libiomp5, vcomp), a package
        (``"numexpr=1"``; also torch, numba, cv2, pyarrow, pyarrow-io, blosc2, lightgbm, joblib,
        faiss, xgboost; for children polars, tensorflow), a SONAME or path, or a mapping of
        such names to numbers.
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

    def __init__(
        self, spec: str | SupportsIndex | Mapping[str, SupportsIndex | str], *, env: bool = True
    ) -> None:
        self._spec = parse_limit(
            spec, asking='omp_magic.limit("{}")', names="help(omp_magic.limit)"
        )
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
        """Give a function, or coroutine function, that runs under the limit.

        Raises
        ------
        LimitError
            When it is no function; for a generator at once, or when it is called where only its
            result tells (one that another decorator has wrapped).
        """
        if isinstance(function, _NO_FUNCTIONS) or not callable(function):
            raise LimitError(_named(function), "a function or coroutine function", _BELOW)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise _half_way(function)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def limited_later(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await cast("Awaitable[Any]", function(*args, **kwargs))

            return cast("_Function", limited_later)

        @functools.wraps(function)
        def limited(*args: Any, **kwargs: Any) -> Any:
            with self:
                result = function(*args, **kwargs)
            # The function of another decorator does not tell what it gives: its work is to come.
            if _is_its_body(result, function):
                raise _half_way(function)
            return self._later(result) if inspect.iscoroutine(result) else result

        return cast("_Function", limited)

    async def _later(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self:
            return await coroutine


_NO_FUNCTIONS = (type, staticmethod, classmethod, property)
_BELOW = "@omp_magic.limit(2) right above def, below @property, @classmethod and the like"


def _named(function: object) -> str:
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return f"{type(function).__name__} {name}" if name else repr(function)


def _is_its_body(result: object, function: Callable[..., Any]) -> bool:
    """Tell whether a generator is the function itself, and not a value that it made."""
    code = getattr(result, "gi_code", None) or getattr(result, "ag_code", None)
    own = inspect.unwrap(function)
    bodies = (own, getattr(type(own), "__call__", None))  # noqa: B004 - its code is asked for
    return code is not None and any(getattr(body, "__code__", None) is code for body in bodies)


def _half_way(function: object) -> LimitError:
    return LimitError(
        f"generator {_named(function)}",
        "a function or coroutine function, since a generator stops half-way",
        "with omp_magic.limit(2): ... inside the generator, around no yield",
    )


def _runner() -> object:
    """Give what tells one thread or task from another."""
    tasks = sys.modules.get("asyncio.tasks")
    task = None
    if tasks is not None and running_loop() is not None:
        task = tasks.current_task()
    return threading.get_ident() if task is None else task
