"""Where modules and distributions are installed, from files: no finder is asked, nothing is run.

A module is looked for as importlib's ``FileFinder`` does, by the list of the folder: package,
extension, source. Who owns it stands in RECORD (packaging.python.org, "Recording installed
projects"), or with conda in PREFIX/conda-meta.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NamedTuple

_BINARY = (".so", ".pyd")
_FIRST = re.compile(rb'\n"?([^/,"\n]+)')
_SHARED = re.compile(rb'\.so[.,"]')
_DIST_INFO = re.compile(r"([^-]+)-(.+)\.(?:dist|egg)-info$")
_KNOWN_FINDERS = frozenset(
    ("_frozen_importlib", "_frozen_importlib_external", "importlib", "six", "_distutils_hack")
)
_MOST_RECORD_BYTES = 64 * 1024 * 1024


class Module(NamedTuple):
    """A module on disk.

    Parameters
    ----------
    name
        Dotted.
    file
        Its source or extension; None for a namespace package.
    folders
        Where its submodules are; () when it is no package.
    root
        The folder of ``sys.path`` it is below.
    """

    name: str
    file: str | None
    folders: tuple[str, ...]
    root: str

    @property
    def binary(self) -> bool:
        """Whether it is machine code."""
        return self.file is not None and self.file.endswith(_BINARY)


class Dist(NamedTuple):
    """An installed distribution.

    Parameters
    ----------
    name, version
        As its folder of metadata is called, which pip writes with ``_`` for ``-``.
    record
        Path of its RECORD, or of installed-files.txt.
    """

    name: str
    version: str
    record: str

    @property
    def title(self) -> str:
        """Its name as its metadata write it, which an installer takes: ``scikit-learn``."""
        folder = os.path.dirname(self.record)
        for file in ("METADATA", "PKG-INFO"):
            try:
                text = _read(os.path.join(folder, file))
            except OSError:
                continue
            found = re.search(rb"^Name: *([\w.-]+)", text, re.MULTILINE)
            if found is not None:
                return found[1].decode()
        return self.name


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
    """

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(os.path.abspath(each) for each in path)
        self._lists: dict[str, tuple[int, dict[str, _Entry]]] = {}
        self._checked: set[str] = set()
        self._binaries: dict[Dist, tuple[str, ...]] = {}
        self._owners: dict[str, tuple[int, dict[str, tuple[Dist, ...]]]] = {}

    @property
    def foreign(self) -> bool:
        """Whether a finder is at work whose modules may have no file that is looked at here."""
        return any(
            getattr(finder, "__module__", "").partition(".")[0] not in _KNOWN_FINDERS
            and not getattr(finder, "__module__", "").startswith("__editable__")
            for finder in sys.meta_path
        )

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
            inner = os.path.join(folder, leaf)
            if entry.folder:
                start = self._list(inner).get("__init__")
                if start is not None and start.file is not None:
                    return Module(name, os.path.join(inner, start.file), (inner,), root)
            if entry.file is not None:
                return Module(name, os.path.join(folder, entry.file), (), root)
            if os.path.isdir(inner):
                namespace.append((inner, root))
        if namespace:
            return Module(name, None, tuple(each for each, _ in namespace), namespace[0][1])
        return self._editable(name) if parent is None else None

    def owners(self, name: str, root: str) -> tuple[Dist, ...]:
        """Give the distributions whose RECORD lists a top-level name below a folder."""
        index = self._index(root)
        entry = self._list(root).get(name)
        file = entry.file if entry is not None else None
        return index.get(name) or index.get(file or "", ())

    def shipper(self, path: str) -> Dist | None:
        """Give the distribution that lists a file, or None."""
        for root in self.path:
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            found = self._index(root).get(relative.partition("/")[0], ())
            if len(found) == 1 and not relative.startswith(".."):
                return found[0]
            line = f"\n{relative},".encode("utf-8", "surrogateescape")
            owner = next((each for each in found if line in _read(each.record)), None)
            if owner is not None:
                return owner
        return None

    def binaries(self, dist: Dist) -> tuple[str, ...]:
        """Give the shared objects of a distribution that are no extension modules."""
        found = self._binaries.get(dist)
        if found is None:
            data = _read(dist.record)
            root = os.path.dirname(os.path.dirname(dist.record))
            texts = set()
            for match in _SHARED.finditer(data):
                begin = data.rfind(b"\n", 0, match.start()) + 1
                listed = data[begin : data.find(b",", match.start())].strip(b'"')
                if b".libs/" not in listed:  # auditwheel's: found by DT_NEEDED, never by name
                    texts.add(listed.decode("utf-8", "surrogateescape"))
            found = self._binaries[dist] = tuple(
                os.path.normpath(os.path.join(root, each))
                for each in sorted(texts)
                if not is_extension(each)
            )
        return found

    def _list(self, folder: str) -> dict[str, _Entry]:
        """Give what can be imported from a folder, by name."""
        known = self._lists.get(folder)
        if known is not None and folder in self._checked:
            return known[1]
        self._checked.add(folder)
        try:
            changed = os.stat(folder).st_mtime_ns
            if known is not None and known[0] == changed:
                return known[1]
            names = os.listdir(folder)
        except OSError:
            changed, names = 0, []
        ranks: dict[str, int] = {}
        found: dict[str, _Entry] = {}
        for name in names:
            stem, dot, suffix = name.partition(".")
            rank = _rank(dot + suffix)
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
        try:
            changed = os.stat(root).st_mtime_ns
        except OSError:
            return {}
        known = self._owners.get(root)
        if known is not None and known[0] == changed:
            return known[1]
        index: dict[str, tuple[Dist, ...]] = {}
        for folder in sorted(os.listdir(root)) if os.path.isdir(root) else ():
            match = _DIST_INFO.match(folder)
            if match is None:
                continue
            for record in ("RECORD", "installed-files.txt"):
                dist = Dist(match[1], match[2], os.path.join(root, folder, record))
                data = _read(dist.record)
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
        for finder in sys.meta_path:
            module = getattr(finder, "__module__", "")
            table = getattr(sys.modules.get(module), "MAPPING", None)
            if module.startswith("__editable__") and isinstance(table, dict) and name in table:
                folder = str(table[name])
                start = self._list(folder).get("__init__")
                if start is not None and start.file is not None:
                    file = os.path.join(folder, start.file)
                    return Module(name, file, (folder,), os.path.dirname(folder))
                if os.path.isfile(folder + ".py"):
                    return Module(name, folder + ".py", (), os.path.dirname(folder))
        return None


def is_extension(name: str) -> bool:
    """Tell whether a file's name is that of an extension module of some CPython."""
    return re.search(r"\.(cpython-[^/]*|abi3|pypy[^/]*)\.so$|\.pyd$", name) is not None


def _rank(suffix: str) -> int | None:
    """Give the place of a suffix among those that are imported, the first wins."""
    if not suffix:
        return 0
    if suffix in EXTENSION_SUFFIXES:
        return 1
    if suffix == ".py":
        return 2
    # Of another interpreter: another environment than the running one may be asked about.
    return 3 if suffix.endswith(_BINARY) else None


def _read(path: str) -> bytes:
    """Give a list of files with a line break before its first line too; b"" when there is none."""
    try:
        with open(path, "rb") as file:
            return b"\n" + file.read(_MOST_RECORD_BYTES)
    except OSError:
        return b""
