"""Which system this runs on, in one word."""

from __future__ import annotations

import os
import sys

_WINDOWS_CPUS = {"win-amd64": "x86_64", "win-arm64": "arm64"}
_SYSTEMS = {"darwin": "macos", "win32": "windows", "cygwin": "windows"}


def cpu_name() -> str:
    """Give the processor that this interpreter is made for, ``"x86_64"`` for one.

    On Windows platform.machine() imports socket, which would be half there while an extension
    module of its own is looked at; and it tells the machine's, not that of an emulated process.
    """
    if sys.platform == "win32":
        import sysconfig  # noqa: PLC0415 - loading must stay cheap

        return _WINDOWS_CPUS.get(sysconfig.get_platform(), "x86")
    return os.uname().machine.lower()


def system_name() -> str:
    """Give ``"linux"``, ``"macos"`` or ``"windows"``; any other is taken for Linux' kin."""
    return _SYSTEMS.get(sys.platform, "linux")
