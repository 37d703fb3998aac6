"""Which OpenMP and BLAS runtimes importing modules may load, told from files alone.

Nothing is imported, run or loaded, and no file is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..facts.libraries import Gap, Library
from ..formats.procfs import Mapped
from ..knowledge.catalog import AT_LOAD, BY_KEY, Family, answers_for, family_of
from ..loader.objects import Loaded, Objects, Reader
from ..machine import Machine
from ..probes.runtimes.files import Files
from .expected import Asked, Bringer, Coming, MayLoad
from .modules import Dist, Installed
from .nearby import nearest_module
from .reached import Opening, Sources, Walk

__all__ = ["Distributions", "MayLoad", "may_load"]

_MKL_RUNTIMES = {"INTEL": "libiomp5.so", "GNU": "libgomp.so.1"}


class Distributions:
    """Answers for one ``sys.path``, and keeps what it read as long as the files are unchanged.

    The first answer in a process reads the sources that an import would run; a repeated one
    looks at their times only.

    Parameters
    ----------
    path
        The folders; ``sys.path`` when None.
    """

    def __init__(self, path: Sequence[str] | None = None) -> None:
        self._installed = Installed(sys.path if path is None else path)
        self._sources = Sources()
        self._reader = Reader()
        self._files = Files(Machine.here())

    def may_load(
        self,
        modules: Iterable[str],
        *,
        present: Iterable[Library] = (),
        imported: Collection[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> MayLoad:
        """Give what importing these modules, one after the other, may load.

        Parameters
        ----------
        modules
            Names such as ``"sklearn"`` or ``"scipy.linalg"``.
        present
            Runtimes that the process has already; one of them is not loaded again.
        imported
            Names in ``sys.modules``, to leave out what is imported already.
        environ
            For LD_LIBRARY_PATH and MKL_THREADING_LAYER; ``os.environ`` when None.
        """
        environ = os.environ if environ is None else environ
        self._installed.refresh()
        question = _Question(
            self._installed,
            Walk(self._installed, self._sources, environ, imported),
            Objects(self._reader, environ, tuple((e.soname, e.path) for e in present)),
            environ.get("MKL_THREADING_LAYER", "").upper(),
            next((each.kin for each in present if each.serves), None),
        )
        for name in modules:
            question.ask(name)
        return question.answer(self._files)


def may_load(
    modules: Iterable[str],
    *,
    present: Iterable[Library] = (),
    imported: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
) -> MayLoad:
    """Give what importing these modules may load; see `Distributions.may_load`.

    What is read is kept for the process, by the folders of ``sys.path``.
    """
    path = tuple(sys.path)
    if path not in _KEPT:
        _KEPT.clear()
        _KEPT[path] = Distributions(path)
    return _KEPT[path].may_load(modules, present=present, imported=imported, environ=environ)


_KEPT: dict[tuple[str, ...], Distributions] = {}


class _Question:
    """The state of one answer."""

    def __init__(
        self,
        installed: Installed,
        walk: Walk,
        objects: Objects,
        mkl_layer: str,
        serving: str | None,
    ) -> None:
        self._installed = installed
        self._walk = walk
        self._objects = objects
        self._mkl_layer = mkl_layer
        self._serving = serving
        """The kin of the OpenMP runtime in the global scope, or None while there is none."""
        self._provider: Loaded | None = None
        """That runtime, if one of these imports puts it there."""
        self._bound: dict[int, str | None] = {}
        """What was in the global scope when each object came."""
        self._asked: list[Asked] = []
        self._unknown: list[Gap] = []
        self._loads: list[tuple[list[Loaded], str, str]] = []
        """What was loaded with all it needs, the module asked about, and the one that loads it."""

    def ask(self, name: str) -> None:
        """Walk into one module."""
        if not all(part.isidentifier() for part in name.split(".")):
            self._unknown.append(Gap(what=name, why="this is no module's name"))
            return
        for opening in self._walk.into(name):
            self._open(opening, name)
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            self._asked.append(Asked(name=name, distributions=(), file=None))
            return
        module = self._walk.modules.get(name)
        if module is None:
            near = nearest_module(name)
            why = "no such module" + (f"; did you mean {near}?" if near else "")
            if top in self._walk.modules and self._walk.modules[top] is not None:
                why = f"{top} is installed and has no file for it; it may make it when imported"
            self._unknown.append(Gap(what=name, why=why))
            return
        owners = self._installed.owners(top, module.root)
        labels = tuple(f"{each.name} {each.version}" for each in owners)
        self._asked.append(Asked(name=name, distributions=labels, file=module.file))

    def _open(self, opening: Opening, asked: str) -> None:
        loaded = self._objects.load(opening.path)
        if loaded is None:
            return
        self._add(loaded, asked, opening.module, shared=opening.shared)
        if opening.module == "mkl._mklinit":
            # mkl/_mklinitmodule.c, _preload_threading_layer: the runtime of the layer that is
            # asked for, else Intel's, unless another one is in the global scope.
            layer = self._mkl_layer or ("" if self._serving else "INTEL")
            runtime = self._objects.load(_MKL_RUNTIMES.get(layer, ""), loaded)
            if runtime is not None:
                self._add(runtime, asked, opening.module, shared=True)

    def _add(self, loaded: Loaded, asked: str, through: str, *, shared: bool) -> None:
        """Note a load, and whether it puts an OpenMP runtime into the global scope."""
        closure = _closure(loaded)
        self._loads.append((closure, asked, through))
        for each in closure:
            self._bound.setdefault(id(each), self._serving)
            if shared and self._serving is None:
                family = family_of(os.path.basename(each.path))
                if family is not None and family.api == "openmp":
                    self._serving, self._provider = family.kin, each

    def answer(self, files: Files) -> MayLoad:
        """Put together what the walks found."""
        bringers: dict[int, dict[tuple[str, str | None], Bringer]] = {}
        families: dict[int, tuple[Family, bool] | None] = {}
        owners = self._owners()
        for closure, asked, through in self._loads:
            dist = owners.get(through.partition(".")[0], ())
            name = dist[0].name if dist else None
            for each in closure:
                if id(each) not in families:
                    families[id(each)] = _family(each, files)
                if families[id(each)] is not None:
                    who = Bringer(module=asked, distribution=name, through=through)
                    bringers.setdefault(id(each), {}).setdefault((asked, name), who)
        runtimes = []
        for each in self._objects.loaded:
            family = families.get(id(each))
            if family is not None:
                library = self._library(each, *family)
                brought_by = tuple(bringers[id(each)].values())
                runtimes.append(Coming(library=library, brought_by=brought_by))
        return MayLoad(
            asked=tuple(self._asked),
            runtimes=tuple(runtimes),
            distributions=tuple(dict.fromkeys(d.name for each in owners.values() for d in each)),
            modules=sum(each is not None for each in self._walk.modules.values()),
            objects=len(self._objects.loaded),
            unknown=tuple(self._unknown),
            notes=tuple(self._notes()),
        )

    def _owners(self) -> dict[str, tuple[Dist, ...]]:
        """Give top-level name -> distributions, of every module that was reached."""
        return {
            name: self._installed.owners(name, module.root)
            for name, module in self._walk.modules.items()
            if module is not None and "." not in name
        }

    def _notes(self) -> list[str]:
        notes = [
            f"importing {each.name} would fail: {self._walk.failed[each.name]} is not installed"
            for each in self._asked
            if each.name in self._walk.failed
        ]
        notes += [
            f"{name} is on no folder of sys.path; {changer} changes where modules are looked for"
            for name, changer in self._walk.doubtful.items()
        ]
        if self._walk.cut:
            notes.append("not every module was followed: there are too many")
        lost = {name: path for name, path in self._objects.missing.items() if family_of(name)}
        notes += [
            f"{name} is not found, which {os.path.basename(path)} needs"
            for name, path in lost.items()
        ]
        return notes

    def _library(self, each: Loaded, family: Family, static: bool) -> Library:
        dist = self._installed.shipper(each.path)
        users = self._users(each) if dist is None else ()
        serves, idle = self._role(each, family, static=static)
        return Library(
            family=family.key,
            label=family.label,
            api=family.api,
            kin=family.kin,
            soname=each.elf.soname,
            path=each.path,
            device=f"{os.major(each.device):02x}:{os.minor(each.device):02x}",
            inode=each.inode,
            owner=dist.title if dist is not None else None,
            owner_version=dist.version if dist is not None else None,
            users=users,
            initialized=family.starts == AT_LOAD,
            serves=serves,
            idle=idle,
            static=static,
            replaced=False,
            note="not loaded yet",
        )

    def _users(self, runtime: Loaded) -> tuple[str, ...]:
        """Give the distributions whose files need a runtime that none of them brings."""
        needers = (each for each in self._objects.loaded if runtime in each.needed)
        dists = (self._installed.shipper(each.path) for each in needers)
        return tuple(sorted({dist.title for dist in dists if dist is not None}))

    def _role(
        self, each: Loaded, family: Family, *, static: bool
    ) -> tuple[bool | None, bool | None]:
        """Tell whether a runtime will serve the global scope, and whether it will be idle."""
        if family.api != "openmp":
            return None, None
        serves = None if self._serving is None else each is self._provider
        bound = self._bound.get(id(each))
        return serves, not (static or bound is None) and answers_for(bound, family.kin)


def _closure(first: Loaded) -> list[Loaded]:
    found = {id(first): first}
    waiting = [first]
    while waiting:
        for each in waiting.pop().needed:
            if id(each) not in found:
                found[id(each)] = each
                waiting.append(each)
    return list(found.values())


def _family(each: Loaded, files: Files) -> tuple[Family, bool] | None:
    """Give the family of the runtime that an object is, or holds, and whether it holds it."""
    family = family_of(os.path.basename(each.path)) or family_of(each.elf.soname or "")
    if family is not None:
        return family, False
    if each.inode < 0:
        return None
    held = files.static_runtime(Mapped(each.path, "", each.inode, (0,), deleted=False))
    return (BY_KEY[held], True) if held is not None else None
