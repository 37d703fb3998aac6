"""Wheels in a folder: which of them are whole, and which one a pin means."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..facts.targets import Target
from ..machine.python.caches import cache_home
from .markers import fits, newest_first, same_version
from .pins import Pin, RequirementsError
from .tags import WheelName, parse_wheel_name, rank

_MOST_FILES = 100_000
_END = struct.Struct("<4s4x2H2I")
_END_BYTES = 22 + 65_535


class _Kept(NamedTuple):
    name: WheelName
    path: str


class Shelf:
    """The wheels in a folder.

    Parameters
    ----------
    folder
        The folder; one that does not exist is empty.
    strict
        Whether a file of another build than the lock names is taken for none (a cache), or the
        user's own choice (a folder that was named).

    Raises
    ------
    RequirementsError
        When the folder cannot be listed.
    """

    def __init__(self, folder: str, *, strict: bool) -> None:
        self.folder = folder
        self.strict = strict
        self._kept: dict[str, list[_Kept]] = {}
        try:
            with os.scandir(folder) as entries:
                for count, entry in enumerate(entries):
                    if count > _MOST_FILES:
                        found = f"more than {_MOST_FILES} files"
                        raise RequirementsError(
                            folder, found, "a folder of wheels", "--wheels FOLDER"
                        )
                    if entry.name.endswith(".whl") and entry.is_file():
                        self.add(entry.path)
        except OSError as error:
            if strict and isinstance(error, (FileNotFoundError, NotADirectoryError)):
                return
            said = error.strerror or str(error)
            why = "no such folder" if isinstance(error, FileNotFoundError) else said
            raise RequirementsError(folder, why, "a folder of wheels", "--wheels FOLDER") from None

    def add(self, path: str) -> None:
        """Put a wheel on the shelf."""
        name = parse_wheel_name(os.path.basename(path))
        if name is not None:
            self._kept.setdefault(name.name, []).append(_Kept(name, path))

    def names(self) -> Iterator[str]:
        """Give the distributions that are there."""
        yield from self._kept

    def versions(self, name: str) -> tuple[str, ...]:
        """Give the versions of a distribution that are there, the newest first."""
        found = {kept.name.version for kept in self._kept.get(name, ())}
        return tuple(sorted(found, key=newest_first, reverse=True))

    def find(self, pin: Pin, target: Target, specifier: str, file: str | None) -> str | None:
        """Give the wheel that a pin means, None when it is not there.

        Parameters
        ----------
        pin
            What is wanted.
        target
            The system.
        specifier
            Versions that fit, constraints included.
        file
            The name of the file that the lock names for the target, or None.
        """
        found = []
        for kept in self._kept.get(pin.name, ()):
            suits = rank(os.path.basename(kept.path), target)
            if suits is None or (self.strict and file and os.path.basename(kept.path) != file):
                continue
            if pin.version is not None and not same_version(kept.name.version, pin.version):
                continue
            if pin.version is None and not fits(kept.name.version, specifier):
                continue
            exact = os.path.basename(kept.path) == file
            found.append(((exact, newest_first(kept.name.version), suits), kept.path))
        for _, path in sorted(found, reverse=True):
            if not self.strict or is_whole(path):
                return path
        return None


def is_whole(path: str) -> bool:
    """Tell whether a wheel has its end: half a file has none, or one that fits no place."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _END_BYTES, 0))
            tail = file.read(_END_BYTES)
            at = tail.rfind(b"PK\x05\x06")
            if at < 0 or len(tail) - at < 22:
                return False
            _, _, count, length, offset = _END.unpack_from(tail, at)
            if offset == 0xFFFFFFFF or length == 0xFFFFFFFF or count == 0xFFFF:
                return tail.rfind(b"PK\x06\x06", 0, at) >= 0  # ZIP64: its own end is there
            return int(offset + length) == size - len(tail) + at
    except OSError:
        return False


def has_hash(path: str, hashes: Iterable[str]) -> bool:
    """Tell whether a file has one of these hashes; what was worked out is kept beside it.

    Parameters
    ----------
    path
        The file.
    hashes
        ``sha256:12ab…``; those of other kinds are left to pip. Without any, all is well.
    """
    wanted = {each[7:].lower() for each in hashes if each.startswith("sha256:")}
    if not wanted:
        return True
    try:
        with suppress(OSError, ValueError), open(f"{path}.sha256", encoding="ascii") as kept:
            digest, _, when = kept.read(300).strip().partition(" ")
            if when == _stamp(path):
                return digest in wanted
        digest = _sha256(path)
        keep_hash(path, digest)
    except OSError:
        return False
    return digest in wanted


def keep_hash(path: str, digest: str) -> None:
    """Keep a file's SHA-256 beside it, as long as its size and time stay."""
    with suppress(OSError), open(f"{path}.sha256", "w", encoding="ascii") as keep:
        keep.write(f"{digest} {_stamp(path)}")


def _stamp(path: str) -> str:
    found = os.stat(path)
    return f"{found.st_size} {found.st_mtime_ns}"


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def cache_folder(environ: Mapping[str, str]) -> str:
    """Give where wheels and facts are kept: the place that the system has for caches.

    Parameters
    ----------
    environ
        The variables of this process.
    """
    return os.path.join(cache_home(environ), "omp_magic")
