"""Where exported symbols lie in another process: its map tells of files, and they of symbols."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from ...errors import ParseError
from ...formats.elfsymbols import ElfSymbols, Functions
from ...formats.procfs import Mapped, parse_maps

if TYPE_CHECKING:
    from ..port.door import Door


def mapped_of(maps: str, names: re.Pattern[str]) -> tuple[Mapped, ...]:
    """Give the mapped files of some names: a process may have a thousand lines of others."""
    lines = (line for line in maps.split("\n") if "/" in line)
    wanted = (line for line in lines if names.match(line.rpartition("/")[2]))
    return parse_maps("\n".join(wanted))


class FileSymbols:
    """Reads each file once, as long as it is the mapped one.

    Parameters
    ----------
    machine
        The process.
    mapped
        Its files.
    """

    def __init__(self, machine: Door, mapped: Iterable[Mapped]) -> None:
        self._machine = machine
        self._mapped = tuple(mapped)
        self._read: dict[tuple[str, int], ElfSymbols | None] = {}
        self._functions: dict[tuple[str, int], Functions] = {}

    def address(self, name: str, among: re.Pattern[str]) -> int | None:
        """Give a symbol's address in the files of some names, the first that defines it."""
        for file in self._mapped:
            if among.match(file.file_name):
                found = self.address_in(file, name)
                if found is not None:
                    return found
        return None

    def address_in(self, file: Mapped, name: str) -> int | None:
        """Give a symbol's address in one file; None where it has none, or cannot be read."""
        symbols = self._of(file)
        offset = symbols.address(name) if symbols is not None else None
        return None if offset is None else file.starts[0] + offset

    def functions_at(self, file: Mapped, addresses: Collection[int]) -> dict[int, str]:
        """Give the exported functions at addresses of a file."""
        key = file.path, file.starts[0]
        if key not in self._functions:
            symbols = self._of(file)
            self._functions[key] = symbols.functions() if symbols else Functions(())
        functions, base = self._functions[key], file.starts[0]
        return {each: name for each in addresses if (name := functions.at(each - base))}

    def _of(self, file: Mapped) -> ElfSymbols | None:
        key = file.path, file.starts[0]
        if key not in self._read:
            self._read[key] = self._opened(file)
        return self._read[key]

    def _opened(self, file: Mapped) -> ElfSymbols | None:
        if file.deleted:
            return None
        try:
            with open(self._machine.path(file.path), "rb") as opened:
                # On overlayfs and btrfs the map's device is not the one that stat gives.
                if file.inode and os.fstat(opened.fileno()).st_ino != file.inode:
                    return None
                return ElfSymbols(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError, ParseError):
            return None
