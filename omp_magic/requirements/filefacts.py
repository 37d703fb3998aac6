"""What files of machine code in wheels say, kept on disk: the next run unpacks none of them."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import ParseError
from ..formats import binaries
from ..formats.binaries import Binary
from .members import Member

_MOST_KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a file of machine code says.

    Parameters
    ----------
    binaries
        One for each processor that it is for.
    texts
        By processor, "" for all: those of `omp_magic.formats.binaries.MARKS` in it.
    error
        Why it is none, as the facts of a `ParseError`; () when it is one.
    """

    binaries: tuple[Binary, ...] = ()
    texts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    error: tuple[str, ...] = ()


@cache
def reader_version() -> str:
    """Give what changes when the readers of machine code do: what was kept is then read anew."""
    digest = hashlib.blake2b(digest_size=8)
    folder = os.path.dirname(os.path.abspath(binaries.__file__))
    for name in ("binaries.py", "elf.py", "macho.py", "pe.py"):
        with suppress(OSError), open(os.path.join(folder, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


class KeptFacts:
    """The facts of the members of wheels, each read once.

    They are lines of JSON in a file a wheel, and what is no such line is passed over: two runs may
    write at once, and one may be cut off.

    Parameters
    ----------
    folder
        Where they are kept; None for in memory alone.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = folder and os.path.join(folder, "facts", reader_version())
        self._known: dict[str, dict[tuple[str, int, int], FileFacts]] = {}

    @property
    def scratch(self) -> str | None:
        """A folder for a large member while it is looked at; None for the system's."""
        if self._folder is None:
            return None
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError:
            return None
        return self._folder if os.access(self._folder, os.W_OK) else None

    def of(self, member: Member) -> FileFacts:
        """Give the facts of a member.

        Raises
        ------
        OSError
            When the archive is broken there.
        """
        key = member.name, member.size_bytes, member.crc
        known = self._of_wheel(member.wheel)
        if key not in known:
            with member.mapped(self.scratch) as data:
                known[key] = read_facts(data)
            self._keep(member, known[key])
        return known[key]

    def _file(self, wheel: str) -> str:
        return os.path.join(self._folder or "", os.path.basename(wheel) + ".jsonl")

    def _of_wheel(self, wheel: str) -> dict[tuple[str, int, int], FileFacts]:
        known = self._known.get(wheel)
        if known is None:
            known = self._known[wheel] = {}
            if self._folder is not None:
                with suppress(OSError), open(self._file(wheel), "rb") as file:
                    for line in file.read(_MOST_KEPT_BYTES).splitlines():
                        with suppress(ValueError, TypeError, KeyError, RecursionError):
                            row = json.loads(line)
                            key = str(row["name"]), int(row["size"]), int(row["crc"])
                            known[key] = _facts(row)
        return known

    def _keep(self, member: Member, facts: FileFacts) -> None:
        if self.scratch is None:
            return
        row: dict[str, Any] = {
            "name": member.name,
            "size": member.size_bytes,
            "crc": member.crc,
            "binaries": [each._asdict() for each in facts.binaries],
            "texts": dict(facts.texts),
            "error": facts.error,
        }
        # One write to a file opened for appending is not torn by another's (POSIX); a disk that
        # is full costs the next run some time.
        line = json.dumps(row).encode() + b"\n"
        name = self._file(member.wheel)
        with suppress(OSError), open(name, "ab", buffering=0, opener=_mine_to_write) as file:
            file.write(line)


def _mine_to_write(path: str, flags: int) -> int:
    """Open a file that others may read at most."""
    return os.open(path, flags, 0o644)


def read_facts(data: Any) -> FileFacts:
    """Give what the bytes of a file of machine code say."""
    try:
        found = binaries.parse_binary(data)
        cpus = ("", *(each.cpu for each in found)) if len(found) > 1 else ("",)
        return FileFacts(found, tuple((cpu, binaries.parse_texts(data, cpu)) for cpu in cpus))
    except ParseError as error:
        return FileFacts(error=(error.what, error.found, error.expected))


def _facts(row: dict[str, Any]) -> FileFacts:
    names = set(Binary._fields)
    found = []
    for told in row["binaries"]:
        if set(told) != names:
            raise ValueError("of another reader")
        found.append(Binary(**{name: _frozen(value) for name, value in told.items()}))
    texts = tuple((str(cpu), _frozen(each)) for cpu, each in row["texts"].items())
    return FileFacts(tuple(found), texts, tuple(map(str, row["error"])))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
