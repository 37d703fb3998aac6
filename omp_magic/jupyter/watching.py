"""``%%omp_watch``: what a cell and its child processes use, recorded while it runs.

A failure of omp_magic itself becomes one logged line and the cell runs as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..errors import LimitError, RequestError, wrong
from ..views.record import check_name
from ..watching import Watched, watch
from .asking import unquoted
from .cellbody import run_body
from .saying import logged
from .showing import show

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

_USUAL_S = 0.1


def watched(shell: InteractiveShell, options: Namespace, line: str, cell: str) -> Any:
    """Run a cell and show what it used when it has ended, however it ends.

    Raises
    ------
    UsageError
        Before the cell runs, when an option's value cannot be followed.
    """
    __tracebackhide__ = True
    interval_s = _USUAL_S if options.interval is None else options.interval
    try:
        memory = unquoted(options.memory)
        recording = watch(interval_s, memory)
        if options.output is not None:
            check_name(options.output)
    except LimitError as error:
        raise _in_one_line(error, f"-o {error.found}", "%%omp_watch -o seen") from None
    except RequestError as error:
        example = "%%omp_watch --memory 8GB"
        if memory != error.found:
            example = "%%omp_watch --interval 0.5"
        raise _in_one_line(error, error.found, example) from None
    around = _shown(shell, recording, options.output)
    return run_body(shell, around, f"omp_watch {line}".rstrip(), cell)


def _in_one_line(error: RequestError, found: str, example: str) -> UsageError:
    return UsageError(f"omp_watch: {wrong(f'found {found!a}', error.accepted, example)}")


@contextmanager
def _shown(shell: InteractiveShell, recording: watch, name: str | None) -> Iterator[None]:
    """Record, then bind the record to a name and show it."""
    seen = _entered(recording)
    if seen is not None and name is not None:
        # At once: another thread, or a callback of the cell, may read it while the cell runs.
        shell.user_ns[name] = seen
    try:
        yield
    finally:
        if seen is not None:
            with logged("not watched to the end"):
                recording.__exit__(None, None, None)
            if name is not None:
                shell.user_ns[name] = seen
            with logged("not shown"):
                show(seen)


def _entered(recording: watch) -> Watched | None:
    with logged("not watched"):
        return recording.__enter__()
    return None
