"""What a mapped file says of itself: its SONAME, and runtimes statically linked into it."""

from __future__ import annotations

import mmap
from contextlib import suppress

from ...errors import ParseError
from ...facts.libraries import Gap
from ...formats.binaries import parse_texts
from ...formats.elf import ElfFile, parse_elf
from ...formats.procfs import Mapped
from ...knowledge.catalog import static_family
from ...machine import Machine

_SMALLEST_BYTES = 100_000
"""libiomp5.a adds 600 kB to what it is linked into, libgomp.a 150 kB; less is not searched."""


class Files:
    """Reads mapped files, each once: by identity, since a path changes its meaning.

    Parameters
    ----------
    machine
        The machine whose files they are.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sonames: dict[tuple[str, int, int], str | None] = {}
        self._static: dict[tuple[str, int], str | None] = {}
        self._dynamic: dict[tuple[str, int], ElfFile] = {}
        self.unsearched: set[str] = set()
        """Files that may hold a statically linked runtime and could not be read."""

    def soname(self, file: Mapped, gaps: list[Gap]) -> str | None:
        """Give DT_SONAME; None when the file has none, or cannot be read any more."""
        key = (file.device, file.inode, file.starts[0])
        if key in self._sonames:
            return self._sonames[key]
        what = f"SONAME of {file.file_name}"
        try:
            if file.deleted or self._machine.inode_of(file.path) != file.inode:
                why = "the file on disk is not the mapped one"
                gaps.append(Gap(what=what, why=why, where=file.path))
                return None
            with self._opened(file) as data:
                self._sonames[key] = parse_elf(data).soname
        except (OSError, ValueError, ParseError) as error:
            gaps.append(Gap.of(what, error, file.path))
            return None
        return self._sonames[key]

    def dynamic(self, file: Mapped) -> ElfFile:
        """Give a file's dynamic section; an empty one for a file that cannot be read any more."""
        key = (file.device, file.inode)
        if key not in self._dynamic:
            found = ElfFile()
            with suppress(OSError, ValueError, ParseError):
                if not file.deleted and self._machine.inode_of(file.path) == file.inode:
                    with self._opened(file) as data:
                        found = parse_elf(data)
            self._dynamic[key] = found
        return self._dynamic[key]

    def static_runtime(self, file: Mapped) -> str | None:
        """Give the family of the OpenMP runtime that is linked into a file, or None.

        Found by texts that only the runtime itself holds, searched in the constants of files
        that are large enough (1 ms for the 190 objects of scikit-learn, 6 ms for PyTorch's).
        A file that cannot be read is taken to hold none: it is one of hundreds.
        """
        key = (file.device, file.inode)
        if key not in self._static:
            self._static[key] = self._search(file)
        return self._static[key]

    def _search(self, file: Mapped) -> str | None:
        try:
            size_bytes, inode = self._machine.size_and_inode_of(file.path)
            if inode != file.inode:
                self.unsearched.add(file.path)
                return None
            if size_bytes < _SMALLEST_BYTES:
                return None
            with self._opened(file) as data:
                return static_family(parse_texts(data))
        except (OSError, ValueError, ParseError):
            self.unsearched.add(file.path)
        return None

    def _opened(self, file: Mapped) -> mmap.mmap:
        with open(self._machine.path(file.path), "rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
