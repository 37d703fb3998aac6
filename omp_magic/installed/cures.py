"""Changes after which one copy of the LLVM family is left: each is tried on the files first."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterator, Sequence

from ..facts.libraries import Library
from ..knowledge.elsewhere import words_at
from ..knowledge.registration import ENVIRONMENT, FILE, SHARED_MEMORY
from ..knowledge.remedies import CURES
from .expected import Cure, MayLoad
from .foreign import Site

_MOST_ORDERS = 24
_LIBRARY_PATH = "DYLD_LIBRARY_PATH"
_SITE = "$(python -c \"import sysconfig; print(sysconfig.get_path('platlib'))\")"
"""The folder of packages of an environment that is not there yet, for a shell."""


def cures(site: Site, modules: Sequence[str], found: MayLoad) -> tuple[Cure, ...]:
    """Give the changes that help, the least first.

    Parameters
    ----------
    site
        The environment.
    modules
        As they were asked about.
    found
        What `Site.may_load` gave for them.
    """
    if found.copies < 2:
        return ()
    kinds = CURES[site.target.system]
    tried = (_WAYS[kind](site, modules, found) for kind in kinds)
    return tuple(each for each in tried if each is not None)


def orders(modules: Sequence[str], found: MayLoad) -> Iterator[tuple[str, ...]]:
    """Give other orders of the imports that bring a copy, the first of them at first."""
    asked = tuple(dict.fromkeys(modules))
    bringers = {
        who.module
        for each in found.runtimes
        if each.library.kin == "llvm"
        for who in each.brought_by
    }
    moved = [name for name in asked if name in bringers]
    others = [name for name in asked if name not in bringers]
    for order in itertools.islice(itertools.permutations(moved), 1, _MOST_ORDERS):
        yield (*order, *others)


def _is_cured(answer: MayLoad, found: MayLoad) -> bool:
    """Tell whether one copy is left, and nothing fails that did not fail before."""
    before = {gap.what for gap in found.failing}
    return answer.copies <= 1 and before.issuperset(gap.what for gap in answer.failing)


def _other_order(site: Site, modules: Sequence[str], found: MayLoad) -> Cure | None:
    for order in orders(modules, found):
        answer = site.run(order).answer
        if _is_cured(answer, found):
            code = f"import {', '.join(order[: _most_named(order)])}"
            words = "Import them in an order in which one copy serves all"
            return Cure(kind="order", words=words, code=code, copies=answer.copies)
    return None


def _most_named(order: Sequence[str]) -> int:
    """Give how many names a line of code takes; those that bring a copy come first."""
    return min(len(order), 8)


def _by_variable(site: Site, modules: Sequence[str], found: MayLoad) -> Cure | None:
    """Let every request for one file name lead to one copy."""
    for library in _newest(found):
        if library.static or not library.path.startswith(site.roots):
            continue
        folder = library.path.rpartition("/")[0]
        answer = site.run(modules, environ={_LIBRARY_PATH: folder}).answer
        # Other files of that folder may take the place of others' that have their names too.
        fewer = found.objects - answer.objects
        if _is_cured(answer, found) and fewer == found.copies - answer.copies:
            words = f"Before Python starts, let {library.file_name} be one copy for all"
            code = f"export {_LIBRARY_PATH}={_written(site, folder)}"
            return Cure(kind="variable", words=words, code=code, copies=answer.copies)
    return None


def _by_link(site: Site, modules: Sequence[str], found: MayLoad) -> Cure | None:
    """Make the other copies links of one."""
    copies = [each for each in found.libraries if each.kin == "llvm"]
    ours = [each for each in copies if each.path.startswith(site.roots)]
    # Intel's has functions that LLVM's lacks, and what is linked in has no file.
    if len({each.family for each in copies}) > 1 or any(each.static for each in copies):
        return None
    for kept in _newest(found):
        others = [each.path for each in ours if each is not kept]
        answer = site.run(modules, links=dict.fromkeys(others, kept.path)).answer
        if _is_cured(answer, found):
            lines = (f"ln -sf {_written(site, kept.path)} {_written(site, o)}" for o in others)
            words = "Make one file of them, until the next installation"
            if not kept.path.startswith(site.roots):  # what only may be there
                words = f"Where {words_at(kept.path)} is there, make one file of them"
            return Cure(kind="link", words=words, code="; ".join(lines), copies=answer.copies)
    return None


def _written(site: Site, path: str) -> str:
    """Give a path as a shell takes it, where it is or will be."""
    if site.on_disk or not path.startswith(f"{site.path[0]}/"):
        return shlex.quote(path)
    return f'"{_SITE}{path[len(site.path[0]) :]}"'


def _newest(found: MayLoad) -> list[Library]:
    """Give the newest of the copies: an older one may lack what users of a newer one call.

    A copy that does not tell where it registers is the system's own, which is kept up to date.
    """
    ages = {FILE: 0, None: 0, SHARED_MEMORY: 1, ENVIRONMENT: 2}
    copies = [each for each in found.libraries if each.kin == "llvm"]
    newest = min((ages[each.registers] for each in copies), default=0)
    return [each for each in copies if ages[each.registers] == newest]


_WAYS: dict[str, Callable[[Site, Sequence[str], MayLoad], Cure | None]] = {
    "order": _other_order,
    "variable": _by_variable,
    "link": _by_link,
}
"""The kinds of cures, and what tries them."""
