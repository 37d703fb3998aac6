"""Which runtimes a wheel, a folder or a file ships and needs, for Linux, macOS and Windows."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ParseError
from ..facts.libraries import Library
from ..formats.elf import parse_constants, parse_elf
from ..formats.macho import is_macho, parse_macho
from ..formats.pe import parse_pe
from ..knowledge.catalog import BY_KEY, INTEL_MARK, STATIC_MARKS, Family, family_of
from ..loader.objects import Reader, beside
from .archives import Archive, ScanError, printable

__all__ = ["Need", "ScanError", "Scanned", "scan"]

_SMALLEST_BYTES = 100_000
"""As in `omp_magic.probes.files`: a runtime linked into another library adds more than that."""
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
    """

    name: str
    family: str
    files: tuple[str, ...]
    late: bool = False


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
    notes: tuple[str, ...] = ()

    @property
    def libraries(self) -> tuple[Library, ...]:
        """All that it would bring, shipped or not, to be judged with ``judge(…, coming=…)``."""
        return (*self.ships, *(self._needed(need) for need in self.needs))

    def _needed(self, need: Need) -> Library:
        return _library(
            BY_KEY[need.family],
            soname=need.name.rpartition("/")[2],
            path=need.name,
            note="not shipped: another package or the system must have it",
        )


class _Binary(NamedTuple):
    """What a file says of itself, whatever its platform."""

    platform: str
    name: str | None
    needed: frozenset[str]
    delayed: frozenset[str] = frozenset()


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
    ships: list[Library] = []
    asked: dict[str, list[tuple[str, bool]]] = {}
    shipped: set[str] = set()
    platforms: set[str] = set()
    count = 0
    for member, data in archive.files():
        count += 1
        try:
            binaries = _read(data)
        except ParseError as error:
            archive.notes.append(f"{printable(member)}: {error}")
            if archive.kind == "file":
                raise ScanError(path, "no machine code", "ELF, Mach-O or PE files") from None
            continue
        file_name = member.rpartition("/")[2]
        shipped.add(file_name.lower())
        for binary in binaries:
            platforms.add(binary.platform)
            shipped.add((binary.name or file_name).rpartition("/")[2].lower())
            for needed in binary.needed | binary.delayed:
                late = needed not in binary.needed
                asked.setdefault(needed, []).append((member, late))
        family = family_of(file_name.lower())
        held = _held(data) if family is None else None
        if (runtime := family or held) is not None:
            soname = binaries[0].name if binaries else None
            ships.append(
                _library(
                    runtime,
                    soname=soname and soname.rpartition("/")[2],
                    path=member,
                    owner=name,
                    owner_version=version,
                    static=held is not None,
                )
            )
    if archive.kind == "folder":
        _add_bundled(path, asked, shipped, ships)
    return Scanned(
        path=path,
        kind=archive.kind,
        platforms=tuple(sorted(platforms)),
        name=name,
        version=version,
        ships=tuple(ships),
        needs=tuple(_needs(asked, shipped)),
        binaries=count,
        notes=tuple(archive.notes),
    )


def _add_bundled(
    path: str, asked: dict[str, list[tuple[str, bool]]], shipped: set[str], ships: list[Library]
) -> None:
    """Add what an installed package has beside its folder: auditwheel's NAME.libs."""
    for name, files in asked.items():
        family = family_of(name)
        if family is None or name.lower() in shipped:
            continue
        for file, _ in files:
            requester = Reader().open(os.path.join(path, file))
            found = beside(name, requester.path, requester.elf) if requester is not None else None
            if found is not None:
                shown = os.path.relpath(found, path).replace(os.sep, "/")
                ships.append(_library(family, soname=name, path=shown))
                shipped.add(name.lower())
                break


def _needs(asked: dict[str, list[tuple[str, bool]]], shipped: set[str]) -> Iterator[Need]:
    for name in sorted(asked):
        last = name.rpartition("/")[2].lower()
        family = family_of(last)
        if family is None or last in shipped:
            continue
        files = tuple(dict.fromkeys(file for file, _ in asked[name]))
        late = all(late for _, late in asked[name])
        yield Need(name=name, family=family.key, files=files, late=late)


def _library(family: Family, **facts: Any) -> Library:
    given: dict[str, Any] = {"initialized": False, "note": "not loaded yet", **facts}
    return Library(family=family.key, label=family.label, api=family.api, kin=family.kin, **given)


def _read(data: bytes | mmap.mmap) -> tuple[_Binary, ...]:
    """Read a file of any platform; a Mach-O file may hold several.

    Raises
    ------
    ParseError
        When it is none, or a broken one.
    """
    head = bytes(data[:8])
    if head[:4] == b"\x7fELF":
        elf = parse_elf(data)
        return (_Binary("linux", elf.soname, frozenset(elf.needed)),)
    if is_macho(head):
        return tuple(
            _Binary("macos", part.install_name, frozenset(part.needed))
            for part in parse_macho(data)
        )
    windows = parse_pe(data)
    delayed = frozenset(windows.delayed)
    return (_Binary("windows", windows.name, frozenset(windows.needed), delayed),)


def _held(data: bytes | mmap.mmap) -> Family | None:
    """Give the family of the OpenMP runtime that is linked into a file, or None."""
    if len(data) < _SMALLEST_BYTES:
        return None
    parts: tuple[tuple[int, int], ...] = ((0, len(data)),)
    if data[:4] == b"\x7fELF":
        try:
            parts = parse_constants(data)
        except ParseError:
            return None
    for offset, length in parts:
        for mark, family in STATIC_MARKS:
            if data.find(mark, offset, offset + length) >= 0:
                intel = data.find(INTEL_MARK, offset, offset + length) >= 0
                return BY_KEY["libiomp5" if intel else family]
    return None
