"""One question: what importing these modules, one after the other, would map into a process."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterator

from ..facts.libraries import Gap, Library
from ..knowledge.catalog import Family, answers_for, family_of
from ..knowledge.manners import manners_of
from ..loader.images import Image, SimulatedLoader
from .entities import Dist
from .expected import Asked, Bringer, Coming, MayLoad
from .imagefacts import ImageFacts
from .modules import Installed
from .nearby import nearest_module
from .reached import Opening, Walk
from .variants import stem_of

_MKL_RUNTIMES = {
    "linux": {"INTEL": "libiomp5.so", "GNU": "libgomp.so.1"},
    "macos": {"INTEL": "libiomp5.dylib"},
    "windows": {"INTEL": "libiomp5md.dll"},
}


class Question:
    """The state of one answer.

    Parameters
    ----------
    installed, walk
        Find modules, and go through their imports.
    loader
        The process, as nothing or as what it has already.
    mkl_layer
        What MKL_THREADING_LAYER says.
    serving
        The kin of the OpenMP runtime in the global scope, or None while there is none.
    """

    def __init__(
        self,
        installed: Installed,
        walk: Walk,
        loader: SimulatedLoader,
        mkl_layer: str = "",
        serving: str | None = None,
    ) -> None:
        self.walk = walk
        self.loader = loader
        self._installed = installed
        self._target = installed.target
        self._manners = manners_of(installed.target.system)
        self._mkl_layer = mkl_layer
        self._serving = serving
        self._provider: Image | None = None
        """The runtime in the global scope, if one of these imports puts it there."""
        self._bound: dict[int, str | None] = {}
        """What was in the global scope when each image came."""
        self._asked: list[Asked] = []
        self._unknown: list[Gap] = []
        self._loads: list[tuple[list[Image], str, str]] = []
        """What was loaded with all it needs, the module asked about, and the one that loads it."""
        self._variants: dict[str, str] = {}
        self._facts = ImageFacts(installed, loader)

    def ask(self, name: str) -> None:
        """Walk into one module."""
        if not all(part.isidentifier() for part in name.split(".")):
            self._unknown.append(Gap(what=name, why="this is no module's name"))
            return
        for opening in self.walk.into(name):
            self._open(opening, name)
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            self._asked.append(Asked(name=name, distributions=(), file=None))
            return
        module = self.walk.modules.get(name)
        if module is None:
            self._unknown.append(Gap(what=name, why=self._why_unknown(name, top)))
            return
        owners = self._installed.owners(top, module.root)
        labels = tuple(f"{each.name} {each.version}" for each in owners)
        self._asked.append(Asked(name=name, distributions=labels, file=module.file))

    def _why_unknown(self, name: str, top: str) -> str:
        if top in self.walk.modules and self.walk.modules[top] is not None:
            return f"{top} is installed and has no file for it; it may make it when imported"
        near = nearest_module(name) if self._target.here else self._installed.nearest(name)
        return "no such module" + (f"; did you mean {near}?" if near else "")

    def _open(self, opening: Opening, asked: str) -> None:
        if opening.folder:
            self.loader.open_folders((opening.path,))
            return
        if self._is_variant(opening.path):
            return
        image = self.loader.load(opening.path)
        if image is None:
            missing = [each for each in self.loader.missing if each.fatal and matters(each.name)]
            if missing and "/" in opening.path:
                self.walk.break_off(opening.module, missing[-1].name, missing[-1].by)
            return
        self._add(image, asked, opening.module, shared=opening.shared)
        if opening.module == "mkl._mklinit":
            # mkl/_mklinitmodule.c, _preload_threading_layer: the runtime of the layer that is
            # asked for, else Intel's, unless another one is in the global scope.
            layer = self._mkl_layer or ("" if self._serving else "INTEL")
            name = _MKL_RUNTIMES[self._target.system].get(layer, "")
            runtime = self.loader.load(name, image) if name else None
            if runtime is not None:
                self._add(runtime, asked, opening.module, shared=True)

    def _is_variant(self, path: str) -> bool:
        """Tell whether a file is another form, for another processor, of one that was loaded.

        Where packages share their runtime by name it does not matter which one it is.
        """
        if not self._manners.copies_by_folder:
            return False
        base = path.rpartition("/")[2]
        return self._variants.setdefault(stem_of(path), base) != base

    def _add(self, image: Image, asked: str, through: str, *, shared: bool) -> None:
        """Note a load, and whether it puts an OpenMP runtime into the global scope."""
        closure = _closure(image)
        self._loads.append((closure, asked, through))
        for each in closure:
            self._bound.setdefault(id(each), self._serving)
            if shared and self._serving is None:
                family = family_of(posixpath.basename(each.path))
                if family is not None and family.api == "openmp":
                    self._serving, self._provider = family.kin, each

    def answer(self) -> MayLoad:
        """Put together what the walks found."""
        bringers: dict[int, dict[tuple[str, str | None], Bringer]] = {}
        owners = self._owners()
        for closure, asked, through in self._loads:
            dist = owners.get(through.partition(".")[0], ())
            name = dist[0].name if dist else None
            for each in closure:
                if self._facts.family(each) is not None:
                    who = Bringer(module=asked, distribution=name, through=through)
                    bringers.setdefault(id(each), {}).setdefault((asked, name), who)
        runtimes = []
        for each in self.loader.loaded:
            family = self._facts.family(each) if id(each) in bringers else None
            if family is not None:
                library = self._library(each, *family)
                brought_by = tuple(bringers[id(each)].values())
                runtimes.append(Coming(library=library, brought_by=brought_by))
        return MayLoad(
            asked=tuple(self._asked),
            runtimes=tuple(runtimes),
            distributions=tuple(dict.fromkeys(d.name for each in owners.values() for d in each)),
            modules=sum(each is not None for each in self.walk.modules.values()),
            objects=len(self.loader.loaded),
            unknown=tuple(self._unknown),
            failing=tuple(self._failing()),
            sets={name: tuple(modules) for name, modules in self.walk.sets.items()},
            notes=tuple(self._notes()),
        )

    def _owners(self) -> dict[str, tuple[Dist, ...]]:
        """Give top-level name -> distributions, of every module that was reached."""
        return {
            name: self._installed.owners(name, module.root)
            for name, module in self.walk.modules.items()
            if module is not None and "." not in name
        }

    def _failing(self) -> Iterator[Gap]:
        for each in self._asked:
            missing = self.walk.failed.get(each.name)
            if missing is not None:
                by = self.walk.broken.get(missing)
                where = f"{missing} is not installed"
                if by is not None:
                    where = f"{missing} is not found, which {self._inside(by)} needs"
                yield Gap(what=each.name, why=where)

    def _inside(self, path: str) -> str:
        """Give a file by its path inside of the folder of packages."""
        root = next((r for r in self._installed.path if path.startswith(f"{r}/")), "")
        return path[len(root) + 1 :] if root else path or "the program"

    def _notes(self) -> Iterator[str]:
        for gap in self._failing():
            yield f"importing {gap.what} would fail: {gap.why}"
        for name, changer in self.walk.doubtful.items():
            told = "changes where modules are looked for"
            yield f"{name} is on no folder of sys.path; {changer} {told}"
        if self.walk.cut:
            yield "not every module was followed: there are too many"
        lost = {each.name: each.by for each in reversed(self.loader.missing)}
        for name, by in lost.items():
            if family_of(posixpath.basename(name).lower()) and name not in self.walk.broken:
                yield f"{name} is not found, which {posixpath.basename(by)} needs"

    def _library(self, image: Image, family: Family, static: bool) -> Library:
        serves, idle = self._role(image, family, static=static)
        return self._facts.library(image, family, static=static, serves=serves, idle=idle)

    def _role(
        self, image: Image, family: Family, *, static: bool
    ) -> tuple[bool | None, bool | None]:
        """Tell whether a runtime will serve the global scope, and whether it will be idle."""
        if family.key == "vcomp":
            # scikit-learn opens its own by name; who is linked with it takes the first of all.
            return None, not any(image in each.needed for each in self.loader.loaded)
        if family.api != "openmp" or not self._manners.has_global_scope:
            return None, None
        serves = None if self._serving is None else image is self._provider
        bound = self._bound.get(id(image))
        return serves, not (static or bound is None) and answers_for(bound, family.kin)


def matters(name: str) -> bool:
    """Tell whether a library is a runtime: without it a load is taken to fail.

    Of all others none is missed: an environment is looked at without its whole system.
    """
    return family_of(posixpath.basename(name).lower()) is not None


def _closure(first: Image) -> list[Image]:
    found = {id(first): first}
    waiting = [first]
    while waiting:
        for each in waiting.pop().needed:
            if id(each) not in found:
                found[id(each)] = each
                waiting.append(each)
    return list(found.values())
