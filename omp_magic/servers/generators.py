"""Generators whose every run is a section: what they do between two items is in it, no more.

What a generator runs in is set anew for each step, since a generator has no context of its own
(PEP 567, "Rationale"): else what its consumer does between two items would be in the section too.
The steps are those of ``yield from`` (PEP 380, "Formal Semantics"), also for asynchronous ones,
which have no such statement.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .runs import CURRENT, Run, ended, opened

if TYPE_CHECKING:
    from .saying import Logger

_DEBUG = logging.DEBUG


class _Steps:
    """The run of one generator: entered for each step, ended once."""

    def __init__(self, name: str, logger: Logger) -> None:
        self._run: Run | None = None
        if logger.isEnabledFor(_DEBUG):
            self._run = opened(name, logger, depth=2, enter=False)
        self._inside = self._run
        self._outside: Run | None = None
        self.items = 0

    def __enter__(self) -> None:
        if self._run is not None:
            self._outside = CURRENT.get()
            CURRENT.set(self._inside)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._run is not None:
            self._inside = CURRENT.get()
            CURRENT.set(self._outside)

    def end(self, kind: type[BaseException] | None) -> None:
        """End it."""
        if self._run is not None:
            ended(self._run, kind, depth=2, items=self.items)


def steps(
    function: Callable[..., Generator[Any, Any, Any]], name: str, logger: Logger
) -> Callable[..., Generator[Any, Any, Any]]:
    """Give a generator function whose every run is a section."""

    @wraps(function)
    def stepped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator, inside = function(*args, **kwargs), _Steps(name, logger)
        step: Callable[[Any], Any] = generator.send
        given: list[Any] = [None]  # and not for longer: its traceback has this frame
        try:
            while True:
                with inside:
                    item = step(given.pop())
                inside.items += 1
                try:
                    step, given = generator.send, [(yield item)]
                except GeneratorExit:
                    with inside:
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever its consumer throws in
                    step, given = generator.throw, [error]
        except StopIteration as stop:
            inside.end(None)
            return stop.value
        except BaseException as error:
            inside.end(type(error))
            raise

    return stepped


def async_steps(
    function: Callable[..., AsyncGenerator[Any, Any]], name: str, logger: Logger
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Give an asynchronous generator function whose every run is a section."""

    @wraps(function)
    async def stepped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator, inside = function(*args, **kwargs), _Steps(name, logger)
        step: Callable[[Any], Any] = generator.asend
        given: list[Any] = [None]  # and not for longer: its traceback has this frame
        try:
            while True:
                with inside:
                    item = await step(given.pop())
                inside.items += 1
                try:
                    step, given = generator.asend, [(yield item)]
                except GeneratorExit:
                    with inside:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - as above
                    step, given = generator.athrow, [error]
        except StopAsyncIteration:
            inside.end(None)
        except BaseException as error:
            inside.end(type(error))
            raise

    return stepped
