"""pixi.lock: the part that comes from a package index; conda's part is told as unknown."""

from __future__ import annotations

import os
import re
from typing import Any

from ..facts.libraries import Gap
from ..facts.targets import Target
from .environment_yml import conda_gap
from .graph import table, tables, text, texts
from .locks import told_python
from .pins import Offered, Pin, RequirementsError, Wanted, canonical, file_name, shown
from .tags import parse_wheel_name
from .texts import parse_yaml, read_text

_MOST_YAML_BYTES = 8 << 20
_PIXI = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "macos-arm64": "osx-arm64",
    "macos-x86_64": "osx-64",
    "windows-x86_64": "win-64",
}
"""pixi's and conda's names of targets."""
_PYTHON = re.compile(r"/python-(3\.\d+)\.[^/]*$")


def read_pixi_lock(path: str, target: Target) -> Wanted:
    """Read what pixi.lock takes from a package index for a target.

    Raises
    ------
    RequirementsError
        When it cannot be read, or has nothing for the target.
    """
    whole = table(parse_yaml(path, read_text(path, _MOST_YAML_BYTES)))
    environments = table(whole.get("environments"))
    name = "default" if "default" in environments else next(iter(environments), "")
    platforms = table(table(environments.get(name)).get("packages"))
    if not platforms:
        raise RequirementsError(path, "no packages of an environment", "a pixi.lock of pixi")
    place = _PIXI[target.name]
    if place not in platforms:
        told = ", ".join(sorted(map(str, platforms)))
        raise RequirementsError(
            path, f"nothing for {place}", shown(f"what it is locked for: {told}"), "pixi lock"
        )
    listed = tables(whole.get("packages"))
    known = {text(each.get("pypi")) or text(each.get("url")): each for each in listed}
    pins: dict[str, Pin] = {}
    unknown: list[Gap] = []
    conda: list[str] = []
    rows = tables(platforms[place])
    for row in rows:
        if "conda" in row:
            conda.append(file_name(text(row["conda"])).rsplit("-", 2)[0])
        elif url := text(row.get("pypi")):
            _add_pixi(url, table(known.get(url)), path, pins, unknown)
    python = next(
        filter(None, map(_PYTHON.search, texts([row.get("conda") for row in rows]))), None
    )
    requires = f"=={python[1]}.*" if python is not None else ""
    unknown.extend(told_python(requires, path, target))
    if conda:
        unknown.append(conda_gap(conda, path))
    needed = {
        canonical(re.split(r"[ \[(;<>=!~]", each)[0])
        for row in known.values()
        for each in texts(row.get("requires_dist"))
    }
    return Wanted(
        path=path,
        kind="pixi.lock",
        pins=tuple(pins.values()),
        direct=tuple(each for each in pins if each not in needed) or tuple(pins),
        unknown=tuple(unknown),
        python=requires,
    )


def _add_pixi(
    url: str, told: dict[str, Any], path: str, pins: dict[str, Pin], unknown: list[Gap]
) -> None:
    file = file_name(url)
    parsed = parse_wheel_name(file)
    if parsed is None:
        name = text(told.get("name")) or file or url
        why = "a source distribution, a folder or a repository: no wheel to look into"
        unknown.append(Gap(what=shown(name), why=why, where=path))
        return
    here = "://" not in url
    pins[parsed.name] = Pin(
        name=parsed.name,
        version=parsed.version,
        files=(
            Offered(
                name=file,
                url=None if here else url,
                path=os.path.join(os.path.dirname(path), url) if here else None,
                sha256=text(told.get("sha256")) or None,
            ),
        ),
        where=path,
    )
