"""poetry.lock: what a target needs of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import OmpMagicError, ParseError
from ..facts.libraries import Gap
from ..facts.targets import Target
from .graph import Edge, reached, table, text, texts, unneeded
from .locks import offered, read_lock, told_python
from .markers import Conditions, parse_requirement
from .pins import Offered, Pin, Wanted, canonical, file_name, shown
from .texts import parse_toml, read_text


def read_poetry_lock(path: str, target: Target) -> Wanted:
    """Read poetry.lock.

    It does not name what the project asks for; that is read from pyproject.toml beside it, and
    without one what no other package needs is taken for it.

    Raises
    ------
    RequirementsError
        When it cannot be read.
    """
    whole, packages, wheres = read_lock(path, "[[package]]")
    metadata = table(whole.get("metadata"))
    python = text(metadata.get("python-versions"))
    unknown = list(told_python(python, path, target))
    conditions = Conditions(target)
    lock = _PoetryLock(packages, table(metadata.get("files")), conditions)
    asked = _asked_of_poetry(os.path.join(os.path.dirname(path), "pyproject.toml"), unknown)
    found = reached(lock.roots(asked), lock.edges, conditions, unknown, path)
    pins = []
    for key in sorted(found):
        package = packages[key]
        name = canonical(text(package.get("name")))
        source = text(table(package.get("source")).get("type"))
        if source in ("git", "directory") or (source in ("file", "url") and not lock.wheel(key)):
            why = "not from a package index: no wheel to look into"
            unknown.append(Gap(what=shown(name), why=why, where=wheres[key]))
            continue
        pins.append(
            Pin(
                name=name,
                version=text(package.get("version")) or None,
                extras=found[key],
                files=lock.files(key),
                where=wheres[key],
            )
        )
    names = [pin.name for pin in pins]
    needed = {
        canonical(text(packages[edge.key].get("name")))
        for key in found
        for edge in lock.edges(key, found[key])
    }
    direct = [name for name in dict.fromkeys(asked) if name in names]
    return Wanted(
        path=path,
        kind="poetry.lock",
        pins=tuple(pins),
        direct=tuple(direct or [name for name in names if name not in needed] or names),
        unknown=tuple(unknown),
        python=python,
    )


class _PoetryLock:
    """The packages of poetry.lock and what they need."""

    def __init__(
        self,
        packages: Sequence[dict[str, Any]],
        files: dict[str, Any],
        conditions: Conditions,
    ) -> None:
        self._packages = packages
        self._files = files
        self._conditions = conditions
        self._named: dict[str, list[int]] = {}
        for key, package in enumerate(packages):
            self._named.setdefault(canonical(text(package.get("name"))), []).append(key)

    def roots(self, asked: Iterable[str]) -> list[Edge]:
        """Give what is asked for, with the markers that lock-version 2.1 writes."""
        names = [name for name in asked if name in self._named]
        if names:
            keys = [key for name in names for key in self._named[name]]
        else:
            keys = unneeded(len(self._packages), self._all_edges)
        return [
            Edge(key, self._marker(key))
            for key in keys
            if names or not self._packages[key].get("optional")
        ]

    def _all_edges(self, key: int) -> Iterator[Edge]:
        return self.edges(key, frozenset(table(self._packages[key].get("extras"))))

    def edges(self, key: int, extras: frozenset[str]) -> Iterator[Edge]:
        """Give what a package needs with these extras."""
        package = self._packages[key]
        wanted = {
            canonical(re.split(r"[ \[(;<>=!~]", each)[0])
            for extra in extras
            for each in texts(table(package.get("extras")).get(extra))
        }
        for written, told in table(package.get("dependencies")).items():
            name = canonical(written)
            for each in told if isinstance(told, list) else [told]:
                row = table(each)
                if row.get("optional") and name not in wanted:
                    continue
                # Its marker says ``extra == "…"`` again, which was looked up above.
                marker = "" if row.get("optional") else text(row.get("markers"))
                inner = frozenset(texts(row.get("extras")))
                for other in self._named.get(name, ()):
                    yield Edge(other, _both(marker, self._marker(other)), inner)

    def _marker(self, key: int) -> str:
        """Give when a package is needed; by group since lock-version 2.1, one of them is enough."""
        told = self._packages[key].get("markers")
        if isinstance(told, dict):
            groups = [text(each) for each in told.values()]
            complete = len(groups) == len(texts(self._packages[key].get("groups")))
            return " or ".join(f"({each})" for each in groups) if complete and all(groups) else ""
        return text(told)

    def files(self, key: int) -> tuple[Offered, ...]:
        """Give a package's files; up to lock-version 1 they stand at the end."""
        package = self._packages[key]
        told = package.get("files") or self._files.get(text(package.get("name")))
        url = text(table(package.get("source")).get("url"))
        files = offered(told, "")
        if text(table(package.get("source")).get("type")) == "url":
            return tuple(
                Offered(name=each.name, url=url, sha256=each.sha256, direct=True)
                for each in files
                if each.name == file_name(url)
            )
        return files

    def wheel(self, key: int) -> bool:
        """Tell whether a package has a wheel."""
        return any(each.wheel for each in self.files(key))


def _both(one: str, other: str) -> str:
    return f"({one}) and ({other})" if one and other else one or other


def _asked_of_poetry(path: str, unknown: list[Gap]) -> list[str]:
    """Give the names that a pyproject.toml asks for, [] without one."""
    if not os.path.isfile(path):
        return []
    try:
        whole = parse_toml(path, read_text(path, 1 << 20))
    except OmpMagicError as error:
        unknown.append(Gap(what="pyproject.toml", why=str(error), where=path))
        return []
    names = []
    groups = table(whole.get("dependency-groups")).values()
    asked = [table(whole.get("project")).get("dependencies"), *groups]
    for each in (each for listed in asked for each in texts(listed)):
        try:
            names.append(canonical(parse_requirement(each).name))
        except ParseError as error:
            unknown.append(Gap(what="a requirement", why=str(error), where=path))
    poetry = table(table(whole.get("tool")).get("poetry"))
    tables_of = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
    grouped = [table(each) for each in table(poetry.get("group")).values()]
    tables_of += [each.get("dependencies") for each in grouped if not each.get("optional")]
    for listed in tables_of:
        names += [
            canonical(name)
            for name, told in table(listed).items()
            if not table(told).get("optional")
        ]
    return [name for name in names if name != "python"]
