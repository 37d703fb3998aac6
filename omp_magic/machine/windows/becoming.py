"""A program as a child that lives and ends with this process."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

_KILL_ON_CLOSE, _SILENT_BREAKAWAY = 0x2000, 0x1000
_EXTENDED_LIMITS = 9


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION of winnt.h."""

    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program as a child and give its exit code; see `machine.becoming.become`.

    Handles that may be inherited are: ipykernel waits for an event of its parent's, whose number is
    in its environment. Ctrl-C and Ctrl-Break reach the child from the console itself, so this
    process only goes on waiting. CPython's own launcher does the same (PC/launcher.c, run_child).

    Raises
    ------
    OSError
        When it cannot be started.
    """
    for name in ("SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: None)
    # CreateProcess looks on our PATH and for .exe alone: npm's programs are .cmd.
    path = next((text for name, text in environ.items() if name.upper() == "PATH"), None)
    found = shutil.which(command[0], path=path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    child = subprocess.Popen(  # noqa: S603 - what was asked for
        [found, *command[1:]], env=dict(environ), close_fds=False
    )
    # The job ends when its last handle is closed, which this process's end does.
    _end_with_us(int(getattr(child, "_handle", 0)))
    return child.wait()


def _end_with_us(child: int) -> None:
    """Put a child into a job that ends with this process, where one can be made."""
    kernel32 = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - unknown to type checkers elsewhere
    kernel32.CreateJobObjectW.restype = ctypes.c_void_p
    job = kernel32.CreateJobObjectW(None, None)
    if not job:
        return
    limits = _ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = _KILL_ON_CLOSE | _SILENT_BREAKAWAY
    size = ctypes.sizeof(limits)
    handle = ctypes.c_void_p(job)
    kernel32.SetInformationJobObject(handle, _EXTENDED_LIMITS, ctypes.byref(limits), size)
    kernel32.AssignProcessToJobObject(handle, ctypes.c_void_p(child))
