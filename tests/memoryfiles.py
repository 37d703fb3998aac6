"""A tree of files in memory, that loaders and walks see with (`omp_magic.loader.files.Files`)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from omp_magic.errors import ParseError
from omp_magic.formats.binaries import Binary, parse_binary, parse_texts

_MOST_LINKS = 32


class MemoryFiles:
    """Files of any system: what a test says, and nothing of this machine.

    Parameters
    ----------
    files
        Path -> bytes, or what such a file of machine code says, one answer a processor.
    links
        Path of a symbolic link -> where it leads; a relative one from its folder.
    same
        Path of a second name of a file (a hard link) -> its first name.
    texts
        Path -> texts of a runtime that a file is said to hold (`parse_texts`).
    any_case
        Whether upper and lower case are the same, as on Windows.
    """

    def __init__(
        self,
        files: Mapping[str, bytes | Binary | tuple[Binary, ...]],
        *,
        links: Mapping[str, str] | None = None,
        same: Mapping[str, str] | None = None,
        texts: Mapping[str, tuple[str, ...]] | None = None,
        any_case: bool = False,
    ) -> None:
        self._any_case = any_case
        self._files = {self._key(path): content for path, content in files.items()}
        self._links = {self._key(path): to for path, to in (links or {}).items()}
        self._same = {self._key(path): self._key(first) for path, first in (same or {}).items()}
        self._texts = {self._key(path): held for path, held in (texts or {}).items()}
        self._inodes = {path: number for number, path in enumerate(self._files, 1)}
        self._names: dict[str, dict[str, str]] = {}
        for path in (*files, *(links or {}), *(same or {})):
            while (folder := posixpath.dirname(path)) != path:
                held = self._names.setdefault(self._key(folder), {})
                held.setdefault(self._key(posixpath.basename(path)), posixpath.basename(path))
                path = folder  # noqa: PLW2901 - up to the root

    def stamp(self, path: str) -> tuple[int, int] | None:
        """See `Files.stamp`."""
        found = self._found(path)
        if found is None:
            return (1, 0) if self.is_folder(path) else None
        content = self._files[found]
        return 1, len(content) if isinstance(content, bytes) else 1_000_000

    def names(self, folder: str) -> Sequence[str]:
        """See `Files.names`."""
        return tuple(self._names.get(self._key(self.real(folder)), {}).values())

    def is_file(self, path: str) -> bool:
        """See `Files.is_file`."""
        return self._found(path) is not None

    def is_folder(self, path: str) -> bool:
        """See `Files.is_folder`."""
        return self._key(self.real(path)) in self._names

    def real(self, path: str) -> str:
        """See `Files.real`."""
        left = posixpath.normpath(path).split("/")
        done, links = left.pop(0), 0  # "" of a full path, "C:" on Windows
        while left:
            here = f"{done}/{left.pop(0)}"
            to = self._links.get(self._key(here))
            if to is None or links == _MOST_LINKS:
                done = here
                continue
            links += 1
            ahead = posixpath.normpath(posixpath.join(f"{done}/", to)).split("/")
            done, left = ahead[0], ahead[1:] + left
        return done or "/"

    def identity(self, path: str) -> tuple[int, int] | None:
        """See `Files.identity`."""
        found = self._found(path)
        return None if found is None else (1, self._inodes[found])

    def read(self, path: str, most_bytes: int) -> bytes:
        """See `Files.read`."""
        content = self._content(path)
        return content[:most_bytes] if isinstance(content, bytes) else b""

    def binaries(self, path: str) -> tuple[Binary, ...]:
        """See `Files.binaries`."""
        content = self._content(path)
        if isinstance(content, bytes):
            if not content:
                raise ParseError("machine code", "no bytes", "a file of machine code")
            return parse_binary(content)
        return (content,) if isinstance(content, Binary) else content

    def texts(self, path: str, cpu: str = "") -> tuple[str, ...]:
        """See `Files.texts`."""
        found = self._found(path)
        if found is None or found in self._texts:
            return self._texts.get(found or "", ())
        content = self._files[found]
        try:
            return parse_texts(content, cpu) if isinstance(content, bytes) else ()
        except ParseError:
            return ()

    def holds(self, path: str, *marks: bytes) -> bool:
        """See `Files.holds`."""
        found = self._found(path)
        content = self._files[found] if found is not None else b""
        return isinstance(content, bytes) and all(mark in content for mark in marks)

    def _found(self, path: str) -> str | None:
        key = self._key(self.real(path))
        key = self._same.get(key, key)
        return key if key in self._files else None

    def _content(self, path: str) -> bytes | Binary | tuple[Binary, ...]:
        found = self._found(path)
        if found is None:
            raise FileNotFoundError(path)
        return self._files[found]

    def _key(self, path: str) -> str:
        return path.lower() if self._any_case else path
