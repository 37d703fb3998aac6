"""For which systems the files of an environment are: an answer for another one would be none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..errors import ParseError, RequestError
from ..facts.targets import TARGETS, Target
from ..loader.files import Files

_MOST_FOLDERS = 400
_ENOUGH_FILES = 12
_DEEPEST = 3
_EXTENSIONS = (".so", ".pyd")


def suited(target: Target, path: Sequence[str], files: Files) -> Target:
    """Give a target that the files of an environment are for.

    Where nobody said which system is meant, it is theirs.

    Parameters
    ----------
    target
        The system that is asked about.
    path
        Folders of packages.
    files
        Where they are.

    Raises
    ------
    RequestError
        When none of them is for the system that was named: nothing could be loaded there.
    """
    found = systems_of(path, files)
    known = [each for each in found if "-".join(each) in TARGETS]
    if not known or (target.system, target.cpu) in found:
        return target
    system, cpu = known[0]
    if target.named:
        theirs = f"{system}-{cpu}"
        accepted = f"{theirs}, which the files in {path[0]} are for"
        raise RequestError(f"--target {target.name}", accepted, f"--target {theirs}")
    return replace(target, system=system, cpu=cpu, local=False)


def systems_of(path: Sequence[str], files: Files) -> tuple[tuple[str, str], ...]:
    """Give the systems and processors that extension modules are for, the most usual first.

    A few of them tell it, of different packages; () where there is none.
    """
    count: dict[tuple[str, str], int] = {}
    for read, file in enumerate(_extensions(path, files)):
        if read == _ENOUGH_FILES:
            break
        try:
            parts = files.binaries(file)
        except (OSError, ValueError, ParseError):
            continue
        for part in parts:
            key = part.system, part.cpu
            count[key] = count.get(key, 0) + 1
    return tuple(sorted(count, key=lambda each: -count[each]))


def _extensions(path: Sequence[str], files: Files) -> Iterator[str]:
    """Give extension modules, one a folder, those that are least deep first."""
    level, listed = list(path), 0
    for _ in range(_DEEPEST):
        below: list[str] = []
        for folder in level:
            listed += 1
            if listed > _MOST_FOLDERS:
                return
            names = sorted(files.names(folder))
            yield from [f"{folder}/{each}" for each in names if each.endswith(_EXTENSIONS)][:1]
            below += [f"{folder}/{each}" for each in names if "." not in each]
        level = below
