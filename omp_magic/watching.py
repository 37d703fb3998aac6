"""`omp_magic.watch`: what a block, and the child processes that it has, use together."""

from __future__ import annotations

import inspect
import logging
import math
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from types import TracebackType
from typing import Any, SupportsIndex, TypeVar, cast

from .errors import RequestError
from .facts.looks import Exceeded
from .formats.sizes import parse_size
from .machine import Machine
from .probes.live.recorder import LONGEST_S, SHORTEST_S, Recorder
from .views.signs import encodable
from .views.watched import Watched
from .views.words import printable

_LOG = logging.getLogger("omp_magic")
_EXAMPLE = 'omp_magic.watch(memory="8GB")'
_Function = TypeVar("_Function", bound=Callable[..., Any])


class watch:  # noqa: N801 - used like a function, as contextlib.suppress is
    """Record what a block uses, its child processes among it: memory, threads, CPUs, throttling.

    Can be used as a context manager or as a decorator, also of ``async def`` functions, in any
    thread, and may be nested. A thread of omp_magic looks every `interval_s`, and less often where
    that would take more than about 2 % of a CPU. A forked child records nothing.

    The moment all processes together use more memory than `memory`, one line on stderr says so,
    with who holds most and what limits the memory; also without `memory`, at 90 % of the limit,
    where a process is soon ended. Shared pages are counted once where the system tells (PSS,
    Linux).

    Parameters
    ----------
    interval_s
        Seconds between two looks, 0.02 to 60.
    memory
        Bytes, or a size such as ``"8GB"``, ``"2GiB"``.
    on_exceeded
        Called once with an `Exceeded`, instead of the line; on the thread that looks.

    Raises
    ------
    RequestError
        At once, when one of them is none of these.

    Examples
    --------
    >>> import omp_magic
    >>> with omp_magic.watch() as seen:
    ...     numbers = list(range(1000))
    >>> seen.peak_processes
    1
    """

    def __init__(
        self,
        interval_s: float = 0.1,
        memory: str | SupportsIndex | None = None,
        on_exceeded: Callable[[Exceeded], object] | None = None,
    ) -> None:
        self._interval_s = _checked_interval(interval_s)
        self._asked_bytes = None if memory is None else _checked_size(memory)
        if on_exceeded is not None and not callable(on_exceeded):
            raise RequestError(
                repr(on_exceeded),
                "a function of one argument",
                "omp_magic.watch(on_exceeded=print)",
            )
        self._on_exceeded = on_exceeded
        self._open: list[tuple[int, Recorder, Watched]] = []

    def __enter__(self) -> Watched:
        """Begin to look."""
        recorder = Recorder(
            Machine.here(),
            interval_s=self._interval_s,
            asked_bytes=self._asked_bytes,
            told=partial(_told, self._on_exceeded),
        )
        watched = Watched(recorder.course, recorder.release)
        try:
            recorder.start()
        except BaseException:  # an interrupt: nobody will leave what was never entered
            recorder.release()
            raise
        self._open.append((threading.get_ident(), recorder, watched))
        return watched

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; what was seen stays."""
        mine = [each for each in self._open if each[0] == threading.get_ident()] or self._open
        if not mine:
            return
        _, recorder, watched = mine[-1]
        recorder.release()
        recorder.stop()
        watched.settle()
        self._open.remove(mine[-1])

    def __call__(self, function: _Function) -> _Function:
        """Give a function, or coroutine function, that is watched whenever it runs.

        Its attribute ``seen`` has what its last run used.

        Raises
        ------
        RequestError
            When it is no function, or a generator, which stops half-way.
        """
        if isinstance(function, _NO_FUNCTIONS) or not callable(function):
            raise _no_function(function)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise _no_function(function)
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def watched_later(*args: Any, **kwargs: Any) -> Any:
                with self._anew() as watched_later.seen:  # type: ignore[attr-defined]  # a function's own
                    return await cast("Awaitable[Any]", function(*args, **kwargs))

            return cast("_Function", watched_later)

        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self._anew() as watched.seen:  # type: ignore[attr-defined]  # as above
                return function(*args, **kwargs)

        return cast("_Function", watched)

    def _anew(self) -> watch:
        return watch(self._interval_s, self._asked_bytes, self._on_exceeded)


_NO_FUNCTIONS = (type, staticmethod, classmethod, property)


def _no_function(found: object) -> RequestError:
    name = getattr(found, "__qualname__", None) or type(found).__name__
    return RequestError(name, "a function or coroutine function", "@omp_magic.watch()")


def _told(on_exceeded: Callable[[Exceeded], object] | None, exceeded: Exceeded) -> None:
    """Say it, on the thread that looks; a failure is one logged line."""
    try:
        (on_exceeded or _warn)(exceeded)
    except Exception as error:  # noqa: BLE001 - the user's function, or a stream that is closed
        name = type(error).__name__
        _LOG.warning("omp_magic: not told of the memory (%s: %s)", name, printable(str(error)))


def _warn(exceeded: Exceeded) -> None:
    stream = sys.stderr
    if stream is not None and not getattr(stream, "closed", False):
        line = f"omp_watch: {printable(exceeded.sentence)}\n"
        stream.write(encodable(line, stream))
        stream.flush()


def _checked_interval(value: object) -> float:
    accepted = f"seconds between two looks, {SHORTEST_S} to {LONGEST_S:g}"
    try:
        seconds = float(cast("float", value))
    except (TypeError, ValueError):
        seconds = math.nan
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise RequestError(str(value), accepted, "omp_magic.watch(interval_s=0.5)")
    return seconds


def _checked_size(value: object) -> int:
    if isinstance(value, str):
        return parse_size(value, _EXAMPLE)
    if not isinstance(value, bool) and hasattr(value, "__index__"):
        return parse_size(str(int(cast("SupportsIndex", value))), _EXAMPLE)
    raise RequestError(repr(value), "bytes, or a size such as 8GB", _EXAMPLE)


__all__ = ["Watched", "watch"]
