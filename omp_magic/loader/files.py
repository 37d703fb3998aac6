"""A way to read files: what the loaders' rules and the walk over imports are given to see with.

`Disk` reads this machine's files. Others have the same functions: wheels that nobody unpacked,
a system whose library is only supposed to be there, the recorded files of a test.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Protocol

from ..errors import ParseError
from ..formats.binaries import Binary, parse_binary, parse_texts

_MOST_SEARCHED_BYTES = 32 * 1024 * 1024


class Files(Protocol):
    """A tree of files. Paths are absolute, with ``/`` between their parts on every system."""

    def stamp(self, path: str) -> tuple[int, int] | None:
        """Give what changes when a file or a folder does (its time and size); None without it."""

    def names(self, folder: str) -> Sequence[str]:
        """Give the names in a folder; () where there is no such folder."""

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a file."""

    def is_folder(self, path: str) -> bool:
        """Tell whether a path leads to a folder."""

    def real(self, path: str) -> str:
        """Give a path with its symbolic links followed."""

    def identity(self, path: str) -> tuple[int, int] | None:
        """Give what two links of one file have in common (device and inode); None without it."""

    def read(self, path: str, most_bytes: int) -> bytes:
        """Give a file's bytes, at most so many.

        Raises
        ------
        OSError
            When it cannot be read.
        """

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """Give what a file of machine code says, for each processor that it is for.

        Raises
        ------
        OSError, ParseError
            When it cannot be read, or is none.
        """

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:
        """Give those of `omp_magic.formats.binaries.MARKS` that a file of machine code holds.

        By them a runtime inside a file is known, and where it registers. It reads the file as a
        whole, where `binaries` reads some pages of it.

        Parameters
        ----------
        path
            The file.
        cpu
            As `Binary.cpu`: which processor's part of it, "" for all.

        Returns
        -------
        tuple
            () also when it cannot be read, or is no such file.
        """

    def holds(self, path: str, *marks: bytes) -> bool:
        """Tell whether a file holds all these texts; False when it cannot be read."""


class Disk:
    """Files of this machine, each of machine code read once as long as it is unchanged."""

    def __init__(self) -> None:
        self._binaries: dict[tuple[int, int], tuple[tuple[int, int], tuple[Binary, ...]]] = {}
        self._texts: dict[tuple[int, int, str], tuple[tuple[int, int], tuple[str, ...]]] = {}
        self._held: dict[tuple[object, ...], bool] = {}

    def stamp(self, path: str) -> tuple[int, int] | None:
        """See `Files.stamp`."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return found.st_mtime_ns, found.st_size

    def names(self, folder: str) -> Sequence[str]:
        """See `Files.names`."""
        try:
            return os.listdir(folder)
        except (OSError, ValueError):
            return ()

    def is_file(self, path: str) -> bool:
        """See `Files.is_file`."""
        return os.path.isfile(path)

    def is_folder(self, path: str) -> bool:
        """See `Files.is_folder`."""
        return os.path.isdir(path)

    def real(self, path: str) -> str:
        """See `Files.real`."""
        return os.path.realpath(path).replace(os.sep, "/")

    def identity(self, path: str) -> tuple[int, int] | None:
        """See `Files.identity`."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino

    def read(self, path: str, most_bytes: int) -> bytes:
        """See `Files.read`."""
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            return os.read(handle, min(os.fstat(handle).st_size, most_bytes))
        finally:
            os.close(handle)

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """See `Files.binaries`."""
        found = os.stat(path)
        key, now = (found.st_dev, found.st_ino), (found.st_mtime_ns, found.st_size)
        known = self._binaries.get(key)
        if known is None or known[0] != now:
            with self._mapped(path) as data:
                known = self._binaries[key] = now, parse_binary(data)
        return known[1]

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:
        """See `Files.texts`."""
        try:
            found = os.stat(path)
            key = found.st_dev, found.st_ino, cpu
            now = found.st_mtime_ns, found.st_size
            known = self._texts.get(key)
            if known is None or known[0] != now:
                with self._mapped(path) as data:
                    known = self._texts[key] = now, parse_texts(data, cpu)
        except (OSError, ValueError, ParseError):
            return ()
        return known[1]

    def holds(self, path: str, *marks: bytes) -> bool:
        """See `Files.holds`."""
        key = (path, self.stamp(path), *marks)
        if key not in self._held:
            try:
                with self._mapped(path) as data:
                    self._held[key] = len(data) <= _MOST_SEARCHED_BYTES and all(
                        data.find(mark) >= 0 for mark in marks
                    )
            except (OSError, ValueError, ParseError):
                return False
        return self._held[key]

    @staticmethod
    def _mapped(path: str) -> mmap.mmap:
        with open(path, "rb") as file:
            try:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # an empty file
                raise ParseError("machine code", "no bytes", "a file of machine code") from None
