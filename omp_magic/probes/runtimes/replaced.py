"""Packages whose native files were replaced on disk while this process runs the old ones."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import ParseError
from ...facts.packages import Package
from ...formats.procfs import Mapped
from ...formats.spans import parse_spans
from ...knowledge.catalog import family_of
from ...machine import Machine
from ...machine.port.native import Native
from .owners import Owners
from .users import is_code

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

    Every installer makes a package's own folder anew (pip, uv) or replaces files in it (conda,
    its __init__.py at least), which changes the folder's inode or its time of modification. So
    a look costs one stat a package (8 for scikit-learn with all it imports, not one for each of
    190 files), and files are compared where that changed.

    Parameters
    ----------
    machine, native
        The process; without `native` nothing can be found.
    """

    def __init__(self, machine: Machine, native: Native | None) -> None:
        self._machine = machine
        self._native = native
        self._mapped: tuple[Mapped, ...] | None = None
        self._tops: dict[str, list[_Place]] = {}
        self.by_module: dict[str, str] = {}
        """The packages that have brought native files, by module; the same dict all the time."""
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
            self._tops = _by_top(mapped, self._native)
            tops = {os.path.basename(top): top for top in self._tops}
            self.by_module.update(tops)
            for gone in self.by_module.keys() - tops.keys():
                del self.by_module[gone]
        stirred = [top for top in self._tops if self._is_stirred(top)]
        for top in self._tops if fresh else stirred:
            self._changed[top] = self._compared(top)
        changed = {
            path: new for top in self._tops for path, new in self._changed.get(top, {}).items()
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

    def was_touched(self, module: str) -> bool:
        """Tell whether a loaded package was changed, or its folder since the last look; 2 us."""
        top = self.by_module.get(module)
        if top is None:
            return False
        stirred = self._machine.inode_and_time_of(top) != self._times.get(top)
        return stirred or any(self._changed.get(top, {}).values())

    def _is_stirred(self, top: str) -> bool:
        now = self._machine.inode_and_time_of(top)
        before = self._times.get(top, ())
        self._times[top] = now
        return now != before

    def _compared(self, top: str) -> dict[str, bool]:
        """Give the replaced files of a package, and whether their code changed."""
        changed = {}
        for place in self._tops[top]:
            try:
                inode = self._machine.inode_of(place.path)
            except OSError:
                continue  # it cannot be looked at: not known to be replaced
            if place.inode and inode != place.inode:
                changed[place.path] = inode is None or not self._same_code(place)
        return changed

    def _same_code(self, place: _Place) -> bool:
        """Tell whether the code in memory is the code in the file that is there now.

        Code is never written to while it is loaded: it is position independent. A file of the
        same version that was installed again is equal.
        """
        try:
            memory = parse_spans(self._machine.read_memory(place.base, _HEADER_BYTES))
            with open(self._machine.path(place.path), "rb") as file:
                if parse_spans(file.read(_HEADER_BYTES)) != memory:
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
        places = [place for places in self._tops.values() for place in places]
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


def _by_top(mapped: tuple[Mapped, ...], native: Native) -> dict[str, list[_Place]]:
    """Give the native files that packages brought, by what stands beside other packages."""
    found = {path for path in sys.path if path.endswith("-packages")}
    every = found | set(map(os.path.realpath, found))
    roots = tuple(root.replace(os.sep, "/").rstrip("/") + "/" for root in every)
    tops: dict[str, list[_Place]] = defaultdict(list)
    for file in mapped:
        if not is_code(file.file_name):
            continue
        path = file.path
        if file.deleted or "/~" in path:
            path = os.path.normpath(native.path_of(file.starts[0]) or path)
        root = next((root for root in roots if path.startswith(root)), None)
        if root is not None:
            top = root + path[len(root) :].split("/", 1)[0]
            tops[top].append(_Place(path, top, file.starts[0], file.inode))
    return dict(tops)


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
        brings=_brought(files),
        paths=tuple((others or [path for path in paths if path in changed])[:_MOST_PATHS]),
    )


def _brought(files: dict[str, list[str]]) -> tuple[str, ...]:
    """Give the runtimes on disk in a package's folder of bundled libraries, NAME.libs."""
    found: list[str] = []
    for top, paths in files.items():
        mapped = {os.path.basename(path) for path in paths}
        if top.endswith(".libs") and os.path.isdir(top):
            names = (name for name in os.listdir(top) if family_of(name) is not None)
            found.extend(name for name in sorted(names) if name not in mapped)
    return tuple(found)


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
