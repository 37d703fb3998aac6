"""Which wheel a system takes: by its tags, the best first, as pip chooses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms, sys_tags
from packaging.utils import parse_wheel_filename

from ..facts.targets import Target
from .pins import Offered, canonical

MACOS = (26, 0)
"""The newest of today: a wheel for macOS 15 alone is no gap (infomap 2.10.1)."""
_NEWEST_GLIBC_MINOR = 39
_OLDEST_GLIBC_MINOR = {"x86_64": 5, "aarch64": 17}
_LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
"""The older names of manylinux_2_N (PEP 600)."""
_MOST_CHARACTERS = 255


class WheelName(NamedTuple):
    """What the name of a wheel's file says.

    Parameters
    ----------
    name
        The distribution's, in the form that indexes compare.
    version
        Its version.
    build
        The build tag; the highest wins between wheels that are the same else.
    tags
        The systems that it is for.
    """

    name: str
    version: str
    build: tuple[int, str] | tuple[()]
    tags: frozenset[Tag]


@lru_cache(maxsize=16384)
def parse_wheel_name(file: str) -> WheelName | None:
    """Read the name of a wheel's file; None for what is none."""
    if len(file) > _MOST_CHARACTERS:
        return None
    try:
        name, version, build, tags = parse_wheel_filename(file)
    except (ValueError, RecursionError):
        return None
    return WheelName(canonical(name), str(version), build, tags)


@lru_cache(maxsize=32)
def _ranks(system: str, cpu: str, python: tuple[int, int], here: bool) -> dict[Tag, int]:
    if here and python == sys.version_info[:2]:
        return {tag: rank for rank, tag in reversed(list(enumerate(sys_tags())))}
    places = tuple(platforms(system, cpu))
    short = f"cp{python[0]}{python[1]}"
    tags = (
        *cpython_tags(python, [short], places),
        *compatible_tags(python, short, places),
    )
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def platforms(system: str, cpu: str) -> Iterator[str]:
    """Give the names that a system has in tags of wheels, the newest first.

    macOS 26 and glibc 2.39 are taken for systems that are not here (PEP 425, PEP 600).
    """
    return _PLATFORMS[system](cpu)


def _of_glibc(cpu: str) -> Iterator[str]:
    for minor in range(_NEWEST_GLIBC_MINOR, _OLDEST_GLIBC_MINOR[cpu] - 1, -1):
        yield f"manylinux_2_{minor}_{cpu}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{cpu}"
    yield f"linux_{cpu}"


_WINDOWS_CPUS = {"x86_64": "amd64"}
_PLATFORMS: dict[str, Callable[[str], Iterator[str]]] = {
    "linux": _of_glibc,
    "macos": lambda cpu: mac_platforms(MACOS, cpu),
    "windows": lambda cpu: iter((f"win_{_WINDOWS_CPUS.get(cpu, cpu)}",)),
}


def platforms_of(target: Target) -> tuple[str, ...]:
    """Give the names of a target in tags of wheels, the newest first."""
    ranks = _ranks(target.system, target.cpu, target.python, target.here)
    names = dict.fromkeys(tag.platform for tag in sorted(ranks, key=ranks.__getitem__))
    return tuple(name for name in names if name != "any")


def rank(file: str, target: Target) -> tuple[int, tuple[int, str] | tuple[()]] | None:
    """Give how well a wheel suits a target, more is better; None when it does not."""
    parsed = parse_wheel_name(file)
    if parsed is None:
        return None
    ranks = _ranks(target.system, target.cpu, target.python, target.here)
    places = [ranks[tag] for tag in parsed.tags if tag in ranks]
    return (-min(places), parsed.build) if places else None


def best(files: Iterable[Offered], target: Target) -> Offered | None:
    """Give the wheel that pip would take; None when none is for the target."""
    found: Offered | None = None
    found_rank: tuple[int, tuple[int, str] | tuple[()]] | None = None
    for file in files:
        this = rank(file.name, target) if file.wheel else None
        if this is not None and (found_rank is None or this > found_rank):
            found, found_rank = file, this
    return found


def why_none(files: Iterable[Offered], target: Target) -> str:
    """Say what is there instead of a wheel for a target."""
    wheels = [parsed for file in files if (parsed := parse_wheel_name(file.name)) is not None]
    if not wheels:
        what = "only a source distribution: what it would load is not known"
        return f"no wheel for {target.name}: {what}"
    systems = sorted({tag.platform for wheel in wheels for tag in wheel.tags})
    pythons = sorted({tag.interpreter for wheel in wheels for tag in wheel.tags})
    word = {"linux": "linux", "macos": "macosx", "windows": "win"}[target.system]
    cpu = target.platform_machine.lower()
    own = [each for each in systems if word in each and each.endswith((cpu, "universal2"))]
    if own:
        python = f"Python {target.python[0]}.{target.python[1]}"
        told = f"for {', '.join(own[:3])} and {', '.join(pythons[:6])}"
        return f"no wheel for {target.name} with {python}: there are those {told}"
    return f"no wheel for {target.name}: there are those for {', '.join(systems[:4])}"
