"""Which OpenMP and BLAS runtimes importing modules may load, told from files alone.

Nothing is imported, run or loaded, and no file is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..facts.libraries import Library
from ..knowledge.manners import manners_of
from ..loader.files import Disk
from ..loader.here import this_target
from ..loader.simulators import simulator
from .expected import MayLoad
from .modules import Installed
from .question import Question, matters
from .reached import Walk
from .sources import Sources

__all__ = ["Distributions", "MayLoad", "may_load"]


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
        target, files = this_target(), Disk()
        folders = [posix(each) for each in (sys.path if path is None else path)]
        self._installed = Installed(folders, files, target)
        self._sources = Sources(files, target)

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
        target, files = self._installed.target, self._installed.files
        fails = manners_of(target.system).not_found_fails
        loader = simulator(
            target,
            files,
            environ,
            matters=matters if fails else _nothing,
            prefix=posix(sys.prefix),
            present=[(each.soname, each.path) for each in present],
        )
        question = Question(
            self._installed,
            Walk(self._installed, self._sources, environ, imported),
            loader,
            environ.get("MKL_THREADING_LAYER", "").upper(),
            next((each.kin for each in present if each.serves), None),
        )
        for name in modules:
            question.ask(name)
        return question.answer()


def posix(path: str) -> str:
    """Give a path of this machine, absolute and with ``/`` between its parts."""
    return os.path.abspath(path).replace(os.sep, "/")


def _nothing(_name: str) -> bool:
    """Tell that no load is taken to fail: this machine's own library may come from anywhere."""
    return False


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
