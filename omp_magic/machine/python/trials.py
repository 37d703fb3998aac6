"""What a process needs of its system that tries something dangerous, and who watches it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_PARENT_DEATH = 1
_LINUX = sys.platform.startswith("linux")


def why_no_trials() -> str:
    """Give why no child can be watched here; "" where one can.

    Windows hands no pipes on by their numbers, and has no process groups to end.
    """
    return "" if os.name == "posix" else "a child cannot be watched on Windows"


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when the one that asks is gone, on Linux (prctl(2))."""
    if not _LINUX:
        return
    import signal  # noqa: PLC0415 - Linux only

    ctypes.CDLL(None).prctl(_PARENT_DEATH, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def leave_no_core() -> None:
    """Let a crash leave no core file in the user's folder."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - there is none on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has ended, without waiting for it: its number stays its own."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    try:
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, how) is not None
    except ChildProcessError:
        return True


def with_variable(text: bytes) -> Iterator[int]:
    """Give the processes that have inherited a variable, ``NAME=value``; () where it is not told.

    One that has ended has none any more.
    """
    if not _LINUX:
        return
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as environ:
                if text in environ.read().split(b"\0"):
                    yield int(name)


def map_of(pid: int) -> str:
    """Give the text of a child's map; "" where there is none."""
    with suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return maps.read()
    return ""
