"""Where the running system has programs keep what they can get again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from .names import system_name


class _Place(NamedTuple):
    """The variable that names the folder, or ""; and where it is without, below the user's own."""

    variable: str
    below_home: tuple[str, ...]


_PLACES = {
    "linux": _Place("XDG_CACHE_HOME", (".cache",)),
    "macos": _Place("", ("Library", "Caches")),
    "windows": _Place("LOCALAPPDATA", ("AppData", "Local")),
}


def cache_home(environ: Mapping[str, str], system: str | None = None) -> str:
    """Give the folder that the system has for caches of all programs.

    Parameters
    ----------
    environ
        The variables of this process.
    system
        ``"linux"``, ``"macos"`` or ``"windows"``; the running one when None.

    Notes
    -----
    specifications.freedesktop.org, "XDG Base Directory Specification"; developer.apple.com,
    "File System Programming Guide", Library/Caches; learn.microsoft.com, KNOWNFOLDERID,
    FOLDERID_LocalAppData.
    """
    place = _PLACES[system_name() if system is None else system]
    named = environ.get(place.variable) if place.variable else None
    return named or os.path.join(os.path.expanduser("~"), *place.below_home)
