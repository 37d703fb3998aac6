"""`omp_magic.section`: a stretch of a server's code in its log, with what it used."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import RequestError
from .generators import async_steps, steps
from .runs import Run, ended, opened, taken
from .saying import LOG, logger_of

if TYPE_CHECKING:
    from .saying import Logger

_EXAMPLE = '@omp_magic.section("embedding")'
_Function = TypeVar("_Function", bound=Callable[..., Any])
_DEBUG = logging.DEBUG


class section:  # noqa: N801 - used like a function, as contextlib.suppress is
    """Log at DEBUG where a stretch of code begins and ends, and what the process used meanwhile.

    A context manager, also of ``async with``, and a decorator of functions, coroutine functions,
    generators and asynchronous generators. The line of the end has the wall time, the CPU time of
    the process and the CPUs that it kept busy, the resident memory and its change, the threads by
    owner with those that were busy for a tenth of the time, and how long the cgroup was throttled.
    Two looks are all: a thread that came and went in between is not seen.

    Each run has a number, and names the sections that it runs in; those of other threads and tasks
    are told apart. Where others ran meanwhile the line says so, since all figures are the
    process's. An error passes through; its type is logged, and not its message, which may hold a
    secret. What a generator's section measures begins with its first item and ends with its last,
    its consumer's work among it. A run that a fork left half in the parent is not measured in the
    child, and its line there says so.

    Where the logger is not enabled for DEBUG nothing is looked at: that takes less than 1 us
    (`benchmarks/sections.py`).

    Parameters
    ----------
    name
        What it is called.
    logger
        A logger, its name or a `logging.LoggerAdapter`; the logger ``omp_magic`` when None.

    Raises
    ------
    RequestError
        At once, when `name` is no text or `logger` none; as a decorator, when what it decorates is
        no function.

    Examples
    --------
    >>> import omp_magic
    >>> with omp_magic.section("embedding"):
    ...     numbers = list(range(1000))
    """

    __slots__ = ("_logger", "_name", "_runs")
    _depth = 2
    """How many calls of ours lie between a record and the code that it is told of."""

    def __init__(self, name: str, *, logger: Logger | str | None = None) -> None:
        given: object = name
        if not isinstance(given, str) or not given:
            raise RequestError(repr(name), "a section's name, a text", _EXAMPLE)
        self._name = name
        self._logger = LOG if logger is None else logger_of(logger, _EXAMPLE)
        self._runs: list[Run] = []

    def __enter__(self) -> None:
        """Begin."""
        if self._logger.isEnabledFor(_DEBUG):
            self._begin(self._depth)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        if self._runs:
            self._end(kind, self._depth)

    async def __aenter__(self) -> None:
        """Begin."""
        if self._logger.isEnabledFor(_DEBUG):
            self._begin(self._depth)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        if self._runs:
            self._end(kind, self._depth)

    def _begin(self, depth: int) -> None:
        run = opened(self._name, self._logger, depth)
        if run is not None:
            self._runs.append(run)

    def _end(self, kind: type[BaseException] | None, depth: int) -> None:
        run = taken(self._runs)
        if run is not None:
            ended(run, kind, depth)

    def __call__(self, function: _Function) -> _Function:
        """Give a function whose every run is a section.

        It is a coroutine function, generator or asynchronous generator where `function` is one.

        Raises
        ------
        RequestError
            When it is no function.
        """
        if isinstance(function, _NO_FUNCTIONS) or not callable(function):
            raise _no_function(function)
        name, logger = self._name, self._logger
        if _either(inspect.isasyncgenfunction, function):
            return cast("_Function", async_steps(function, name, logger))
        awaited = _either(inspect.iscoroutinefunction, function) or _either(_is_awaited, function)
        if _either(inspect.isgeneratorfunction, function) and not awaited:
            return cast("_Function", steps(function, name, logger))
        if awaited:

            @wraps(function)
            async def logged_later(*args: Any, **kwargs: Any) -> Any:
                later = cast("Callable[..., Awaitable[Any]]", function)
                if not logger.isEnabledFor(_DEBUG):
                    return await later(*args, **kwargs)
                with _called(name, logger=logger):
                    return await later(*args, **kwargs)

            return cast("_Function", logged_later)

        @wraps(function)
        def logged(*args: Any, **kwargs: Any) -> Any:
            if not logger.isEnabledFor(_DEBUG):
                return function(*args, **kwargs)
            with _called(name, logger=logger):
                return function(*args, **kwargs)

        return cast("_Function", logged)


class _called(section):  # noqa: N801 - as above
    """The section of a decorated function: its records are its caller's."""

    __slots__ = ()
    _depth = 3


_NO_FUNCTIONS = (type, staticmethod, classmethod, property)


def _either(kind: Callable[[Any], bool], function: Callable[..., Any]) -> bool:
    """Tell whether it is of a kind; an object may have an ``async def __call__``."""
    return kind(function) or kind(getattr(type(function), "__call__", None))  # noqa: B004 - what it is, not whether


def _is_awaited(function: Any) -> bool:
    """Tell whether it is a generator function that `types.coroutine` has made awaitable."""
    code = getattr(function, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _no_function(found: object) -> RequestError:
    name = getattr(found, "__qualname__", None) or type(found).__name__
    accepted = "a function, coroutine function or generator below the decorator"
    return RequestError(name, accepted, f"{_EXAMPLE} above def embed(texts)")
