"""Keys as they are pressed, one by one, in a terminal that is given back as it was."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STEP_S = 0.05


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Give a function that waits so many seconds for a key; it gives "" when none was pressed.

    Where stdin is no terminal it only waits. Ctrl-C raises KeyboardInterrupt as ever; however this
    ends, the terminal has its modes back (termios(3), tcsetattr).
    """
    try:
        terminal = sys.stdin is not None and sys.stdin.isatty()
    except (AttributeError, ValueError):
        terminal = False
    if not terminal:
        yield _only_wait
        return
    if sys.platform == "win32":
        yield _windows
        return
    import select  # noqa: PLC0415 - Windows selects sockets alone
    import termios  # noqa: PLC0415 - Windows has none
    import tty  # noqa: PLC0415 - Windows has none

    handle = sys.stdin.fileno()
    kept = termios.tcgetattr(handle)

    def wait(timeout_s: float) -> str:
        ready, _, _ = select.select([handle], [], [], timeout_s)
        return sys.stdin.read(1) if ready else ""

    try:
        # Before another thread or a signal can come between: cbreak leaves Ctrl-C as it is.
        tty.setcbreak(handle)
        yield wait
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, kept)


def _only_wait(timeout_s: float) -> str:
    time.sleep(timeout_s)
    return ""


def _windows(timeout_s: float) -> str:
    """Ask the console (msvcrt, kbhit and getwch)."""
    import msvcrt  # noqa: PLC0415 - Windows alone has it

    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]  # Windows has it
            return str(msvcrt.getwch())  # type: ignore[attr-defined,unused-ignore]  # as above
        time.sleep(_STEP_S)
    return ""
