"""Keys as they are pressed, one by one, in a terminal that is given back as it was."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

STOP = "\x1a"
"""Ctrl-Z: who waits for keys gives the terminal back, and calls `stop`."""
END = "\x04"
"""Ctrl-D, and what is given where the terminal is gone."""
_ESCAPE = "\x1b"
_MOST_BYTES = 256
_STEP_S = 0.05
_TOLD_TO_END = ("SIGTERM", "SIGHUP")


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Give a function that waits so many seconds for a key; it gives "" when none was pressed.

    Where stdin is no terminal it only waits. Ctrl-C raises KeyboardInterrupt as ever; however this
    ends, by a signal too, the terminal has its modes back (termios(3), tcsetattr).
    """
    try:
        terminal = sys.stdin is not None and sys.stdin.isatty()
    except (AttributeError, ValueError):
        terminal = False
    with _ended_by_signals():
        if not terminal:
            yield _only_wait
        elif sys.platform == "win32":
            yield _windows
        else:
            with _unix(sys.stdin.fileno()) as wait:
                yield wait


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let what ends a process at once raise SystemExit, so that what was begun is ended."""

    def end(number: int, _frame: Any) -> NoReturn:
        raise SystemExit(128 + number)

    kept: dict[int, Any] = {}
    try:
        for name in _TOLD_TO_END:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores
                kept[number] = signal.signal(number, end)
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextmanager
def _unix(handle: int) -> Iterator[Callable[[float], str]]:
    import select  # noqa: PLC0415 - Windows selects sockets alone
    import termios  # noqa: PLC0415 - Windows has none
    import tty  # noqa: PLC0415 - Windows has none

    kept = termios.tcgetattr(handle)

    def wait(timeout_s: float) -> str:
        ready, _, _ = select.select([handle], [], [], timeout_s)
        if not ready:
            return ""
        try:
            data = os.read(handle, _MOST_BYTES)
        except OSError:  # Linux says so of a terminal whose other side was closed
            return END
        return _key(data.decode("utf-8", "replace")) if data else END

    try:
        # Before another thread or a signal can come between: cbreak leaves Ctrl-C as it is.
        tty.setcbreak(handle)
        modes = termios.tcgetattr(handle)
        modes[6][termios.VSUSP] = os.fpathconf(handle, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(handle, termios.TCSANOW, modes)  # Ctrl-Z is a key
        yield wait
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, kept)


def _key(text: str) -> str:
    """Give the first key of some; "" for arrows and a mouse's wheel, which begin with Escape."""
    return "" if text[0] == _ESCAPE and len(text) > 1 else text[0]


def stop() -> None:
    """Stop as Ctrl-Z stops a program: all of its job, until the shell lets it go on."""
    number = getattr(signal, "SIGTSTP", None)
    if number is not None:  # Windows stops nothing
        os.kill(0, number)


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
