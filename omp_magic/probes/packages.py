"""Packages whose native files were replaced on disk while this process runs the old ones."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..elf import parse_segments
from ..errors import ParseError
from ..machine import Machine
from ..native import Native
from ..processes import Package
from ..procfs import Mapped
from .owners import Owners

_HEADER_BYTES = 4096
_COMPARED_BYTES = 1024 * 1024
_MOST_PATHS = 3


@dataclass(frozen=True, slots=True)
class _Place:
    """A mapped file by the path it was loaded by, and its package's folder."""

    path: str
    top: str
    base: int
    inode: int


class PackageProbe:
    """Finds packages that an installer changed below a running process.

    An installer that puts a file into a folder, or another folder in its place, changes the
    folder's inode or its time of modification. So a look costs one stat a folder (25 for
    scikit-learn, not one for each of 190 files), and files are compared where a folder changed.

    Parameters
    ----------
    machine, native
        The process; without `native` nothing can be found.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native
        self._mapped: tuple[Mapped, ...] | None = None
        self._folders: dict[str, list[_Place]] = {}
        self._times: dict[str, tuple[int, int] | None] = {}
        self._changed: dict[str, dict[str, bool]] = {}
        self._groups: dict[str, dict[str, list[str]]] = {}

    def look(self, mapped: tuple[Mapped, ...]) -> tuple[Package, ...]:
        """Give the packages that were replaced.

        Parameters
        ----------
        mapped
            Every mapped file, from `LibraryProbe.scan`; the same object when nothing changed.
        """
        if self._native is None:
            return ()
        fresh = mapped is not self._mapped
        if fresh:
            self._mapped = mapped
            self._folders = _by_folder(mapped, self._native)
        stirred = [folder for folder in self._folders if self._is_stirred(folder)]
        for folder in self._folders if fresh else stirred:
            self._changed[folder] = self._compared(folder)
        changed = {
            path: new
            for folder in self._folders
            for path, new in self._changed.get(folder, {}).items()
        }
        if not changed:
            return ()
        if fresh or stirred:
            self._groups = self._grouped()
        # A module that is reloaded reports another version, so that is asked every time.
        return tuple(
            _package(name, files, changed)
            for name, files in sorted(self._groups.items())
            if any(not changed.keys().isdisjoint(paths) for paths in files.values())
        )

    def _is_stirred(self, folder: str) -> bool:
        now = self._machine.folder_time(folder)
        before = self._times.get(folder, ())
        self._times[folder] = now
        return now != before

    def _compared(self, folder: str) -> dict[str, bool]:
        """Give the replaced files of a folder, and whether their code changed."""
        changed = {}
        for place in self._folders[folder]:
            try:
                inode = self._machine.inode_of(place.path)
            except OSError:
                continue  # it cannot be looked at: not known to be replaced
            if inode != place.inode:
                changed[place.path] = inode is None or not self._same_code(place)
        return changed

    def _same_code(self, place: _Place) -> bool:
        """Tell whether the code in memory is the code in the file that is there now.

        Code is never written to while it is loaded: it is position independent. A file of the
        same version that was installed again is equal.
        """
        try:
            memory = parse_segments(self._machine.read_memory(place.base, _HEADER_BYTES))
            with open(self._machine.path(place.path), "rb") as file:
                if parse_segments(file.read(_HEADER_BYTES)) != memory:
                    return False
                for segment in memory:
                    if segment.executable:
                        size_bytes = min(segment.file_bytes, _COMPARED_BYTES)
                        file.seek(segment.offset)
                        start = place.base + segment.address
                        if file.read(size_bytes) != self._machine.read_memory(start, size_bytes):
                            return False
        except (OSError, ParseError):
            return False
        return True

    def _grouped(self) -> dict[str, dict[str, list[str]]]:
        """Put files together by distribution, then by folder beside other packages."""
        places = [place for places in self._folders.values() for place in places]
        owners = Owners(self._machine).of(place.path for place in places)
        names: dict[str, Counter[str]] = defaultdict(Counter)
        for place in places:
            name = owners[place.path].name
            if name is not None:
                names[place.top][name] += 1
        groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for place in places:
            # Files that the new version no longer has go with their neighbours.
            counted = names.get(place.top)
            name = counted.most_common(1)[0][0] if counted else os.path.basename(place.top)
            groups[name][place.top].append(place.path)
        return groups


def _by_folder(mapped: tuple[Mapped, ...], native: Native) -> dict[str, list[_Place]]:
    """Give the native files that packages brought, by folder."""
    found = {path for path in sys.path if path.endswith("-packages")}
    roots = tuple(os.path.join(root, "") for root in found | set(map(os.path.realpath, found)))
    folders: dict[str, list[_Place]] = defaultdict(list)
    for file in mapped:
        if ".so" not in file.file_name:
            continue
        path = file.path
        if file.deleted or "/~" in path:
            path = os.path.normpath(native.path_of(file.starts[0]) or path)
        root = next((root for root in roots if path.startswith(root)), None)
        if root is not None:
            top = root + path[len(root) :].split("/", 1)[0]
            place = _Place(path, top, file.starts[0], file.inode)
            folders[os.path.dirname(path)].append(place)
    return dict(folders)


def _package(name: str, files: dict[str, list[str]], changed: dict[str, bool]) -> Package:
    paths = [path for group in files.values() for path in group]
    others = [path for path in paths if changed.get(path)]
    return Package(
        name=name,
        reported=_reported(files),
        installed=_installed(name),
        mapped_files=len(paths),
        replaced_files=sum(path in changed for path in paths),
        changed_files=len(others),
        folders=tuple(sorted(files)),
        paths=tuple((others or [path for path in paths if path in changed])[:_MOST_PATHS]),
    )


def _reported(folders: Iterable[str]) -> str | None:
    for folder in folders:
        version = getattr(sys.modules.get(os.path.basename(folder)), "__version__", None)
        if isinstance(version, str):
            return version
    return None


def _installed(name: str) -> str | None:
    from importlib import metadata  # noqa: PLC0415 - only a replaced package pays

    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
