"""What imports would load in an environment of any system, told from its files: with branches.

Where something is only supposed to be there (Homebrew's libomp, System32's DLLs), the answer is
given with it, and what is otherwise without it stands in a branch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..facts.targets import Target
from ..knowledge.elsewhere import elsewhere
from ..knowledge.manners import manners_of
from ..loader.files import Files
from ..loader.simulators import simulator
from .expected import Branch, MayLoad
from .layout import image_root_of, prefix_of
from .modules import Installed
from .question import Question, matters
from .reached import Walk
from .sources import Sources
from .supposed import Supposed


@dataclass(frozen=True, slots=True)
class Run:
    """One answer, and which of the supposed files it has mapped."""

    answer: MayLoad
    used: tuple[str, ...]


class Site:
    """An environment whose files are read and whose system is not here.

    Parameters
    ----------
    path
        Its folders of packages, in the order of ``sys.path``.
    target
        Its system.
    files
        Where they are.
    on_disk
        Whether they are files of this machine, so that their paths can be written down.
    """

    def __init__(
        self, path: Sequence[str], target: Target, files: Files, *, on_disk: bool = True
    ) -> None:
        self.target = target
        self.path = tuple(path)
        self.on_disk = on_disk
        self._files = files
        in_images = manners_of(target.system).in_images
        self._root = image_root_of(path[0], files) if path and in_images else ""
        self._prefix = prefix_of(path[0]) if path else "/"
        self.roots = tuple(
            dict.fromkeys((*path, *map(prefix_of, path), *filter(None, [self._root])))
        )
        base = Supposed(files, target, self.roots)
        self._installed = Installed(self.path, base, target)
        self._sources = Sources(base, target)

    def may_load(self, modules: Sequence[str]) -> MayLoad:
        """Give what importing these modules, in this order, may load, with its branches."""
        run = self.run(modules)
        return replace(run.answer, branches=tuple(self._branches(modules, run)))

    def run(
        self,
        modules: Sequence[str],
        lacks: Collection[str] = (),
        environ: Mapping[str, str] | None = None,
        links: Mapping[str, str] | None = None,
    ) -> Run:
        """Give one answer, without branches.

        Parameters
        ----------
        modules
            In the order of importing.
        lacks
            Keys of what is taken not to be there.
        environ
            Variables besides the target's.
        links
            Path of a file that is taken to be a link of another -> that one.
        """
        target = self.target
        environ = {**target.environ, **(environ or {})}
        files = Supposed(self._files, target, self.roots, lacks, links)
        loader = simulator(
            target, files, environ, matters=matters, prefix=self._prefix, root=self._root
        )
        self._installed.refresh()
        walk = Walk(self._installed, self._sources, environ)
        layer = environ.get("MKL_THREADING_LAYER", "").upper()
        question = Question(self._installed, walk, loader, layer)
        for name in modules:
            question.ask(name)
        supposed = (files.at(image.path) for image in loader.loaded)
        used = dict.fromkeys(each.key for each in supposed if each is not None)
        return Run(question.answer(), tuple(used))

    def _branches(self, modules: Sequence[str], run: Run) -> Iterator[Branch]:
        known = {each.key: each for each in elsewhere(self.target.system, self.target.cpu)}
        failing = {gap.what for gap in run.answer.failing}
        for key in run.used:
            if key in self.target.has:
                continue
            without = self.run(modules, lacks=(key,)).answer
            yield Branch(
                key=key,
                words=known[key].words,
                copies=run.answer.copies,
                copies_without=without.copies,
                failing=tuple(gap.what for gap in without.failing if gap.what not in failing),
                remedy=known[key].remedy,
            )
