"""Which installed distribution shipped a file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ...machine import Machine
from ...machine.python.own import real_path
from .shelves import Shelves, normal

if TYPE_CHECKING:
    from importlib import metadata


class Owner(NamedTuple):
    """The distribution that shipped a file.

    Parameters
    ----------
    name, version
        As its metadata give them; None when no distribution lists the file.
    """

    name: str | None = None
    version: str | None = None


class Owners:
    """Looks files up in the RECORD of every distribution, and in conda's metadata.

    Answers are kept by path. One search reads every RECORD of the environment once, for all
    new paths together (3 ms for NumPy's, 30 ms for PyTorch's).

    Parameters
    ----------
    machine
        The machine. The running process knows its ``sys.path``; another one's is told by paths.
    """

    def __init__(self, machine: Machine) -> None:
        self._live = machine.live
        self._shelves = Shelves(machine) if machine.runs and not machine.live else None
        self._machine = machine
        self._known: dict[str, Owner] = {}

    def of(self, paths: Iterable[str]) -> dict[str, Owner]:
        """Give, for each path, the distribution that shipped the file."""
        wanted = tuple(paths)
        new = [path for path in wanted if path not in self._known]
        if new:
            self._known.update(dict.fromkeys(new, Owner()))
            if self._shelves is not None:
                self._ask(self._shelves, new)
            if self._live:
                self._search({real_path(path): path for path in new})
                left = [path for path in new if self._known[path].name is None]
                self._search_conda(left, sys.prefix)
        return {path: self._known[path] for path in wanted}

    def _ask(self, shelves: Shelves, new: list[str]) -> None:
        """Look into the environment of another process."""
        likely = [_named_by_folder(path) or _named_by_package(path) for path in new]
        for path, (name, version) in shelves.shippers(new, likely):
            self._known[path] = Owner(name, version)
        for path in new:
            if self._known[path].name is None:
                prefix = shelves.prefix_of(path)
                if prefix:
                    self._search_conda([path], prefix)

    def _search(self, new: dict[str, str]) -> None:
        """Ask the distribution that the path names, and all of them where that one does not know.

        Reading every RECORD takes 50 ms with 150 distributions, and an import that is limited
        waits for it; a distribution that is asked by its name takes 1 ms.
        """
        # Imported here: 15 ms that a kernel without native libraries never pays.
        from importlib import metadata  # noqa: PLC0415

        left = dict(new)
        for real, path in new.items():
            name = _named_by_folder(path) or _named_by_package(path)
            if name is not None:
                with suppress(metadata.PackageNotFoundError):
                    self._look_into(metadata.distribution(name), {real: path})
            if self._known[path].version is not None:
                del left[real]
        if left:
            self._search_distributions(left)

    def _search_distributions(self, new: dict[str, str]) -> None:
        from importlib import metadata  # noqa: PLC0415 - as above

        folders = {path: name for path in new.values() if (name := _named_by_folder(path))}
        for dist in metadata.distributions():
            if folders:
                self._note_folders(dist, folders)
            self._look_into(dist, new)

    def _look_into(self, dist: metadata.Distribution, new: dict[str, str]) -> None:
        """Know the owner of those of the files that a distribution lists."""
        names = {os.path.basename(path) for path in (*new, *new.values())}
        record = dist.read_text("RECORD") or dist.read_text("installed-files.txt") or ""
        if not any(name in record for name in names):
            return
        for listed in _listed(dist, record, names):
            path = new.get(real_path(listed))
            if path is not None and self._known[path].version is None:
                self._known[path] = Owner(dist.metadata["Name"], dist.version)

    def _note_folders(self, dist: metadata.Distribution, folders: dict[str, str]) -> None:
        """Know the owner of a file that an upgrade took out of RECORD, by its folder's name.

        auditwheel and delvewheel put what they bundle into NAME.libs beside the packages.
        """
        name = dist.metadata["Name"] or ""
        for path, folder in folders.items():
            if normal(name) == folder and self._known[path].name is None:
                self._known[path] = Owner(name)

    def _search_conda(self, new: list[str], prefix: str) -> None:
        """Search PREFIX/conda-meta/*.json, which name files relative to PREFIX."""
        folder = self._machine.path(os.path.join(prefix, "conda-meta"))
        below = {
            f'"{os.path.relpath(path, prefix).replace(os.sep, "/")}"': path
            for path in new
            if os.path.normcase(path).startswith(os.path.normcase(prefix + os.sep))
        }
        if not below or not os.path.isdir(folder):
            return
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".json"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            for quoted, path in below.items():
                if quoted in text:
                    # The file is called NAME-VERSION-BUILD.json; NAME may hold hyphens.
                    self._known[path] = Owner(*name.rsplit("-", 2)[:2])


def _listed(dist: metadata.Distribution, record: str, names: set[str]) -> Iterable[str]:
    """Give the full paths of the record's lines that end in one of `names`."""
    root = os.fspath(str(dist.locate_file("")))
    for line in record.split("\n"):
        relative = line.split(",", 1)[0].strip('"')
        if relative.rpartition("/")[2] in names:
            yield os.path.join(root, relative)


def _named_by_folder(path: str) -> str | None:
    match = re.search(r"[/\\]([^/\\]+)\.libs[/\\][^/\\]+$", path)
    return normal(match[1]) if match else None


def _named_by_package(path: str) -> str | None:
    """Give the name of the folder in site-packages, which often is the distribution's."""
    match = re.search(r"[/\\](?:site|dist)-packages[/\\]([^/\\]+)[/\\]", path)
    return normal(match[1]) if match else None
