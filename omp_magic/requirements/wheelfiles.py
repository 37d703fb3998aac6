"""Wheels as one tree of files, laid out as pip would install them; nothing is unpacked."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from ..errors import ParseError
from ..facts.libraries import Gap
from ..facts.targets import Target
from ..formats.binaries import Binary
from .filefacts import KeptFacts
from .members import Member, members_of
from .pins import RequirementsError

PREFIX = "/target"
"""The environment that the wheels would be installed into."""
_DATA = re.compile(r"^[^/]+\.data/(purelib|platlib|data|scripts|headers)/(.+)$")
_RECORD = re.compile(r"^[^/]+\.dist-info/RECORD$")
_MOST_SEARCHED_BYTES = 32 << 20
_MOST_DEPTH = 64
_SCHEMES = {
    "posix": {
        "purelib": "lib/{version}/site-packages",
        "platlib": "lib/{version}/site-packages",
        "data": "",
        "scripts": "bin",
        "headers": "include/site/{version}",
    },
    "nt": {
        "purelib": "Lib/site-packages",
        "platlib": "Lib/site-packages",
        "data": "",
        "scripts": "Scripts",
        "headers": "include",
    },
}
"""By ``os.name``: folders of an environment as sysconfig's schemes posix_prefix and nt have them,
and that of headers as pip has it (pip/_internal/locations/_sysconfig.py).
"""


class WheelFiles:
    """Files of several wheels below `PREFIX`; see `omp_magic.loader.files.Files`.

    Parameters
    ----------
    wheels
        Paths of the wheels. A file that two of them have is that of the later one, as with pip.
    target
        The system, which decides where site-packages is and whether case matters.
    cache
        Where facts of files of machine code are kept for the next run; None for nowhere.
    """

    def __init__(self, wheels: Iterable[str], target: Target, *, cache: str | None = None) -> None:
        self.target = target
        self._layout = Layout(target)
        self._kept = KeptFacts(cache)
        self._files: dict[str, Member] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._records: dict[str, list[str]] = {}
        self._numbers: dict[str, int] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._searched: dict[tuple[object, ...], bool] = {}
        unknown = []
        for wheel in wheels:
            try:
                self._add(wheel)
            except RequirementsError as error:
                what = os.path.basename(wheel)
                unknown.append(Gap(what=what, why=str(error), where=wheel))
        self.unknown = tuple(unknown)

    @property
    def site(self) -> str:
        """Path of site-packages."""
        return self._layout.site

    @property
    def prefix(self) -> str:
        """Path of the environment."""
        return PREFIX

    def stamp(self, path: str) -> tuple[int, int] | None:
        """See `Files.stamp`."""
        key = self._key(path)
        member = self._files.get(key)
        if member is not None:
            return member.crc, member.size_bytes
        return (0, len(self._names[key])) if key in self._names else None

    def names(self, folder: str) -> Sequence[str]:
        """See `Files.names`."""
        return tuple(self._names.get(self._key(folder), {}).values())

    def is_file(self, path: str) -> bool:
        """See `Files.is_file`."""
        return self._key(path) in self._files

    def is_folder(self, path: str) -> bool:
        """See `Files.is_folder`."""
        return self._key(path) in self._names

    def real(self, path: str) -> str:
        """See `Files.real`; wheels have no links, but a case that may be written otherwise."""
        path = posixpath.normpath(path)
        if not self.target.folds_case:
            return path
        found, key = "", ""
        for part in path.strip("/").split("/"):
            name = self._names.get(key or "/", {}).get(self._case(part), part)
            found, key = f"{found}/{name}", f"{key}/{self._case(part)}"
        return found

    def identity(self, path: str) -> tuple[int, int] | None:
        """See `Files.identity`; of no file on a disk, whose devices are no negative numbers."""
        key = self._key(path)
        member = self._files.get(key)
        if member is not None:
            return -1 - self._numbers[member.wheel], member.offset
        if key not in self._names:
            return None
        return self._places.setdefault(key, (-1_000_000, len(self._places)))

    def read(self, path: str, most_bytes: int) -> bytes:
        """See `Files.read`."""
        key = self._key(path)
        if key in self._records:
            return self._record(key)[:most_bytes]
        return self._member(path).read(most_bytes)

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """See `Files.binaries`."""
        facts = self._kept.of(self._member(path))
        if facts.error:
            raise ParseError(*facts.error)
        return facts.binaries

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:
        """See `Files.texts`."""
        try:
            found = dict(self._kept.of(self._member(path)).texts)
        except OSError:
            return ()
        return found.get(cpu, found.get("", ()))

    def holds(self, path: str, *marks: bytes) -> bool:
        """See `Files.holds`."""
        key = (self._key(path), *marks)
        if key not in self._searched:
            self._searched[key] = self._holds(path, marks)
        return self._searched[key]

    def _holds(self, path: str, marks: tuple[bytes, ...]) -> bool:
        try:
            member = self._member(path)
            if member.size_bytes > _MOST_SEARCHED_BYTES:
                return False
            with member.mapped(self._kept.scratch) as data:
                return all(data.find(mark) >= 0 for mark in marks)
        except OSError:
            return False

    def _member(self, path: str) -> Member:
        member = self._files.get(self._key(path))
        if member is None:
            raise FileNotFoundError(2, "no such file in the wheels", path)
        return member

    def _case(self, text: str) -> str:
        return text.lower() if self.target.folds_case else text

    def _key(self, path: str) -> str:
        return self._case(posixpath.normpath(path))

    def _add(self, wheel: str) -> None:
        self._numbers[wheel] = len(self._numbers)
        members = members_of(wheel)
        placed = [(self._layout.place(each.name), each) for each in members]
        record = next((path for path, each in placed if _RECORD.match(each.name)), None)
        for path, member in placed:
            if path.count("/") > _MOST_DEPTH:
                continue
            self._files[self._key(path)] = member
            self._enter(path)
        if record is not None:
            self._records[self._key(record)] = [path for path, _ in placed]

    def _enter(self, path: str) -> None:
        """Enter a file's name into its folder, and that folder's into its own."""
        while True:
            folder, _, name = path.rpartition("/")
            key = self._case(folder) or "/"
            known = key in self._names
            self._names.setdefault(key, {}).setdefault(self._case(name), name)
            if known or not folder:
                return
            path = folder

    def _record(self, key: str) -> bytes:
        """Give RECORD as pip writes it: with the places that the files come to."""
        lines = []
        for path in self._records[key]:
            shown = posixpath.relpath(path, self.site)
            if re.search(r'[",\r\n]', shown):
                shown = '"' + shown.replace('"', '""') + '"'
            lines.append(f"{shown},,\n")
        return "".join(lines).encode("utf-8", "surrogateescape")


class Layout:
    """Where pip puts the files of a wheel (packaging.python.org, "Binary distribution format").

    Parameters
    ----------
    target
        The system and its Python.
    """

    def __init__(self, target: Target) -> None:
        version = f"python{target.python[0]}.{target.python[1]}"
        self._schemes = {
            name: posixpath.normpath(f"{PREFIX}/{folder.format(version=version)}")
            for name, folder in _SCHEMES[target.os_name].items()
        }
        self.site = self._schemes["purelib"]

    def place(self, name: str) -> str:
        """Give where a member comes to."""
        found = _DATA.match(name)
        if found is None:
            return posixpath.normpath(f"{self.site}/{name}")
        return posixpath.normpath(f"{self._schemes[found[1]]}/{found[2]}")


def wheel_files(wheel: str, target: Target) -> Iterator[str]:
    """Give where the files of one wheel come to, relative to site-packages.

    Raises
    ------
    RequirementsError
        When it is no whole archive.
    """
    layout = Layout(target)
    for member in members_of(wheel):
        yield posixpath.relpath(layout.place(member.name), layout.site)
