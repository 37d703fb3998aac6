"""What lock files in TOML have in common: packages, their files, where each stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from ..facts.libraries import Gap
from ..facts.targets import Target
from .graph import table, tables, text
from .markers import fits, python_of
from .pins import Offered, RequirementsError, file_name, shown
from .texts import parse_toml, read_text

_MOST_PACKAGES = 20_000


def read_lock(path: str, header: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Give a lock file's table, its packages, and where each stands.

    Parameters
    ----------
    path
        The file.
    header
        How a package begins: ``[[package]]``.

    Raises
    ------
    RequirementsError
        When it cannot be read or has no packages.
    """
    content = read_text(path)
    whole = parse_toml(path, content)
    packages = tables(whole.get(header.strip("[]")))
    if len(packages) > _MOST_PACKAGES:
        raise RequirementsError(path, f"{len(packages)} packages", f"at most {_MOST_PACKAGES}")
    if not packages:
        raise RequirementsError(path, f"no {header}", "a lock file with packages")
    begins = [
        match.start() for match in re.finditer(rf"^{re.escape(header)}", content, re.MULTILINE)
    ]
    lines, last, number = [], 0, 1
    for begin in begins:
        number += content.count("\n", last, begin)
        last = begin
        lines.append(f"{path}:{number}")
    wheres = lines if len(lines) == len(packages) else [path] * len(packages)
    return whole, packages, wheres


def told_python(requires: str, path: str, target: Target) -> Iterator[Gap]:
    """Say when a lock is for other versions of Python than the target's."""
    if requires and not fits(python_of(target), requires):
        python = f"{target.python[0]}.{target.python[1]}"
        why = f"it is for Python {shown(requires)}, and Python {python} was asked about"
        yield Gap(what=os.path.basename(path), why=why, where=path)


def offered(listed: Any, folder: str) -> tuple[Offered, ...]:
    """Give the files of a package; sizes, hashes and addresses as far as they are told."""
    found = []
    for each in tables(listed):
        url, path = text(each.get("url")), text(each.get("path"))
        name = text(each.get("name") or each.get("filename") or each.get("file"))
        size = each.get("size")
        digest = text(each.get("hash")) or text(table(each.get("hashes")).get("sha256"))
        name = name or file_name(url or path)
        if name:
            found.append(
                Offered(
                    name=os.path.basename(name),
                    # pip would put variables of this process into an address (``${TOKEN}``).
                    url=url if re.fullmatch(r"https?://[^\s$]+", url) else None,
                    path=os.path.join(folder, path) if path else None,
                    size_bytes=size if isinstance(size, int) and 0 <= size < 1 << 50 else None,
                    sha256=digest.removeprefix("sha256:").lower() or None
                    if ":" not in digest or digest.startswith("sha256:")
                    else None,
                )
            )
    return tuple(found)


def no_wheel(name: str, kind: str, where: str) -> Gap:
    """Say that a package comes from where no wheels are."""
    kinds = {
        "git": "from a repository",
        "vcs": "from a repository",
        "editable": "installed from its folder (editable)",
        "directory": "from a folder",
        "file": "from a source distribution",
        "archive": "from a source distribution",
    }
    why = f"{kinds.get(kind, kind)}: no wheel to look into"
    return Gap(what=shown(name), why=why, where=where)


def files_of(package: dict[str, Any], folder: str) -> tuple[Offered, ...]:
    """Give the wheels and the source distribution of a package."""
    files = offered(package.get("wheels"), folder)
    sdist = package.get("sdist")
    return (*files, *offered([sdist], folder)) if isinstance(sdist, dict) else files
