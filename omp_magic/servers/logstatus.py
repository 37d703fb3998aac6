"""`omp_magic.log_status`: what is true of a server when it starts, in its log."""

from __future__ import annotations

import logging
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

from ..api import snapshot
from ..errors import RequestError
from ..facts.libraries import Gap
from ..facts.snapshots import Snapshot
from ..probes.cpus.budget import unknown_budget
from ..views.log_lines import lines_of
from .saying import logger_of, own_failure, say

if TYPE_CHECKING:
    from .saying import Logger

_EXAMPLE = 'omp_magic.log_status(logging.getLogger("server"), level="INFO")'


def log_status(logger: Logger | str | None = None, level: int | str = logging.INFO) -> Snapshot:
    """Log what bounds this process, its runtimes and pools, and what is wrong with them.

    Call it once a server has loaded its libraries: in each worker, where there are workers. Nothing
    is loaded, started or set. The first record has the CPUs allowed and what decides that, the
    pools and the threads; then comes one with the runtimes, one for each finding, at ERROR,
    WARNING or, for a note, `level`, with what to do about it in a shell's or Python's words; and
    one with what is not known. Each is one line, and has its facts as a dict in
    ``record.omp_magic``, which loggers of JSON write as an object.

    Parameters
    ----------
    logger
        A logger, its name or a `logging.LoggerAdapter`; the logger ``omp_magic`` when None.
    level
        Level of what is no finding, as a number or a name.

    Returns
    -------
    Snapshot
        What was logged. A failure of omp_magic, or of the logger, is one logged line at most, and
        never raised.

    Raises
    ------
    RequestError
        At once, when `logger` or `level` is none.

    Notes
    -----
    For ``extra`` see `logging.Logger.debug` in Python's library reference.

    Examples
    --------
    >>> import omp_magic
    >>> omp_magic.log_status(level="DEBUG").budget.threads >= 1
    True
    """
    to, number = logger_of(logger, _EXAMPLE), _level(level)
    try:
        facts = snapshot()
    except Exception as error:  # noqa: BLE001 - law 7: a fault of ours never stops a server
        own_failure("the status was not taken", error)
        return _unknown(error)
    try:
        for line in lines_of(facts):
            at = number if line.severity == "info" else logging.getLevelName(line.severity.upper())
            if to.isEnabledFor(at):
                say(to, at, line.text, line.facts, depth=1)
    except Exception as error:  # noqa: BLE001 - as above; a filter of the user's may fail
        own_failure("the status was not logged", error)
    return facts


def _level(given: Any) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    for name in (given, given.upper()) if isinstance(given, str) else ():
        number = logging.getLevelName(name)  # a name, where it is none
        if isinstance(number, int):
            return number
    raise RequestError(repr(given), "a level as a number or a name, DEBUG to CRITICAL", _EXAMPLE)


def _unknown(error: Exception) -> Snapshot:
    why = f"a fault in omp_magic: {type(error).__name__}"
    return Snapshot(
        pid=os.getpid(),
        python=platform.python_version(),
        prefix=sys.prefix,
        budget=unknown_budget(),
        libraries=(),
        pools=(),
        num_os_threads=None,
        os_threads=None,
        environment=(),
        throttling=(),
        gaps=(Gap(what="the status", why=why),),
    )
