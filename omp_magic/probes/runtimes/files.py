"""What a mapped file says of itself: its names, its version, runtimes statically linked into it."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress

from ...errors import ParseError
from ...facts.libraries import Gap
from ...formats.binaries import Binary, parse_binary, parse_text, parse_texts
from ...formats.procfs import Mapped
from ...knowledge.catalog import Family, static_family
from ...machine import Machine

_SMALLEST_BYTES = 100_000
"""libiomp5.a adds 600 kB to what it is linked into, libgomp.a 150 kB; less is not searched."""

_Key = tuple[str, int, str]


class Files:
    """Reads mapped files, each once: by identity, since a path changes its meaning.

    Parameters
    ----------
    machine
        The machine whose files they are.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._named: set[tuple[_Key, int]] = set()
        self._static: dict[_Key, str | None] = {}
        self._binaries: dict[_Key, Binary | None] = {}
        self._versions: dict[_Key, str | None] = {}
        self._texts: dict[_Key, tuple[str, ...]] = {}
        self._builds: dict[_Key, str] = {}
        self.unsearched: set[str] = set()
        """Files that may hold a statically linked runtime and could not be read."""

    def soname(self, file: Mapped, gaps: list[Gap]) -> str | None:
        """Give its SONAME, install name or name of exports; None when it has none.

        What cannot be read any more is a gap, each time.
        """
        key = _key(file)
        if (key, file.starts[0]) not in self._named:
            what = f"SONAME of {file.file_name}"
            try:
                if not self._is_there(file):
                    why = "the file on disk is not the mapped one"
                    gaps.append(Gap(what=what, why=why, where=file.path))
                    return None
                self._binaries[key] = self._read(file)
            except FileNotFoundError as error:
                if self._machine.system.ships(file.path):
                    return file.file_name  # it lies in dyld's shared cache, and nowhere else
                gaps.append(Gap.of(what, error, file.path))
                return None
            except (OSError, ValueError, ParseError) as error:
                gaps.append(Gap.of(what, error, file.path))
                return None
            self._named.add((key, file.starts[0]))
        binary = self._binaries[key]
        return None if binary is None else binary.name

    def binary(self, file: Mapped) -> Binary | None:
        """Give what a file says; None for one that cannot be read any more."""
        key = _key(file)
        if key not in self._binaries:
            found = None
            with suppress(OSError, ValueError, ParseError):
                if self._is_there(file):
                    found = self._read(file)
            self._binaries[key] = found
        return self._binaries[key]

    def version(self, file: Mapped) -> str | None:
        """Give the version that a file's own resources give it; None where it has none."""
        key = _key(file)
        if key not in self._versions:
            found = None
            with suppress(OSError, ValueError, ParseError):
                if self._is_there(file):
                    with self._opened(file) as data:
                        found = _version_in(data)
            self._versions[key] = found
        return self._versions[key]

    def texts(self, file: Mapped) -> tuple[str, ...]:
        """Give those of `formats.binaries.MARKS` that a file holds; () when it cannot be read."""
        key = _key(file)
        if key not in self._texts:
            found: tuple[str, ...] = ()
            with suppress(OSError, ValueError, ParseError):
                if self._is_there(file):
                    with self._opened(file) as data:
                        found = parse_texts(data)
            self._texts[key] = found
        return self._texts[key]

    def build(self, file: Mapped, family: Family) -> str:
        """Give the description of its build that a file holds; "" where its family has none.

        It is what its functions give where they may be called; OpenBLAS' begins with its name and
        is written there whole (driver/others/openblas_get_config.c).
        """
        if not family.mark:
            return ""
        key = _key(file)
        if key not in self._builds:
            self._builds[key] = ""
            with suppress(OSError, ValueError, ParseError):
                if self._is_there(file):
                    with self._opened(file) as data:
                        self._builds[key] = parse_text(data, family.mark)
        return self._builds[key]

    def static_runtime(self, file: Mapped) -> str | None:
        """Give the family of the OpenMP runtime that is linked into a file, or None.

        Found by texts that only the runtime itself holds, searched in the constants of files
        that are large enough (1 ms for the 190 objects of scikit-learn, 6 ms for PyTorch's).
        A file that cannot be read is taken to hold none: it is one of hundreds.
        """
        key = _key(file)
        if key not in self._static:
            self._static[key] = self._search(file)
        return self._static[key]

    def _search(self, file: Mapped) -> str | None:
        try:
            size_bytes, inode = self._machine.size_and_inode_of(file.path)
            if file.inode and inode != file.inode:
                self.unsearched.add(file.path)
                return None
            if size_bytes < _SMALLEST_BYTES:
                return None
            with self._opened(file) as data:
                return static_family(parse_texts(data))
        except (OSError, ValueError, ParseError):
            self.unsearched.add(file.path)
        return None

    def _is_there(self, file: Mapped) -> bool:
        """Tell whether the path leads to the mapped file, as far as its inode is known."""
        if file.deleted:
            return False
        return not file.inode or self._machine.inode_of(file.path) == file.inode

    def _read(self, file: Mapped) -> Binary | None:
        with self._opened(file) as data:
            parts = parse_binary(data)
        return parts[0] if parts else None

    def _opened(self, file: Mapped) -> mmap.mmap:
        # A file object would ask the system five times more, and there are hundreds of files.
        handle = os.open(self._machine.path(file.path), os.O_RDONLY)
        try:
            return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(handle)


def _version_in(data: mmap.mmap) -> str | None:
    """Give the version in a DLL's resources; other files have none."""
    if data[:2] != b"MZ":
        return None
    from ...formats.pe_version import parse_version  # noqa: PLC0415 - only a DLL pays

    return parse_version(data)


def _key(file: Mapped) -> _Key:
    """Give what tells files apart: where inodes are not known, their paths."""
    return file.device, file.inode, "" if file.inode else file.path
