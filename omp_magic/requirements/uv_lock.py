"""uv.lock: what a target needs of it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..facts.targets import Target
from .graph import Edge, reached, table, tables, text, texts, unneeded
from .locks import files_of, no_wheel, read_lock, told_python
from .markers import Conditions
from .pins import Pin, Wanted, canonical


def read_uv_lock(path: str, target: Target) -> Wanted:
    """Read uv.lock.

    What ``uv sync`` installs is followed: the project's own dependencies and its group ``dev``.

    Raises
    ------
    RequirementsError
        When it cannot be read.
    """
    whole, packages, wheres = read_lock(path, "[[package]]")
    python = text(whole.get("requires-python"))
    unknown = list(told_python(python, path, target))
    conditions = Conditions(target)
    lock = _UvLock(packages)
    roots = list(lock.roots(whole))
    found = reached(roots, lock.edges, conditions, unknown, path)
    pins = []
    folder = os.path.dirname(path)
    for key in sorted(found):
        package = packages[key]
        source = table(package.get("source"))
        name = canonical(text(package.get("name")))
        if key in lock.members:
            continue
        kind = next((each for each in ("git", "editable", "directory") if each in source), None)
        if kind is not None:
            unknown.append(no_wheel(name, kind, wheres[key]))
            continue
        pins.append(
            Pin(
                name=name,
                version=text(package.get("version")) or None,
                extras=found[key],
                files=files_of(package, folder),
                where=wheres[key],
            )
        )
    direct = _direct(roots, lock, packages, found)
    return Wanted(
        path=path,
        kind="uv.lock",
        pins=tuple(pins),
        direct=direct,
        unknown=tuple(unknown),
        python=python,
    )


def _direct(
    roots: Iterable[Edge],
    lock: _UvLock,
    packages: Sequence[dict[str, Any]],
    found: dict[int, frozenset[str]],
) -> tuple[str, ...]:
    """Give what the roots ask for that is needed on the target."""
    asked: list[int] = []
    for root in roots:
        if root.key in lock.members:
            asked.extend(edge.key for edge in lock.edges(root.key, root.extras))
        else:
            asked.append(root.key)
    names = [canonical(text(packages[key].get("name"))) for key in asked if key in found]
    return tuple(dict.fromkeys(names))


class _UvLock:
    """The packages of uv.lock and what they need."""

    def __init__(self, packages: Sequence[dict[str, Any]]) -> None:
        self._packages = packages
        self._named: dict[str, list[int]] = defaultdict(list)
        self.members: set[int] = set()
        for key, package in enumerate(packages):
            self._named[canonical(text(package.get("name")))].append(key)
            source = table(package.get("source"))
            if "virtual" in source or source.get("editable") == ".":
                self.members.add(key)

    def roots(self, whole: dict[str, Any]) -> Iterator[Edge]:
        """Give what the lock is for: its projects, or what a script asks for."""
        manifest = table(whole.get("manifest"))
        for name in texts(manifest.get("members")):
            self.members.update(
                key
                for key in self._named[canonical(name)]
                if {"virtual", "editable", "directory"} & set(self._packages[key].get("source", ()))
            )
        asked = tables(manifest.get("requirements"))
        if self.members or asked:
            yield from (Edge(key) for key in sorted(self.members))
            yield from self._edges(asked)
            return
        yield from (Edge(key) for key in unneeded(len(self._packages), self._all_edges))

    def _all_edges(self, key: int) -> Iterator[Edge]:
        optional = table(self._packages[key].get("optional-dependencies"))
        return self.edges(key, frozenset(optional))

    def edges(self, key: int, extras: frozenset[str]) -> Iterator[Edge]:
        """Give what a package needs with these extras."""
        package = self._packages[key]
        yield from self._edges(tables(package.get("dependencies")))
        optional = table(package.get("optional-dependencies"))
        for extra in sorted(extras):
            yield from self._edges(tables(optional.get(extra)))
        if key in self.members:
            groups = table(package.get("dev-dependencies"))
            yield from self._edges(tables(groups.get("dev")))

    def _edges(self, listed: Iterable[dict[str, Any]]) -> Iterator[Edge]:
        for each in listed:
            version, source = each.get("version"), each.get("source")
            marker = text(each.get("marker"))
            extras = frozenset(texts(each.get("extra") or each.get("extras")))
            for key in self._named.get(canonical(text(each.get("name"))), ()):
                package = self._packages[key]
                if version is not None and package.get("version") != version:
                    continue
                if source is not None and package.get("source") != source:
                    continue
                forks = texts(package.get("resolution-markers"))
                if forks:
                    both = " or ".join(f"({fork})" for fork in forks)
                    joined = f"({marker}) and ({both})" if marker else both
                    yield Edge(key, joined, extras)
                else:
                    yield Edge(key, marker, extras)
