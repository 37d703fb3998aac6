"""What goes into a program's log: which logger, and a record with its facts beside its words.

A `logging.LoggerAdapter` puts its own `extra` in the place of the caller's (before Python 3.13
always, since then unless it was made with ``merge_extra``; Lib/logging/__init__.py,
LoggerAdapter.process), so both are put together here.
"""

from __future__ import annotations

import contextlib
import logging
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import RequestError

if TYPE_CHECKING:
    Logger: TypeAlias = logging.Logger | logging.LoggerAdapter[Any]
    """What takes records; before Python 3.11 an adapter has no parameter where programs run."""

LOG = logging.getLogger("omp_magic")
KEY = "omp_magic"
"""The attribute of a record that has the facts, for loggers that write JSON."""


def logger_of(given: Any, example: str) -> Logger:
    """Give the logger that is meant.

    Parameters
    ----------
    given
        A logger, its name, an adapter or what acts as one; None for ``omp_magic``.
    example
        A line that works.

    Raises
    ------
    RequestError
        When it is none of these.
    """
    if given is None:
        return LOG
    if isinstance(given, str):
        return logging.getLogger(given)
    inner = given
    while isinstance(inner, logging.LoggerAdapter):
        inner = inner.logger
    if isinstance(inner, type) or not all(
        callable(getattr(inner, name, None)) for name in ("log", "isEnabledFor")
    ):
        raise RequestError(
            reprlib.repr(given), "a logging.Logger, its name, or a logging.LoggerAdapter", example
        )
    logger: Logger = given
    return logger


def say(logger: Logger, level: int, text: str, facts: Mapping[str, Any], depth: int) -> None:
    """Log one record, put down to who called the public function.

    Parameters
    ----------
    logger, level
        Where, and how grave it is.
    text
        One line.
    facts
        What it says, as plain dicts, lists, strings and numbers: ``record.omp_magic``.
    depth
        Functions between the caller of `say` and the user's code, that caller included.
    """
    extra: dict[str, Any] = {KEY: dict(facts)}
    message = "omp_magic: %s"
    while isinstance(logger, logging.LoggerAdapter):
        message, more = logger.process(message, {"extra": extra})
        extra = {**(more.get("extra") or {}), KEY: extra[KEY]}
        logger = logger.logger
    logger.log(level, message, text, extra=extra, stacklevel=depth + 2)


def own_failure(what: str, error: BaseException) -> None:
    """Say in one line that something of ours failed; a logger that fails too is left alone."""
    with contextlib.suppress(Exception):  # law 7: nobody is left to be told
        LOG.warning("omp_magic: %s (%s)", what, type(error).__name__)
