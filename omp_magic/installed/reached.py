"""Which modules importing a module would import in turn, and which libraries they would load.

The walk goes through the files as the import system would, in its order, and runs nothing. What
it cannot see: imports that a function makes which is called meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .changes import Changes
from .entities import Module
from .modules import Installed
from .sources import NO_SOURCE, Source, Sources

_MOST_MODULES = 20_000

_CYTHON = b"does not export expected C"
_CALLED = (
    ("numpy", b"_multiarray_umath", b""),
    ("numpy", b"\0numpy\0", b""),
    ("scipy.linalg.cython_blas", b"scipy.linalg.cython_blas", _CYTHON),
    ("scipy.linalg.cython_lapack", b"scipy.linalg.cython_lapack", _CYTHON),
)
"""Modules that machine code imports when it is imported, by two texts that it then holds.

NumPy's import_array(), and Cython's cimport with its error message: numba, jaxlib and clarabel
name SciPy's modules too, and import them later.
"""

_KERAS = frozenset(("tensorflow", "jax", "torch", "numpy", "openvino"))
"""What Keras 3 compares the variable KERAS_BACKEND with (keras/src/backend/config.py)."""

_ELSEWHERE = frozenset(("__main__", "_typeshed"))
_MADE_BY = {"distutils": "_distutils_hack"}
"""Modules that need no file on ``sys.path``; those that a .pth file makes, and by what."""


class Opening(NamedTuple):
    """A shared object that an import loads.

    Parameters
    ----------
    path
        The file.
    module
        The module that loads it: the extension itself, or who opens it by ctypes.
    shared
        Whether it goes into the global scope (RTLD_GLOBAL).
    folder
        Whether it is no file but a folder that libraries are looked for in from now on.
    """

    path: str
    module: str
    shared: bool = False
    folder: bool = False


class _Step(NamedTuple):  # a module to import; whether its importer fails when it does
    name: str
    certain: bool


@dataclass(slots=True)
class _Frame:
    """A module that is being imported: its steps, and the one that is at work."""

    name: str
    steps: Iterator[_Step]
    certain: bool = False


@dataclass(slots=True)
class Walk:
    """One walk; modules that were reached once are not walked again.

    Parameters
    ----------
    installed, sources
        Find and read the files.
    environ
        For the variables that choose between packages.
    imported
        Modules that are imported already: they load nothing again.
    """

    installed: Installed
    sources: Sources
    environ: Mapping[str, str] = field(default_factory=dict)
    imported: Collection[str] = ()
    modules: dict[str, Module | None] = field(default_factory=dict)
    """Every module reached, in the order of importing; None for one without a file."""
    failed: dict[str, str] = field(default_factory=dict)
    """Modules whose import would fail -> the module that is missing."""
    doubtful: dict[str, str] = field(default_factory=dict)
    """Modules that are not found -> the module that changes where they are looked for."""
    cut: bool = False
    """Whether there were too many to follow all."""
    sets: dict[str, list[str]] = field(default_factory=dict)
    """Variables that importing sets for the process -> the modules that do."""
    broken: dict[str, str] = field(default_factory=dict)
    """Libraries that are not found and without which a load fails -> the file that needs them."""
    _broken: dict[str, str] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    _changes: Changes = field(default_factory=Changes)

    def into(self, name: str) -> Iterator[Opening]:
        """Give what importing a module loads, in order, as far as it was not given before."""
        stack = [_Frame("", _prefixes(name, certain=True))]
        while stack:
            step = next(stack[-1].steps, None)
            if step is None:
                stack.pop()
                continue
            each, stack[-1].certain = step
            if each in self.modules and each not in self._lost:
                missing = self.failed.get(each)
            elif len(self.modules) >= _MOST_MODULES:
                self.cut = True
                return
            else:
                module = self.modules[each] = self._find(each)
                missing = each if module is None and self._is_missing(each) else None
                if missing is not None:
                    self._lost.add(each)  # perhaps not for ever: the path may change
                    missing = self._unless_made(each, stack)
                if module is not None and module.file is not None and each not in self.imported:
                    source = self._source(module)
                    yield from self._openings(module, source)
                    missing = self._broken.get(each)
                    if missing is not None:
                        self.failed[each] = missing
                    module = self.modules[each] = self._changed(module, source)
                    if missing is None:
                        stack.append(_Frame(each, self._steps(module, source)))
            while missing is not None and stack and stack[-1].certain:
                # An import that nothing catches fails its module, and so whoever imports that.
                self.failed[stack.pop().name] = missing

    def _source(self, module: Module) -> Source:
        """Give what a module's source says; with its text where it may open libraries."""
        if module.binary or module.file is None:
            return NO_SOURCE
        return self.sources.of(module.file, bool(self._binaries(module)), module.root)

    def _binaries(self, module: Module) -> list[str]:
        """Give the shared objects that a module's distributions ship and it may open."""
        top = module.name.partition(".")[0]
        dists = self.installed.owners(top, module.root)
        if not dists and not self.installed.target.here:
            return [*self.installed.loose(top, module.root)]
        return [path for dist in dists for path in self.installed.binaries(dist)]

    def _changed(self, module: Module, source: Source) -> Module:
        """Give a module with what its source changes about finding others."""
        return self._changes.note(module, source.lookups, self.installed.path, self.installed.files)

    def break_off(self, module: str, name: str, by: str) -> None:
        """Say that a load of the module that was given last fails, and with it its import.

        Parameters
        ----------
        module
            The module.
        name
            The library that is not found.
        by
            The file that needs it.
        """
        self.broken[name] = by
        self._broken[module] = name

    def _unless_made(self, name: str, stack: Sequence[_Frame]) -> str | None:
        """Give a missing module's name, or None where something may bring it all the same."""
        changer = self._changes.who(stack[-1].name)
        if changer and all(frame.certain for frame in stack):
            self.doubtful[name] = changer
        return None if changer else name

    def _find(self, name: str) -> Module | None:
        parent_name, _, leaf = name.rpartition(".")
        if not parent_name:
            new, ours = self._changes, leaf not in sys.stdlib_module_names
            return self.installed.find(name, before=new.before, after=new.after) if ours else None
        parent = self.modules.get(parent_name)
        return self.installed.find(name, parent) if parent is not None else None

    def _is_missing(self, name: str) -> bool:
        """Tell whether a module surely cannot be imported; submodules may be made by a parent."""
        return (
            "." not in name
            and name not in sys.stdlib_module_names
            and name not in _ELSEWHERE
            and name not in self._changes.made
            and name not in self.imported
            and not (name in _MADE_BY and self.installed.find(_MADE_BY[name]))
            and not self.installed.foreign
        )

    def _openings(self, module: Module, source: Source) -> Iterator[Opening]:
        if module.binary:
            yield Opening(module.file or "", module.name)
            return
        told = False
        for step in source.steps:
            if step.kind == "set":
                self.sets.setdefault(step.path, []).append(module.name)
            else:
                told = told or step.kind == "open"
                yield Opening(step.path, module.name, folder=step.kind == "folder")
        if source.text and not told:
            shared = b"RTLD_GLOBAL" in source.text
            for path in self._binaries(module):
                if self.sources.names(source.text, path):
                    yield Opening(path, module.name, shared)

    def _steps(self, module: Module, source: Source) -> Iterator[_Step]:
        """Give the modules that a module imports, in order; of names only those with a file."""
        if module.binary:
            yield from self._called(module)
            return
        for level, target, names, certain, when in source.imports:
            base = _absolute(module, level, target) if level else target
            if not base or base.partition(".")[0] in sys.stdlib_module_names:
                continue
            if when and self._passed_over(module, when):
                continue
            yield from _prefixes(base, certain)
            parent = self.modules.get(base)
            if parent is not None and parent.folders:
                for name in names:
                    full = f"{base}.{name}"
                    if full not in self.modules and self.installed.find(full, parent) is not None:
                        yield _Step(full, certain)
        leaf = module.name.rpartition(".")[2]
        if module.folders:
            # A package that puts an extension of its own name in its place: cv2/cv2.abi3.so.
            inner = self.installed.find(f"{module.name}.{leaf}", module)
            if inner is not None and inner.binary:
                yield _Step(inner.name, certain=False)

    def _called(self, module: Module) -> Iterator[_Step]:
        """Give what an extension module imports, as far as its file tells."""
        for name, *marks in _CALLED:
            if name not in self.modules and self.sources.holds(module.file or "", *marks):
                yield from _prefixes(name, certain=False)

    def _passed_over(self, module: Module, when: str) -> bool:
        there = self.installed.target.is_called(when)
        if there is not None:
            return not there
        if when in _KERAS and module.name.startswith("keras."):
            return when != self.environ.get("KERAS_BACKEND", "tensorflow")
        return False


def _absolute(module: Module, level: int, target: str) -> str:
    package = module.name if module.folders else module.name.rpartition(".")[0]
    parts = package.split(".")
    above = parts[: len(parts) - level + 1]
    return ".".join([*above, target] if target else above)


def _prefixes(name: str, certain: bool) -> Iterator[_Step]:
    at = name.find(".")
    while at >= 0:
        yield _Step(name[:at], certain)
        at = name.find(".", at + 1)
    yield _Step(name, certain)
