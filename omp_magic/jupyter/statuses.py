"""``%omp_status``: the status now, what changed since the last one, and what a cell changed.

Nothing is remembered but the last status that was asked for, and nothing is looked at before a
cell that did not ask for it: a cell without a magic of ours costs nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..api import snapshot
from ..facts.differences import Difference
from ..facts.snapshots import Snapshot
from .asking import wrong_use
from .cellbody import run_body
from .showing import show

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

_LOG = logging.getLogger("omp_magic")
_FLAGS = ("cpus", "env", "threads", "workers", "json")
_NONE_BEFORE = (
    "omp_status: no status was shown in this kernel before; here is one, and from now on --since "
    "compares with it"
)


class Statuses:
    """The statuses of one shell.

    Parameters
    ----------
    shell
        The shell whose cells ask.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._last: tuple[str, Snapshot] | None = None

    def answer(self, options: Namespace) -> Snapshot | Difference:
        """Give what a line asks for.

        Raises
        ------
        UsageError
            When ``--since`` names something else than a snapshot.
        """
        if options.since is None:
            return self._taken(options)
        if options.since:
            return self._named(options.since).diff(snapshot(), options.since)
        if self._last is None:
            print(_NONE_BEFORE)
            return self._taken(options)
        when, last = self._last
        return last.diff(snapshot(), when)

    def run(self, line: str, cell: str) -> Any:
        """Run a cell, and show what it changed when it has ended, however it ends.

        Raises
        ------
        UsageError
            When something stands on the magic's line.
        """
        __tracebackhide__ = True
        if line.strip():
            found = f"found {line.strip()} with a cell"
            example = "%%omp_status, and the cell below"
            raise UsageError(wrong_use("omp_status", found, "nothing on its line", example))
        return run_body(self._shell, _compared(), "omp_status", cell)

    def _taken(self, options: Namespace) -> Snapshot:
        shown = {name for name in _FLAGS if getattr(options, name)}
        if options.probe:
            shown.add("cpus")
        facts = snapshot(threads=options.threads, measure=options.probe, shown=frozenset(shown))
        self._last = f"%omp_status in {self._cell()}, {time.strftime('%H:%M:%S')}", facts
        return facts

    def _named(self, name: str) -> Snapshot:
        found = self._shell.user_ns.get(name)
        if isinstance(found, Snapshot):
            return found
        told = f"found --since {name}, which is no snapshot"
        accepted = (
            "--since alone for the last %omp_status, or the name of a snapshot; %%omp_status as a "
            "cell's first line compares with the start of that cell"
        )
        raise UsageError(wrong_use("omp_status", told, accepted, "%omp_status --since"))

    def _cell(self) -> str:
        """Give which cell runs; shell.execution_count is the next one's from IPython 9 on."""
        result = getattr(self._shell.displayhook, "exec_result", None)
        return f"cell {getattr(result, 'execution_count', None) or self._shell.execution_count}"


@contextmanager
def _compared() -> Iterator[None]:
    """Look before and after, and show what is no longer as it was."""
    before = _looked()
    try:
        yield
    finally:
        after = _looked() if before is not None else None
        if before is not None and after is not None:
            try:
                show(before.diff(after, "the start of this cell"))
            except Exception as error:  # noqa: BLE001 - law 7: the user's cell has run
                _LOG.warning("omp_magic: not shown (%s: %s)", type(error).__name__, error)


def _looked() -> Snapshot | None:
    try:
        return snapshot()
    except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
        _LOG.warning("omp_magic: not looked (%s: %s)", type(error).__name__, error)
        return None
