"""Whether a cell runs, and the way to the main thread from whichever thread a click comes on."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOG = logging.getLogger("omp_magic")


def sends_by_itself(shell: InteractiveShell) -> bool:
    """Tell whether a thread's messages are shown: not in a terminal, nor in Colab (#3373)."""
    return hasattr(shell, "kernel") and "google.colab" not in sys.modules


class MainThread:
    """The main thread of a shell, which runs its cells. Make it in a cell.

    Parameters
    ----------
    shell
        The shell whose cells run.
    ended
        Called on the main thread when a cell has ended, after what waited for that.
    """

    def __init__(self, shell: InteractiveShell, ended: Callable[[], None]) -> None:
        self._shell, self._ended = shell, ended
        self._queue: deque[Callable[[], None]] = deque()
        self._depth, self._last = 1, "idle"
        self._cell_s: float | None = time.monotonic()
        self._context = contextvars.copy_context()
        """Of the cells: a limit that one of them has entered holds there."""
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self.listen()

    def listen(self) -> None:
        """Be told where cells begin and end, after all who are told by now."""
        self.end()
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    @property
    def busy(self) -> bool:
        """Whether a cell runs."""
        return self._depth > 0

    @property
    def cell(self) -> str:
        """What the shell does."""
        began_s = self._cell_s
        if began_s is None:
            return self._last
        # shell.execution_count is the next cell's from IPython 9 on, while this one runs.
        result = getattr(self._shell.displayhook, "exec_result", None)
        number = getattr(result, "execution_count", None)
        what = "a cell" if number is None else f"cell [{number}]"
        return f"{what} running {time.monotonic() - began_s:.0f} s"

    def place(self) -> tuple[str, str]:
        """Give the cell that runs as its front-end names it, and which run of it this is.

        Either is "" where that is not told: a terminal has no messages, and nbclient's have no
        cellId.
        """
        message = getattr(self._shell, "parent_header", None) or {}
        cell, run = message.get("metadata", {}), message.get("header", {})
        return str(cell.get("cellId", "")), str(run.get("msg_id", ""))

    def run(self, action: Callable[[], None]) -> bool:
        """Run something on the main thread: now when it is idle, else when the cell has ended.

        Returns
        -------
        bool
            Whether it has been run, or will be at once.
        """
        if self.busy:
            self._queue.append(action)
            return False
        if threading.current_thread() is threading.main_thread():
            self._context.run(action)
        elif self._loop is not None and self._loop.is_running():
            self._queue.append(action)
            # Else it would have the context of the thread that calls here.
            self._loop.call_soon_threadsafe(self._when_idle, context=self._context)
        else:
            self._queue.append(action)
            return False
        return True

    def end(self) -> None:
        """Let go of the shell."""
        ours = {"pre_run_cell": self._before_cell, "post_run_cell": self._after_cell}
        for event, function in ours.items():
            if function in self._shell.events.callbacks[event]:
                self._shell.events.unregister(event, function)

    def _before_cell(self, *_: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth += 1
            if self._depth == 1:
                self._drain()
                self._cell_s = time.monotonic()

    def _after_cell(self, result: Any = None) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth = max(0, self._depth - 1)
        if self._depth:
            return
        self._context = contextvars.copy_context()
        began_s, self._cell_s = self._cell_s, None
        number = getattr(result, "execution_count", None)
        if began_s is not None and number is not None:
            self._last = f"idle · cell [{number}] took {time.monotonic() - began_s:.1f} s"
        self._drain()
        try:
            self._ended()
        except Exception as error:  # noqa: BLE001 - law 7: our failure never breaks the user's cell
            _LOG.warning("omp_magic: the dashboard was not brought up to date (%s)", error)

    def _when_idle(self) -> None:
        # A cell may have begun meanwhile, and wait in an await: its end drains the queue then.
        if not self.busy:
            self._drain()

    def _drain(self) -> None:
        while self._queue:
            try:
                self._queue.popleft()()
            except Exception as error:  # noqa: BLE001 - as above; the panel says what it could not
                _LOG.info("omp_magic: not done (%s: %s)", type(error).__name__, error)
