"""Where tools that repair wheels put libraries outside of a package's folder, on each system."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ..formats.binaries import Binary
from ..loader.files import Files
from ..loader.glibc import beside as beside_elf

_MANGLED = re.compile(r".+-[0-9a-f]{32}\.dll$", re.IGNORECASE)
"""A name that delvewheel has made, which no other file has."""


def beside(name: str, path: str, binary: Binary, package: str, files: Files) -> str | None:
    """Give the file that a name leads to beside its requester or its package, or None.

    Parameters
    ----------
    name
        As it is asked for.
    path, binary
        The requester.
    package
        Folder of the package.
    files
        What is seen with.
    """
    if binary.system == "linux":
        return beside_elf(name, path, binary, files)
    places = (
        _on_macos(name, path, binary)
        if binary.system == "macos"
        else _on_windows(name, path, package, files)
    )
    return next((each for each in places if files.is_file(each)), None)


def _on_macos(name: str, path: str, binary: Binary) -> Iterator[str]:
    """Give where delocate's names lead: they say the place from the requester on."""
    here = os.path.dirname(path)
    if name.startswith("@loader_path/"):
        yield os.path.normpath(here + name[12:])
    for rpath in binary.rpaths if name.startswith("@rpath/") else ():
        if rpath.split("/", 1)[0] == "@loader_path":
            yield os.path.normpath(here + rpath[12:] + name[6:])


def _on_windows(name: str, path: str, package: str, files: Files) -> Iterator[str]:
    """Give the requester's folder, then the package's NAME.libs of delvewheel."""
    parent, package_name = os.path.split(os.path.normpath(package))
    beside_it = [
        each
        for each in files.names(parent)
        if each.endswith(".libs") and (_MANGLED.match(name) or each == f"{package_name}.libs")
    ]
    for folder in (os.path.dirname(path), *(os.path.join(parent, each) for each in beside_it)):
        for each in files.names(folder):
            if each.lower() == name.lower():
                yield os.path.join(folder, each)
