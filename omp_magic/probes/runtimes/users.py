"""Who uses a runtime that no distribution shipped: whose files were linked with that very copy.

glibc binds a DT_NEEDED to the first loaded object of that SONAME (elf/dl-load.c,
_dl_map_object), Windows a need to the first module of that base name in whatever case, dyld a
need to the image of that path or install name; so the names in the files that are mapped and the
order of loading tell it. No pointer of the loader is followed for it.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ...formats.binaries import Binary
from ...formats.procfs import Mapped
from .owners import Owner

_MOST_STEPS = 16
_CODE = re.compile(r"\.(so|dylib|dll|pyd)\b", re.IGNORECASE)


def is_code(file_name: str) -> bool:
    """Tell by its name whether a mapped file is a library or an extension module."""
    return _CODE.search(file_name) is not None


def users_of(  # noqa: PLR0913 - each is a view of what is loaded
    orphans: Sequence[Mapped],
    mapped: Iterable[Mapped],
    order: Mapping[int, int],
    binary: Callable[[Mapped], Binary | None],
    owners: Callable[[Iterable[str]], Mapping[str, Owner]],
    *,
    bound: Callable[[Collection[str]], Mapping[tuple[int, str], int]],
) -> dict[int, tuple[str, ...]]:
    """Give the users of runtimes without an owner.

    A library of the system that needs the runtime says little: those who need that one count,
    and so on, until a distribution is found.

    Parameters
    ----------
    orphans
        The runtimes.
    mapped
        All mapped files.
    order
        Place in the order of loading by where a file's first segment begins.
    binary
        Reads a file's own names and needs, each once (0.1 ms a file).
    owners
        Gives the distributions of files; asked for all of them at once.
    bound
        Gives whom imports of libraries of these names were bound to; see `Native.bindings`.

    Returns
    -------
    dict
        By where the runtime's first segment begins: distributions, else file names, sorted. One
        that only dlopen has asked for has none.
    """
    files = sorted(
        (file for file in mapped if is_code(file.file_name)),
        key=lambda file: order.get(file.starts[0], len(order)),
    )
    loaded = [(file, binary(file)) for file in files]
    needers = _needers(loaded, bound({file.file_name for file in orphans}))
    reached = {file.starts[0]: _all_above(file.starts[0], needers) for file in orphans}
    above = {file.starts[0]: file for files in reached.values() for file in files}
    known = owners(file.path for file in above.values())
    return {start: _names(start, known, needers) for start, files in reached.items() if files}


def _needers(
    loaded: Sequence[tuple[Mapped, Binary | None]], bound: Mapping[tuple[int, str], int]
) -> dict[int, list[Mapped]]:
    """Give for each object, by where it begins, the objects whose needs led to it."""
    by_name: dict[str, int] = {}
    for file, binary in loaded:
        own = None if binary is None else binary.name
        for name in (own, file.file_name, file.path):
            if name is not None:
                by_name.setdefault(_folded(name, binary), file.starts[0])
    needers: dict[int, list[Mapped]] = defaultdict(list)
    for file, binary in loaded:
        for name in () if binary is None else binary.needed:
            folded = _folded(name, binary)
            # "@rpath/libomp.dylib" is a place that only dyld's search knows: its last part decides.
            start = by_name.get(folded, by_name.get(folded.rpartition("/")[2]))
            start = bound.get((file.starts[0], folded), start)
            if start is not None and start != file.starts[0]:
                needers[start].append(file)
    return needers


def _folded(name: str, binary: Binary | None) -> str:
    return name.lower() if binary is not None and binary.folds_case else name


def _all_above(start: int, needers: Mapping[int, list[Mapped]]) -> list[Mapped]:
    """Give those who need an object, and those who need them, the nearest first."""
    found: dict[int, Mapped] = {}
    nearest = [start]
    for _ in range(_MOST_STEPS):
        files = [file for each in nearest for file in needers.get(each, ())]
        new = {file.starts[0]: file for file in files if file.starts[0] not in found}
        if not new:
            break
        found.update(new)
        nearest = list(new)
    return list(found.values())


def _names(
    start: int, owners: Mapping[str, Owner], needers: Mapping[int, list[Mapped]]
) -> tuple[str, ...]:
    """Give the nearest distributions above a runtime; where none is, the files nobody needs."""
    distributions: set[str] = set()
    ends: set[str] = set()
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        for file in needers.get(waiting.pop(), ()):
            if file.starts[0] in seen:
                continue
            seen.add(file.starts[0])
            owner = owners[file.path].name
            if owner is not None:
                distributions.add(owner)
            elif file.starts[0] in needers:
                waiting.append(file.starts[0])
            else:
                ends.add(_short(file))
    return tuple(sorted(distributions or ends))


def _short(file: Mapped) -> str:
    """Give the module's name for an extension module, else the file's."""
    stem, _, suffix = os.path.basename(file.path).partition(".")
    return stem if suffix.startswith(("cpython-", "abi3.", "cp3", "pyd")) else file.file_name
