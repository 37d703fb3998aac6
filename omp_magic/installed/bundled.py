"""Where tools that repair wheels put libraries outside of a package's folder, each its own way."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

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
    places = _PLACES[binary.system](name, path, binary, package, files)
    return next((each for each in places if files.is_file(each)), None)


def _of_auditwheel(
    name: str, path: str, binary: Binary, _package: str, files: Files
) -> Iterator[str]:
    """Give where the requester's DT_RPATH or DT_RUNPATH leads."""
    found = beside_elf(name, path, binary, files)
    if found is not None:
        yield found


def _of_delocate(
    name: str, path: str, binary: Binary, _package: str, _files: Files
) -> Iterator[str]:
    """Give where delocate's names lead: they say the place from the requester on."""
    here = os.path.dirname(path)
    if name.startswith("@loader_path/"):
        yield os.path.normpath(here + name[12:])
    for rpath in binary.rpaths if name.startswith("@rpath/") else ():
        if rpath.split("/", 1)[0] == "@loader_path":
            yield os.path.normpath(here + rpath[12:] + name[6:])


def _of_delvewheel(
    name: str, path: str, _binary: Binary, package: str, files: Files
) -> Iterator[str]:
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


_PLACES: dict[str, Callable[[str, str, Binary, str, Files], Iterator[str]]] = {
    "linux": _of_auditwheel,
    "macos": _of_delocate,
    "windows": _of_delvewheel,
}
"""By the form of the requester."""
