"""What glibc's loader would map, told from files; nothing is loaded.

The rules are those of glibc's elf/dl-load.c, _dl_map_object: a name that is loaded already is
not searched; else DT_RPATH of the requester and of what loaded it (only without DT_RUNPATH),
LD_LIBRARY_PATH, DT_RUNPATH, /etc/ld.so.cache, the system's folders; and a file that is loaded
already under another name is the same library. A file for another processor is passed over.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..errors import ParseError
from ..formats.binaries import Binary
from ..formats.ldcache import FLAGS, LdCache, parse_ldcache
from .files import Files
from .images import Image
from .simulated import Mapped, Matters

_CACHE = "/etc/ld.so.cache"
_MOST_CACHE_BYTES = 64 << 20
_C_LIBRARY = re.compile(
    r"(libc|libm|libdl|librt|libpthread|libutil|libresolv|libgcc_s|libstdc\+\+|libz|libcrypt"
    r"|ld-linux[\w-]*|linux-vdso)\.so"
)
"""Part of every process; they bring no other library that matters here."""
_EXPANDED = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")
_MACHINES = {"x86_64": (62, 8), "aarch64": (183, 8), "x86": (3, 4), "arm": (40, 4),
             "ppc64le": (21, 8), "s390x": (22, 8)}  # fmt: skip
_MOST_PLACES = 1024


class Glibc:
    """A process of Linux in which files are loaded one after the other; see `SimulatedLoader`.

    Parameters
    ----------
    files
        What is seen with.
    environ
        For LD_LIBRARY_PATH, which the loader reads when the process starts.
    present
        SONAME and path of what the process has already.
    root
        Where the system's own folders and the loader's cache are: ``"/"``, or the folder of an
        unpacked image or a mounted disk, whose full paths begin there.
    cpu
        Of the process; "" takes any file.
    matters
        Whether a missing library of this file name makes a load fail; of the others none does,
        since an environment is foreseen without all of the system's own.
    """

    def __init__(  # noqa: PLR0913 - what a process begins with
        self,
        files: Files,
        environ: Mapping[str, str],
        present: tuple[tuple[str | None, str], ...] = (),
        *,
        root: str = "/",
        cpu: str = "",
        matters: Matters = lambda _: False,
    ) -> None:
        self._mapped = Mapped(files, "linux", cpu)
        self.loaded = self._mapped.loaded
        self.missing = self._mapped.missing
        self._files = files
        self._root = root.rstrip("/")
        self._matters = matters
        self._system_folders = _system_folders(cpu)
        self._library_path = [
            self._rooted(each)
            for each in re.split("[:;]", environ.get("LD_LIBRARY_PATH", ""))
            if each
        ]
        self._cache: LdCache | None = None
        self._names: dict[str, Image] = {}
        for soname, path in present:
            there = self._mapped.opened(path, None)
            if there is None:
                there = Image(path, (-1, -1), Binary(system="linux", cpu=cpu, name=soname))
            else:
                self._mapped.adopt(there)
            self._know(there, soname or posixpath.basename(path))

    def open_folders(self, folders: object) -> None:
        """See `SimulatedLoader.open_folders`: Linux has no such thing."""

    def load(self, path: str, by: Image | None = None) -> Image | None:
        """Load a file, or a bare name for `by`, with all it needs, breadth first as glibc does.

        Returns
        -------
        Image or None
            None when it is not found or is no ELF file.
        """
        before = len(self.loaded)
        first = self._one(path, by)
        if first is None:
            self._mapped.note(path, by, fatal=True, why=self._mapped.why)
            return None
        if first.needed or self._follow(first):
            return first
        gone = set(self._mapped.cut_back(before))
        for image in gone:
            image.needed.clear()
        self._names = {name: each for name, each in self._names.items() if each not in gone}
        return None

    def _follow(self, first: Image) -> bool:
        waiting = deque((first,))
        seen = {first}
        while waiting:
            requester = waiting.popleft()
            if requester.needed:
                continue
            for name in requester.binary.needed:
                if _C_LIBRARY.match(name):
                    continue
                each = self._one(name, requester)
                if each is not None:
                    requester.needed.append(each)
                    if each not in seen:
                        seen.add(each)
                        waiting.append(each)
                    continue
                fatal = self._matters(posixpath.basename(name))
                self._mapped.note(name, requester, fatal=fatal, why=self._mapped.why)
                if fatal:
                    return False
        return True

    def _one(self, name: str, by: Image | None) -> Image | None:
        if (known := self._names.get(name)) is not None:
            return known
        self._mapped.why = ""
        for path in (name,) if "/" in name else self._places(name, by):
            found = self._mapped.find(path, by)
            if found is not None and self._mapped.has(found):
                self._names[name] = found
                return found
            if found is not None and self._mapped.map(found):
                self._know(found, name)
                return found
        return None

    def _know(self, each: Image, name: str) -> None:
        self._names[name] = each
        self._names.setdefault(each.path, each)
        if each.binary.name is not None:
            self._names.setdefault(each.binary.name, each)

    def _places(self, name: str, by: Image | None) -> Iterator[str]:
        """Give the files of a bare name that are there, in the order of the search."""
        folders: list[str] = []
        requester = by if by is not None and by.binary.runpath is None else None
        while requester is not None and len(folders) < _MOST_PLACES:
            if requester.binary.runpath is None:
                folders += self._folders_of(requester.binary.rpath, requester.path)
            requester = requester.parent
        folders += self._library_path
        if by is not None:
            folders += self._folders_of(by.binary.runpath, by.path)
        for folder in folders[:_MOST_PLACES]:
            path = posixpath.join(folder, name)
            if self._files.is_file(path):
                yield path
        machine = _MACHINES.get(by.binary.cpu) if by is not None else None
        if machine is not None and (path := self._system().lookup(name, FLAGS[machine]) or ""):
            yield self._rooted(path)
        for folder in self._system_folders:
            path = self._rooted(posixpath.join(folder, name))
            if self._files.is_file(path):
                yield path

    def _system(self) -> LdCache:
        """Give the loader's cache; an empty one where there is none."""
        if self._cache is None:
            path = self._rooted(_CACHE)
            files: Any = self._files  # a protocol, which says nothing of hashes
            self._cache = _parsed(files, path, files.stamp(path))
        return self._cache

    def _folders_of(self, folders: str | None, path: str) -> list[str]:
        return [self._rooted(each) for each in _expanded(folders, path)]

    def _rooted(self, path: str) -> str:
        """Give a full path of the system as a path of `files`."""
        inside = not self._root or path == self._root or path.startswith(f"{self._root}/")
        return path if inside or not path.startswith("/") else self._root + path


def beside(name: str, path: str, binary: Binary, files: Files) -> str | None:
    """Give the file that a name leads to by the requester's own DT_RPATH or DT_RUNPATH, or None."""
    for folder in _expanded(binary.runpath or binary.rpath, path):
        if files.is_file(found := posixpath.join(folder, name)):
            return found
    return None


@lru_cache(maxsize=2)
def _parsed(files: Files, path: str, _stamp: tuple[int, int] | None) -> LdCache:
    try:
        return parse_ldcache(files.read(path, _MOST_CACHE_BYTES))
    except (OSError, ParseError):
        return LdCache()


def _expanded(folders: str | None, path: str) -> list[str]:
    if not folders:
        return []
    origin = posixpath.dirname(path)
    return [
        posixpath.normpath(_EXPANDED.sub(lambda _: origin, each))
        for each in folders.split(":")
        if each
    ]


def _system_folders(cpu: str) -> tuple[str, ...]:
    multiarch = getattr(sys.implementation, "_multiarch", "lib64")
    if cpu:
        multiarch = f"{cpu}-linux-gnu"
    return tuple(
        posixpath.normpath(f"{root}/{folder}")
        for folder in (multiarch, "../lib64", "")
        for root in ("/lib", "/usr/lib")
    )
