"""Which runtimes a wheel, a folder or a file ships and needs, for Linux, macOS and Windows."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import ParseError
from ..facts.libraries import Library
from ..formats.binaries import Binary, parse_binary, parse_texts
from ..knowledge.catalog import BY_KEY, Family, family_of, static_family
from ..knowledge.manners import manners_of
from ..knowledge.registration import registers_on
from ..loader.dyld import ACCELERATE, is_accelerate
from ..loader.files import Disk
from .archives import Archive, ScanError, printable
from .bundled import beside
from .members import Members
from .variants import stem_of

__all__ = ["Need", "ScanError", "Scanned", "scan"]

_WHEEL = re.compile(r"([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-([^-]+)\.whl$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A runtime that must come from elsewhere.

    Parameters
    ----------
    name
        As it is asked for: ``libgomp.so.1``, ``@rpath/libomp.dylib``, ``VCOMP140.DLL``.
    family
        Key of `catalog.FAMILIES`.
    files
        The files that need it.
    late
        Whether all of them load it at the first call only (Windows' delay imports).
    rpaths
        Where those files look for it besides their own folder (LC_RPATH).
    """

    name: str
    family: str
    files: tuple[str, ...]
    late: bool = False
    rpaths: tuple[str, ...] = ()

    @property
    def everywhere(self) -> bool:
        """Whether every system of its kind has it."""
        return self.family == "accelerate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan found.

    Parameters
    ----------
    path
        What was scanned.
    kind
        ``"wheel"``, ``"folder"`` or ``"file"``.
    platforms
        ``"linux"``, ``"macos"``, ``"windows"``: by the form of the files, not by a tag.
    name, version
        Of the distribution, by the wheel's file name; None for others.
    ships
        Runtimes in it, those that are linked into another of its files included; `path` is the
        name inside of what was scanned.
    needs
        Runtimes that it asks for and does not ship.
    binaries
        How many files of machine code it has.
    unlinked
        Paths of those of `ships` that no file in it links; on Windows packages open such by path.
    notes
        What could not be read.
    """

    path: str
    kind: str
    platforms: tuple[str, ...]
    name: str | None
    version: str | None
    ships: tuple[Library, ...]
    needs: tuple[Need, ...]
    binaries: int
    unlinked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def libraries(self) -> tuple[Library, ...]:
        """All that it would bring, shipped or not, to be judged with ``judge(…, coming=…)``.

        A copy that nothing links is left out beside one of its kin that is linked (torch 1.13.1
        and 2.0.1 for macOS), except where packages open such (torch for Windows). Of the forms of
        one file for several processors one is taken (faiss 1.7 for macOS).
        """
        used = {each.kin for each in self.ships if each.path not in self.unlinked}
        opened = any(manners_of(each).opens_unlinked for each in self.platforms)
        brought = [
            each
            for each in self.ships
            if opened or each.path not in self.unlinked or each.kin not in used
        ]
        forms = {stem_of(each.path): each for each in reversed(brought) if each.static}
        one_of_each = [each for each in brought if forms.get(stem_of(each.path), each) is each]
        return (*one_of_each, *(self._needed(need) for need in self.needs))

    def _needed(self, need: Need) -> Library:
        missing = "not shipped: another package or the system must have it"
        return _library(
            BY_KEY[need.family],
            soname=need.name.rpartition("/")[2],
            path=need.name,
            note="the system's own" if need.everywhere else missing,
        )


@dataclass(slots=True)
class _Found:
    """What the files of a scan say, taken together as they go by."""

    owner: dict[str, Any]
    members: Members = field(default_factory=Members)
    ships: list[Library] = field(default_factory=list)
    platforms: set[str] = field(default_factory=set)
    shipped: set[str] = field(default_factory=set)
    """Names that are in it, in lower case."""
    asked: dict[str, list[tuple[str, Binary]]] = field(default_factory=dict)
    """What is asked for -> by which files."""

    def add(self, name: str, data: bytes | mmap.mmap) -> None:
        """Add a file of machine code.

        Raises
        ------
        ParseError
            When it is none, or a broken one.
        """
        binaries = parse_binary(data)
        self.members.add(name, binaries)
        file_name = name.rpartition("/")[2]
        self.shipped.add(file_name.lower())
        for binary in binaries:
            self.platforms.add(binary.system)
            self.shipped.add((binary.name or file_name).rpartition("/")[2].lower())
            for needed in {*binary.needed, *binary.delayed, *binary.forwards}:
                asked = ACCELERATE if is_accelerate(needed) else needed
                self.asked.setdefault(asked, []).append((name, binary))
        if binaries and not binaries[0].forwarder:  # what it forwards to is the runtime
            self._ship(name, binaries[0], data)

    def _ship(self, name: str, binary: Binary, data: bytes | mmap.mmap) -> None:
        own = (binary.name or "").rpartition("/")[2]
        family = family_of(name.rpartition("/")[2].lower()) or family_of(own.lower())
        manners = manners_of(binary.system)
        small = len(data) < manners.smallest_host_bytes
        texts = () if small and family is None else parse_texts(data)
        static = family is None and static_family(texts)
        if static:
            family = BY_KEY[static]
        if family is None:
            return
        registers = None
        if family.kin == "llvm":
            registers = registers_on(binary.system, texts, static=bool(static))
        self.ships.append(
            _library(
                family,
                soname=own or None,
                path=name,
                static=bool(static),
                install_name=binary.name if manners.has_install_names and not static else None,
                registers=registers,
                **self.owner,
            )
        )

    def needs(self) -> Iterator[Need]:
        """Give the runtimes that must come from elsewhere."""
        for name in sorted(self.asked):
            last = name.rpartition("/")[2].lower()
            family = family_of(last)
            if family is None or last in self.shipped:
                continue
            askers = self.asked[name]
            rpaths = (each for _, binary in askers for each in binary.rpaths)
            yield Need(
                name=name,
                family=family.key,
                files=tuple(dict.fromkeys(file for file, _ in askers)),
                late=all(name in binary.delayed for _, binary in askers),
                rpaths=tuple(dict.fromkeys(rpaths)) if name.startswith("@rpath/") else (),
            )

    def unlinked(self) -> Iterator[str]:
        """Give the paths of shipped runtimes that no file in it links."""
        passive = [each.path for each in self.ships if not each.static]
        if passive:
            linked = self.members.linked(passive)
            yield from (path for path in passive if path not in linked)


def scan(path: str | os.PathLike[str]) -> Scanned:
    """Give the runtimes that a wheel, a folder or a file ships and needs.

    Nothing is unpacked to a file with a name, nothing is loaded, no size is trusted.

    Raises
    ------
    ScanError
        When it cannot be looked into.

    Notes
    -----
    The readers of Mach-O and PE files give the same answers as LIEF 1.0 for the 152 files of seven
    wheels. LIEF itself is not used: it is C++ in this process, which a hostile file may end, and
    it reads a file as a whole.
    """
    path = os.fspath(path)
    archive = Archive(path)
    match = _WHEEL.search(os.path.basename(path))
    name, version = (match[1], match[2]) if match else (None, None)
    found = _Found({"owner": name, "owner_version": version})
    count = 0
    for member, data in archive.files():
        count += 1
        try:
            found.add(member, data)
        except ParseError as error:
            archive.notes.append(f"{printable(member)}: {error}")
            if archive.kind == "file":
                raise ScanError(path, "no machine code", "ELF, Mach-O or PE files") from None
    if archive.kind == "folder":
        _add_bundled(path, found)
    return Scanned(
        path=path,
        kind=archive.kind,
        platforms=tuple(sorted(found.platforms)),
        name=name,
        version=version,
        ships=tuple(found.ships),
        needs=tuple(found.needs()),
        binaries=count,
        unlinked=() if archive.kind == "file" else tuple(found.unlinked()),
        notes=tuple(archive.notes),
    )


def _add_bundled(path: str, found: _Found) -> None:
    """Add what an installed package has beside its folder, and what that needs: NAME.libs."""
    files = Disk()
    looked: set[str] = set()
    while names := [name for name in found.asked if name not in looked]:
        for name in names:
            looked.add(name)
            if name.rpartition("/")[2].lower() not in found.shipped:
                _add_one_bundled(name, path, found, files)


def _add_one_bundled(name: str, path: str, found: _Found, files: Disk) -> None:
    runtime = family_of(name.rpartition("/")[2].lower()) is not None
    for file, binary in tuple(found.asked[name]):
        place = beside(name, os.path.normpath(os.path.join(path, file)), binary, path, files)
        if place is None or not (runtime or os.path.dirname(place).endswith((".libs", ".dylibs"))):
            continue
        shown = os.path.relpath(place, path).replace(os.sep, "/")
        try:
            with open(place, "rb") as opened:
                data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            with data:
                found.add(shown, data)
        except (OSError, ValueError, ParseError):
            continue
        return


def _library(family: Family, **facts: Any) -> Library:
    given: dict[str, Any] = {"initialized": False, "note": "not loaded yet", **facts}
    return Library(family=family.key, label=family.label, api=family.api, kin=family.kin, **given)
