"""Versions that go together: found by trying them on their wheels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..installed.expected import Cure, MayLoad
from ..requirements.pins import canonical
from .wheels import Shelved

_MOST_VERSIONS = 8
"""Of each distribution: a wheel of PyTorch has 100 MB for macOS and more elsewhere."""


def other_versions(modules: Sequence[str], shelved: Shelved, found: MayLoad) -> Cure | None:
    """Give the version of one distribution with which one copy of the LLVM family is left.

    Parameters
    ----------
    modules
        In the order of importing.
    shelved
        The wheels as they are asked for.
    found
        What they may load.

    Notes
    -----
    Of each distribution that brings a copy, or calls one of the system's, the last release of
    each of the newest series is tried, alone; what it needs is taken as it is.
    """
    failing = {gap.what for gap in found.failing}
    for name in _concerned(found):
        for version in _tried(name, shelved):
            site = shelved.with_version(name, version)
            if site is None:
                continue
            answer = site.run(modules).answer
            fails = {gap.what for gap in answer.failing} - failing
            if answer.copies <= 1 and not fails and not answer.unknown:
                words = f"Take a version of {name} whose copy serves all, tried on its wheel"
                code = f"pip install {name}=={version}"
                return Cure(kind="versions", words=words, code=code, copies=answer.copies)
    return None


def _concerned(found: MayLoad) -> tuple[str, ...]:
    """Give the distributions that bring a copy, then those that call one that nobody brings."""
    copies = [each for each in found.libraries if each.kin == "llvm"]
    owners = [each.owner for each in copies if each.owner]
    users = [user for each in copies if not each.owner for user in each.users]
    return tuple(dict.fromkeys(map(canonical, (*owners, *users))))


def _tried(name: str, shelved: Shelved) -> Iterator[str]:
    """Give the last release of each series, the one that is asked for left out."""
    versions = shelved.versions(name)
    now = next((p.version for p in shelved.gathered.pins if canonical(p.name) == name), None)
    series: dict[str, str] = {}
    for version in versions:
        series.setdefault(".".join(version.split(".")[:2]), version)
    every = versions if shelved.store.wheels is not None else tuple(series.values())
    yield from [each for each in every if each != now][:_MOST_VERSIONS]
