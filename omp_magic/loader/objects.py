"""The shared objects that loading a file brings, as glibc would find them; nothing is loaded.

The rules are those of glibc's elf/dl-load.c, _dl_map_object: a name that is loaded already is
not searched; else DT_RPATH of the requester and of what loaded it (only without DT_RUNPATH),
LD_LIBRARY_PATH, DT_RUNPATH, /etc/ld.so.cache, the system's folders; and a file that is loaded
already under another name is the same library.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ParseError
from ..formats.elf import ElfFile, parse_elf
from ..formats.ldcache import FLAGS, LdCache, parse_ldcache

_CACHE = "/etc/ld.so.cache"
_SYSTEM = tuple(
    f"{root}/{folder}"
    for folder in (getattr(sys.implementation, "_multiarch", "lib64"), "../lib64", "")
    for root in ("/lib", "/usr/lib")
)
_C_LIBRARY = re.compile(
    r"(libc|libm|libdl|librt|libpthread|libutil|libresolv|libgcc_s|libstdc\+\+|libz|libcrypt"
    r"|ld-linux[\w-]*|linux-vdso)\.so"
)
"""Part of every process; they bring no other library that matters here."""
_EXPANDED = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")


@dataclass(slots=True, eq=False)
class Loaded:
    """A shared object of the simulated process.

    Parameters
    ----------
    path
        The file, symbolic links followed for its folder only, as the loader keeps it.
    device, inode, size_bytes
        Its identity and size.
    elf
        Its dynamic section.
    flags
        Its machine, as the loader's cache names it; None when the cache does not know it.
    parent
        The object whose DT_NEEDED or dlopen brought it first.
    needed
        What its DT_NEEDED led to.
    """

    path: str
    device: int
    inode: int
    size_bytes: int
    elf: ElfFile
    flags: int | None
    parent: Loaded | None = None
    needed: list[Loaded] = field(default_factory=list)


class Reader:
    """Reads the dynamic sections of files, each once as long as it is unchanged."""

    def __init__(self) -> None:
        self._read: dict[tuple[int, int], tuple[int, int, ElfFile, int | None]] = {}
        self._cache: tuple[int, LdCache] = (0, LdCache())

    def open(self, path: str) -> Loaded | None:
        """Give a file as an object that nobody loaded yet; None when it is no ELF file."""
        try:
            found = os.stat(path)
            key = found.st_dev, found.st_ino
            known = self._read.get(key)
            if known is None or known[:2] != (found.st_mtime_ns, found.st_size):
                with open(path, "rb") as file:
                    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                with data:
                    order = "big" if data[5:6] == b"\2" else "little"
                    machine = int.from_bytes(data[18:20], order)  # type: ignore[arg-type]  # one of its two words
                    flags = FLAGS.get((machine, 8 if data[4:5] == b"\2" else 4))
                    known = found.st_mtime_ns, found.st_size, parse_elf(data), flags
                self._read[key] = known
        except (OSError, ValueError, ParseError):
            return None
        return Loaded(path, *key, found.st_size, known[2], known[3])

    def system(self) -> LdCache:
        """Give the loader's cache; an empty one where there is none."""
        try:
            changed = os.stat(_CACHE).st_mtime_ns
            if changed != self._cache[0]:
                with open(_CACHE, "rb") as file:
                    self._cache = changed, parse_ldcache(file.read())
        except (OSError, ParseError):
            self._cache = (0, LdCache())
        return self._cache[1]


class Objects:
    """A process without anything loaded, in which files are loaded one after the other.

    Parameters
    ----------
    reader
        Reads the files.
    environ
        For LD_LIBRARY_PATH, which the loader reads when the process starts.
    present
        SONAME and path of what the process has already.
    """

    def __init__(
        self,
        reader: Reader,
        environ: Mapping[str, str],
        present: tuple[tuple[str | None, str], ...] = (),
    ) -> None:
        self._reader = reader
        self._library_path = [
            each for each in re.split("[:;]", environ.get("LD_LIBRARY_PATH", "")) if each
        ]
        self.loaded: list[Loaded] = []
        self.missing: dict[str, str] = {}
        """Names that were not found -> the file that needs them first."""
        self._names: dict[str, Loaded] = {}
        self._files: dict[tuple[int, int], Loaded] = {}
        for soname, path in present:
            there = reader.open(path)
            if there is None:
                there = Loaded(path, -1, -1, 0, ElfFile(soname=soname), None)
            self._know(there, soname or os.path.basename(path))

    def load(self, path: str, by: Loaded | None = None) -> Loaded | None:
        """Load a file, or a bare name for `by`, with all it needs, breadth first as glibc does.

        Returns
        -------
        Loaded or None
            None when it is not found or is no ELF file.
        """
        first = self._one(path, by)
        if first is None or first.needed:
            return first
        waiting = deque((first,))
        seen = {id(first)}
        while waiting:
            requester = waiting.popleft()
            if requester.needed:
                continue
            for name in requester.elf.needed:
                if _C_LIBRARY.match(name):
                    continue
                each = self._one(name, requester)
                if each is not None:
                    requester.needed.append(each)
                    if id(each) not in seen:
                        seen.add(id(each))
                        waiting.append(each)
        return first

    def _one(self, name: str, by: Loaded | None) -> Loaded | None:
        if (known := self._names.get(name)) is not None:
            return known
        path = name if "/" in name else self._search(name, by)
        found = self._reader.open(path) if path is not None else None
        if found is None:
            self.missing.setdefault(name, by.path if by is not None else "")
            return None
        known = self._files.get((found.device, found.inode))
        if known is not None:
            self._names[name] = known
            return known
        found.parent = by
        self._know(found, name)
        self.loaded.append(found)
        return found

    def _know(self, each: Loaded, name: str) -> None:
        self._names[name] = each
        self._names.setdefault(each.path, each)
        if each.elf.soname is not None:
            self._names.setdefault(each.elf.soname, each)
        self._files.setdefault((each.device, each.inode), each)

    def _search(self, name: str, by: Loaded | None) -> str | None:
        folders: list[str] = []
        requester = by if by is not None and by.elf.runpath is None else None
        while requester is not None:
            if requester.elf.runpath is None:
                folders += _expanded(requester.elf.rpath, requester.path)
            requester = requester.parent
        folders += self._library_path
        if by is not None:
            folders += _expanded(by.elf.runpath, by.path)
        for folder in folders:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
        flags = by.flags if by is not None else None
        if flags is not None and (path := self._reader.system().lookup(name, flags) or ""):
            return path
        places = (os.path.join(folder, name) for folder in _SYSTEM)
        return next((each for each in places if os.path.isfile(each)), None)


def beside(name: str, path: str, elf: ElfFile) -> str | None:
    """Give the file that a name leads to by the requester's own DT_RPATH or DT_RUNPATH, or None."""
    for folder in _expanded(elf.runpath or elf.rpath, path):
        if os.path.isfile(found := os.path.join(folder, name)):
            return found
    return None


def _expanded(folders: str | None, path: str) -> list[str]:
    if not folders:
        return []
    origin = os.path.dirname(path)
    return [
        os.path.normpath(_EXPANDED.sub(lambda _: origin, each))
        for each in folders.split(":")
        if each
    ]
