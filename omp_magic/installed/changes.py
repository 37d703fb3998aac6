"""What the imports of one walk have changed about where modules are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..loader.files import Files
from .entities import Module
from .lookups import NOTHING, Lookups


@dataclass(slots=True)
class Changes:
    """Grows with each module that is walked into.

    Parameters
    ----------
    before, after
        Folders that were put before and after those of ``sys.path``.
    made
        Top-level modules that were put into ``sys.modules``.
    """

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    _opaque: str = ""
    _called: dict[str, str] = field(default_factory=dict)

    def note(self, module: Module, found: Lookups, path: Sequence[str], files: Files) -> Module:
        """Note what a module changes; give it with the folders that its submodules then have.

        Parameters
        ----------
        module
            The module, which is being imported.
        found
            What its source says.
        path
            The folders of ``sys.path``.
        files
            Where they are.
        """
        if found is NOTHING:
            return module
        self.before[:0] = found.before
        self.after += found.after
        self.made.update(found.made)
        if found.opaque:
            self._opaque = self._opaque or module.name
        if found.called:
            self._called.setdefault(_top(module.name), module.name)
        inside = list(found.inside)
        if found.spread:
            own = module.name.replace(".", "/")
            inside += [f"{folder}/{own}" for folder in path]
        if not inside or not module.folders:
            return module
        folders = dict.fromkeys((*module.folders, *filter(files.is_folder, inside)))
        return module._replace(folders=tuple(folders))

    def who(self, importer: str) -> str:
        """Give the module that may let `importer` find what no folder has; "" for none.

        A function that changes the path is taken to be called by its own package only.
        """
        return self._opaque or self._called.get(_top(importer), "")


def _top(name: str) -> str:
    return name.partition(".")[0]
