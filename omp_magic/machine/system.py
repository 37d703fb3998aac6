"""Which system this runs on, in one word."""

from __future__ import annotations

import sys

_SYSTEMS = {"darwin": "macos", "win32": "windows", "cygwin": "windows"}


def system_name() -> str:
    """Give ``"linux"``, ``"macos"`` or ``"windows"``; any other is taken for Linux' kin."""
    return _SYSTEMS.get(sys.platform, "linux")
