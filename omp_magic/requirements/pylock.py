"""pylock.toml (PEP 751): what a target needs of it."""

from __future__ import annotations

import os

from ..errors import ParseError
from ..facts.libraries import Gap
from ..facts.targets import Target
from .graph import tables, text, texts
from .locks import files_of, no_wheel, offered, read_lock, told_python
from .markers import Conditions
from .pins import Pin, RequirementsError, Wanted, canonical, shown


def read_pylock(path: str, target: Target) -> Wanted:
    """Read pylock.toml (PEP 751).

    Raises
    ------
    RequirementsError
        When it cannot be read.
    """
    whole, packages, wheres = read_lock(path, "[[packages]]")
    version = text(whole.get("lock-version"))
    if version and not version.startswith("1."):
        raise RequirementsError(path, f"lock-version {version}", "lock-version 1.0")
    python = text(whole.get("requires-python"))
    unknown = list(told_python(python, path, target))
    conditions = Conditions(target)
    groups = texts(whole.get("default-groups"))
    folder = os.path.dirname(path)
    pins: dict[str, Pin] = {}
    needed: set[str] = set()
    for package, where in zip(packages, wheres, strict=True):
        name = canonical(text(package.get("name")))
        try:
            if not conditions.hold_in_lock(text(package.get("marker")), groups):
                continue
        except ParseError as error:
            why = f"{error}; taken as true"
            unknown.append(Gap(what=f"the marker of {shown(name)}", why=why, where=where))
        archive = offered([package.get("archive")], folder)
        kinds = ("vcs", "directory", "archive")
        kind = next((each for each in kinds if each in package), None)
        if kind is not None and not any(each.wheel for each in archive):
            unknown.append(no_wheel(name, kind, where))
            continue
        needed.update(
            canonical(text(each.get("name"))) for each in tables(package.get("dependencies"))
        )
        pins[name] = Pin(
            name=name,
            version=text(package.get("version")) or None,
            files=(*archive, *files_of(package, folder)),
            where=where,
        )
    return Wanted(
        path=path,
        kind="pylock.toml",
        pins=tuple(pins.values()),
        direct=tuple(name for name in pins if name not in needed) or tuple(pins),
        unknown=tuple(unknown),
        python=python,
    )
