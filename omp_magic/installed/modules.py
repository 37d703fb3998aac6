"""Where modules and distributions are installed, from files: no finder is asked, nothing is run.

A module is looked for as importlib's ``FileFinder`` does, by the list of the folder: package,
extension, source. Who owns it stands in RECORD (packaging.python.org, "Recording installed
projects"), or with conda in PREFIX/conda-meta.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NamedTuple

from ..errors import nearest
from ..facts.targets import Target
from ..loader.files import Disk, Files
from ..loader.here import this_target
from .entities import BINARY, Dist, Module
from .finders import editable_folder, strangers_at_work

_FIRST = re.compile(rb'\n"?([^/,"\n]+)')
_SHARED = {
    "linux": re.compile(rb'\.so[.,"]'),
    "macos": re.compile(rb'\.(?:so|dylib)[.,"]'),
    "windows": re.compile(rb'\.dll[,"]', re.IGNORECASE),
}
_DIST_INFO = re.compile(r"([^-]+)-(.+)\.(?:dist|egg)-info$")
_MOST_LOOSE = 1_000
_DEEPEST = 5
_MOST_RECORD_BYTES = 64 * 1024 * 1024


class _Entry(NamedTuple):
    """What a folder holds under one name: perhaps a folder, and the file that is imported."""

    folder: bool
    file: str | None


_NOTHING = _Entry(False, None)


class Installed:
    """The modules and distributions below the folders of a ``sys.path``.

    Lists of folders are kept until the folder changes, RECORDs until the set of distributions
    does; so one object can answer for the life of a process.

    Parameters
    ----------
    path
        The folders, as in ``sys.path``.
    files
        Reads them; this machine's when None.
    target
        The system that they are for; the running interpreter's when None.
    """

    def __init__(
        self, path: Sequence[str], files: Files | None = None, target: Target | None = None
    ) -> None:
        self.files: Files = Disk() if files is None else files
        self.target = this_target() if target is None else target
        if files is None:
            path = [os.path.abspath(each).replace(os.sep, "/") for each in path]
        self.path = tuple(path)
        here = self.target.here
        self._suffixes = EXTENSION_SUFFIXES if here else self.target.extension_suffixes
        self._shared = _SHARED[self.target.system]
        self._lists: dict[str, tuple[int, dict[str, _Entry]]] = {}
        self._checked: set[str] = set()
        self._binaries: dict[Dist, tuple[str, ...]] = {}
        self._loose: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, tuple[int, dict[str, tuple[Dist, ...]]]] = {}

    @property
    def foreign(self) -> bool:
        """Whether a finder is at work whose modules may have no file that is looked at here."""
        return self.target.here and strangers_at_work()

    def refresh(self) -> None:
        """Begin a question: from now on each folder is looked at once, for its time."""
        self._checked.clear()

    def find(
        self,
        name: str,
        parent: Module | None = None,
        *,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> Module | None:
        """Give a module by its dotted name; its parent package must be given.

        `before` and `after` are folders that an import put on the path meanwhile.

        Returns
        -------
        Module or None
            None when no file has it: built in, in an archive, or made by a finder of its own.
        """
        leaf = name.rpartition(".")[2]
        folders = (*before, *self.path, *after) if parent is None else parent.folders
        namespace = []
        for folder in folders:
            entry = self._list(folder).get(leaf)
            if entry is None:
                continue
            root = folder if parent is None else parent.root
            inner = f"{folder}/{leaf}"
            if entry.folder:
                start = self._list(inner).get("__init__")
                if start is not None and start.file is not None:
                    return Module(name, f"{inner}/{start.file}", (inner,), root)
            if entry.file is not None:
                return Module(name, f"{folder}/{entry.file}", (), root)
            if self.files.is_folder(inner):
                namespace.append((inner, root))
        if namespace:
            return Module(name, None, tuple(each for each, _ in namespace), namespace[0][1])
        return self._editable(name) if parent is None and self.target.here else None

    def nearest(self, name: str) -> str:
        """Give the top-level module whose name is nearest to one that is not there, or ""."""
        names = {each for root in self.path for each in self._list(root)}
        return nearest(name, sorted(each for each in names if each.isidentifier()))

    def distributions(self) -> tuple[Dist, ...]:
        """Give every distribution, the first of each name."""
        found: dict[str, Dist] = {}
        for root in self.path:
            for dists in self._index(root).values():
                for dist in dists:
                    found.setdefault(dist.name, dist)
        return tuple(found.values())

    def owners(self, name: str, root: str) -> tuple[Dist, ...]:
        """Give the distributions whose RECORD lists a top-level name below a folder."""
        index = self._index(root)
        entry = self._list(root).get(name)
        file = entry.file if entry is not None else None
        return index.get(name) or index.get(file or "", ())

    def shipper(self, path: str) -> Dist | None:
        """Give the distribution that lists a file, or None."""
        for root in self.path:
            relative = posixpath.relpath(path, root)
            found = self._index(root).get(relative.partition("/")[0], ())
            if len(found) == 1 and not relative.startswith(".."):
                return found[0]
            line = f"\n{relative},".encode("utf-8", "surrogateescape")
            owner = next((each for each in found if line in self._read(each.record)), None)
            if owner is not None:
                return owner
        return None

    def title(self, dist: Dist) -> str:
        """Give a name as its metadata write it, which an installer takes: ``scikit-learn``."""
        folder = posixpath.dirname(dist.record)
        for file in ("METADATA", "PKG-INFO"):
            text = self._read(f"{folder}/{file}")
            found = re.search(rb"^Name: *([\w.-]+)", text, re.MULTILINE)
            if found is not None:
                return found[1].decode()
        return dist.name

    def binaries(self, dist: Dist) -> tuple[str, ...]:
        """Give the shared objects of a distribution that are no extension modules."""
        found = self._binaries.get(dist)
        if found is None:
            data = self._read(dist.record)
            root = posixpath.dirname(posixpath.dirname(dist.record))
            texts = set()
            for match in self._shared.finditer(data):
                begin = data.rfind(b"\n", 0, match.start()) + 1
                listed = data[begin : data.find(b",", match.start())].strip(b'"')
                # auditwheel's, delocate's and delvewheel's: found by a need, never by name
                if b".libs/" not in listed and b".dylibs/" not in listed:
                    texts.add(listed.decode("utf-8", "surrogateescape"))
            found = self._binaries[dist] = tuple(
                posixpath.normpath(f"{root}/{each}")
                for each in sorted(texts)
                if not is_extension(each)
            )
        return found

    def loose(self, name: str, root: str) -> tuple[str, ...]:
        """Give the shared objects below a package that no RECORD lists."""
        if name not in self._loose:
            found: list[str] = []
            waiting = [f"{root}/{name}"]
            while waiting and len(found) < _MOST_LOOSE:
                folder = waiting.pop()
                for each in sorted(self.files.names(folder)):
                    path = f"{folder}/{each}"
                    if self._shared.search(f"{each},".encode("utf-8", "surrogateescape")):
                        found += [] if is_extension(each) else [path]
                    elif "." not in each and path.count("/") - root.count("/") < _DEEPEST:
                        waiting.append(path)
            self._loose[name] = tuple(found)
        return self._loose[name]

    def _list(self, folder: str) -> dict[str, _Entry]:
        """Give what can be imported from a folder, by name."""
        known = self._lists.get(folder)
        if known is not None and folder in self._checked:
            return known[1]
        self._checked.add(folder)
        stamp = self.files.stamp(folder)
        changed = stamp[0] if stamp is not None else 0
        if known is not None and stamp is not None and known[0] == changed:
            return known[1]
        names = self.files.names(folder) if stamp is not None else ()
        ranks: dict[str, int] = {}
        found: dict[str, _Entry] = {}
        for name in names:
            stem, dot, suffix = name.partition(".")
            rank = self._rank(dot + suffix)
            if rank is None:
                continue
            other = found.get(stem, _NOTHING)
            if rank == 0:
                found[stem] = _Entry(True, other.file)
            elif other.file is None or rank < ranks[stem]:
                found[stem] = _Entry(other.folder, name)
                ranks[stem] = rank
        self._lists[folder] = changed, found
        return found

    def _index(self, root: str) -> dict[str, tuple[Dist, ...]]:
        """Give first part of a listed path -> distributions, of the metadata in one folder."""
        stamp = self.files.stamp(root)
        if stamp is None:
            return {}
        changed = stamp[0]
        known = self._owners.get(root)
        if known is not None and known[0] == changed:
            return known[1]
        index: dict[str, tuple[Dist, ...]] = {}
        for folder in sorted(self.files.names(root)):
            match = _DIST_INFO.match(folder)
            if match is None:
                continue
            for record in ("RECORD", "installed-files.txt"):
                dist = Dist(match[1], match[2], f"{root}/{folder}/{record}")
                data = self._read(dist.record)
                for first in set(_FIRST.findall(data)):
                    name = first.decode("utf-8", "surrogateescape")
                    index[name] = (*index.get(name, ()), dist)
                if data:
                    break
        self._owners[root] = changed, index
        self._binaries.clear()
        return index

    def _editable(self, name: str) -> Module | None:
        """Look in the tables of setuptools' finders of editable installations."""
        folder = editable_folder(name)
        start = self._list(folder).get("__init__") if folder else None
        if start is not None and start.file is not None:
            return Module(name, f"{folder}/{start.file}", (folder,), posixpath.dirname(folder))
        if folder and self.files.is_file(folder + ".py"):
            return Module(name, folder + ".py", (), posixpath.dirname(folder))
        return None

    def _rank(self, suffix: str) -> int | None:
        """Give the place of a suffix among those that are imported, the first wins."""
        if not suffix:
            return 0
        if suffix in self._suffixes:
            return 1
        if suffix == ".py":
            return 2
        # Of another interpreter: another environment than the running one may be asked about.
        return 3 if suffix.endswith(BINARY) else None

    def _read(self, path: str) -> bytes:
        """Give a list of files with a line break before its first line too; b"" without one."""
        try:
            return b"\n" + self.files.read(path, _MOST_RECORD_BYTES)
        except OSError:
            return b""


def is_extension(name: str) -> bool:
    """Tell whether a file's name is that of an extension module of some CPython."""
    return re.search(r"\.(cpython-[^/]*|abi3|pypy[^/]*)\.so$|\.pyd$", name) is not None
