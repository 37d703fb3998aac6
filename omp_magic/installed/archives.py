"""The machine code in a wheel, a folder or a file, one file after the other; nothing is trusted.

Nothing of an archive is written under its own name: a very large member goes into a file without
a name for the moment that it is looked at.
"""

from __future__ import annotations

import mmap
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..errors import OmpMagicError
from ..formats.zips import MOST_MEMBERS, leads_out, suspicion

_CODE = re.compile(r"\.(?:so(?:\.\d+)*|pyd|dll|dylib)$", re.IGNORECASE)
_MOST_IN_ALL_BYTES = 16 << 30
_IN_MEMORY_BYTES = 256 << 20
_CHUNK_BYTES = 1 << 20


class ScanError(OmpMagicError):
    """A wheel, folder or file cannot be looked into.

    Parameters
    ----------
    path
        What was to be scanned.
    found
        What is wrong with it.
    accepted
        What would have been accepted.
    """

    def __init__(self, path: str, found: str, accepted: str) -> None:
        self.path = path
        self.found = found
        self.accepted = accepted
        super().__init__(f"{printable(path)}: found {found}; accepted: {accepted}")


def printable(text: str) -> str:
    """Give a name that may hold anything as one line."""
    return text if text.isprintable() else ascii(text)


@dataclass(slots=True)
class Archive:
    """What is to be scanned.

    Parameters
    ----------
    path
        A wheel or another zip file, a folder, or a file of machine code.
    notes
        What was passed over and why; filled while the files are gone through.
    """

    path: str
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """``"folder"``, ``"wheel"`` or ``"file"``."""
        if os.path.isdir(self.path):
            return "folder"
        return "wheel" if self.path.endswith(".whl") or zipfile.is_zipfile(self.path) else "file"

    def files(self) -> Iterator[tuple[str, bytes | mmap.mmap]]:
        """Give the name and the bytes of every file of machine code.

        The bytes are gone when the next file is asked for.

        Raises
        ------
        ScanError
            When the path leads nowhere, the archive is broken or a name leads out of it.
        """
        try:
            if self.kind == "folder":
                yield from self._folder()
            elif self.kind == "wheel":
                yield from self._wheel()
            else:
                yield from self._file(self.path, os.path.basename(self.path), strict=True)
        except zipfile.BadZipFile as error:
            raise ScanError(self.path, f"a broken archive ({error})", "a whole wheel") from None
        except OSError as error:
            why = error.strerror or str(error)
            raise ScanError(self.path, why, "a wheel, a folder or a file of code") from None

    def _folder(self) -> Iterator[tuple[str, bytes | mmap.mmap]]:
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if _CODE.search(name) and os.path.isfile(path):
                    shown = os.path.relpath(path, self.path).replace(os.sep, "/")
                    yield from self._file(path, shown, strict=False)

    def _file(
        self, path: str, name: str, *, strict: bool
    ) -> Iterator[tuple[str, bytes | mmap.mmap]]:
        try:
            with open(path, "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            if strict and isinstance(error, OSError):
                raise
            self.notes.append(f"{printable(name)}: {error}")
            return
        with data:
            yield name, data

    def _wheel(self) -> Iterator[tuple[str, bytes | mmap.mmap]]:
        with zipfile.ZipFile(self.path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                found = f"{len(members)} members"
                raise ScanError(self.path, found, f"at most {MOST_MEMBERS}")
            for member in members:
                name = member.filename
                if leads_out(name):
                    found = f"a member called {name!a}"
                    raise ScanError(self.path, found, "names that stay inside the archive")
            left = _MOST_IN_ALL_BYTES
            for member in members:
                if not _CODE.search(member.filename):
                    continue
                left -= member.file_size
                why = (
                    suspicion(member.file_size, member.compress_size)
                    if left >= 0
                    else "the archive is too large"
                )
                if why:
                    self.notes.append(f"{printable(member.filename)} is passed over: {why}")
                    continue
                try:
                    with _unpacked(archive, member) as data:
                        yield member.filename, data
                except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
                    # RuntimeError is also what zipfile says to a password and unknown methods.
                    self.notes.append(f"{printable(member.filename)} is passed over: {error}")


@contextmanager
def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes | mmap.mmap]:
    """Give a member's bytes; zipfile gives no more than the size that the archive says."""
    if member.file_size <= _IN_MEMORY_BYTES:
        yield archive.read(member)
        return
    with tempfile.TemporaryFile() as file, archive.open(member) as packed:
        while chunk := packed.read(_CHUNK_BYTES):
            file.write(chunk)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
