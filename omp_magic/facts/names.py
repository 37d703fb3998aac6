"""What a mapped library is called: by who shipped it, who uses it, or what tells it apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_SEPARATOR = re.compile(r"[/\\]")
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_SYSTEM = ("/usr/", "/lib/", "/lib32/", "/lib64/", "/opt/rocm", "/System/")
_MOST_USERS = 3


class Called(NamedTuple):
    """What a name is made of.

    Parameters
    ----------
    api
        Two libraries of one API never have one name.
    owner
        The distribution that shipped it, or None.
    path
        The file.
    users
        Who uses it, where nobody shipped it.
    inode
        Tells two files that had one path at two times; None where it is not known.
    """

    api: str
    owner: str | None
    path: str
    users: tuple[str, ...] = ()
    inode: int | None = None


def is_system(path: str) -> bool:
    """Tell whether a file lies where the system's package manager puts what it installs."""
    return path.startswith(_SYSTEM)


def whose(called: Called, place: str = "") -> str:
    """Give who stands behind a library: ``numpy``, ``the system, used by lightgbm``, or its file.

    Parameters
    ----------
    called
        The library.
    place
        What tells it from another one of that name, from `places_of`; "" where none has it.
    """
    if called.owner:
        return f"{called.owner}, {place}" if place else called.owner
    head = place or _SEPARATOR.split(called.path)[-1]
    if is_system(called.path):
        head = f"the system's {place}" if place else "the system"
    return f"{head}, {used_by(called.users)}" if called.users else head


def used_by(users: Sequence[str]) -> str:
    """Give users in words: ``used by lightgbm``, ``used by a, b, c and 2 more``."""
    first, more = users[:_MOST_USERS], len(users) - _MOST_USERS
    if more > 0:
        return f"used by {', '.join(first)} and {more} more"
    *most, last = first
    return f"used by {', '.join(most)} and {last}" if most else f"used by {last}"


def short_command(command: str, most: int = 28) -> str:
    """Give a command line as people name it: ``python train.py``, ``python -m pytest``."""
    program, *rest = command.split() or [""]
    name = _SEPARATOR.split(program)[-1]
    words = [name, *rest[:2]] if rest[:1] == ["-m"] else [name]
    if len(words) == 1 and rest and not rest[0].startswith("-"):
        words.append(_SEPARATOR.split(rest[0])[-1])
    text = " ".join(words)
    return text if len(text) <= most else text[: most - 1] + _ELLIPSIS


def places_of(all_called: Sequence[Called]) -> tuple[str, ...]:
    """Give, for each library, the part of its path that tells it from others of the same name.

    Returns
    -------
    tuple of str
        "" where the name without it is told from all others; else no two are equal:
        ``forest/libiomp5.so`` and ``solver/libiomp5.so``.

    Examples
    --------
    >>> places_of([Called("openmp", None, f"/opt/{name}/libomp.so") for name in ("a", "b")])
    ('a/libomp.so', 'b/libomp.so')
    """
    plain = [(each.api, whose(each)) for each in all_called]
    number = Counter(plain)
    places = [""] * len(all_called)
    for name in number:
        if number[name] > 1:
            same = [index for index, each in enumerate(plain) if each == name]
            told = _distinguished([all_called[index] for index in same])
            for index, place in zip(same, told, strict=True):
                places[index] = place
    return tuple(places)


def _distinguished(same: list[Called]) -> list[str]:
    """Give the shortest ends of the paths that are all different, the middle left out."""
    ends = _ends([_SEPARATOR.split(each.path) for each in same])
    # The separators are kept as they are: a path of Windows stays one.
    full = [
        _tail(each.path, parts) if parts else each.path
        for each, parts in zip(same, ends, strict=True)
    ]
    short = [
        f"{parts[0]}/{_ELLIPSIS}/{parts[-1]}" if len(parts) > 2 and parts[0] else text
        for parts, text in zip(ends, full, strict=True)
    ]
    number = Counter(short)
    told = [brief if number[brief] == 1 else text for brief, text in zip(short, full, strict=True)]
    return _numbered(same, told)


def _ends(paths: list[list[str]]) -> list[list[str]]:
    """Give for each path its shortest end that no other path has."""
    ends = []
    for index, path in enumerate(paths):
        others = [other for at, other in enumerate(paths) if at != index and other != path]
        length = 1
        while length < len(path) and any(each[-length:] == path[-length:] for each in others):
            length += 1
        ends.append(path[-length:])
    return ends


def _tail(path: str, parts: list[str]) -> str:
    """Give the end of a path that has these parts, as it is written there."""
    return path[len(path) - sum(map(len, parts)) - len(parts) + 1 :]


def _numbered(same: list[Called], told: list[str]) -> list[str]:
    """Tell apart what had one path at two times: a file that was replaced while it was mapped."""
    number = Counter(told)
    inodes = Counter((text, each.inode) for text, each in zip(told, same, strict=True))
    given = []
    for index, (text, each) in enumerate(zip(told, same, strict=True)):
        if number[text] == 1:
            given.append(text)
        elif each.inode is not None and inodes[text, each.inode] == 1:
            given.append(f"{text}, inode {each.inode}")
        else:
            given.append(f"{text}, number {told[: index + 1].count(text)}")
    return given
