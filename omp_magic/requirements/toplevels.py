"""Which names a distribution is imported by, from the list of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .pins import canonical

_CODE = re.compile(r"\.(?:py|pyd|so)$")
_NOT_MEANT = frozenset(
    (
        *("test", "tests", "testing", "doc", "docs", "documentation", "example", "examples"),
        *("benchmark", "benchmarks", "demo", "demos", "scripts", "script", "tools", "tutorials"),
        *("sample", "samples", "conftest", "setup", "bin", "lib", "include", "share", "site"),
    )
)
"""What stands beside packages by mistake, or is not what the distribution is for."""
_MOST_NAMES = 20
_MOST_DEPTH = 4


def top_levels(files: Iterable[str], distribution: str = "") -> tuple[str, ...]:
    """Give the names that a distribution is imported by.

    Parameters
    ----------
    files
        Its files as RECORD lists them, relative to site-packages; lines of RECORD are taken too.
    distribution
        Its name: what is called alike comes first.

    Returns
    -------
    tuple
        ``("sklearn",)`` for scikit-learn, ``("google.protobuf",)`` for a package in a namespace;
        () for a distribution of files that are not imported (mkl).

    Examples
    --------
    >>> top_levels(["faiss/__init__.py", "faiss/_swigfaiss.so", "faiss_cpu.libs/libgomp.so.1"])
    ('faiss',)
    """
    packages: set[str] = set()
    folders: dict[str, None] = {}
    modules: dict[str, None] = {}
    for line in files:
        path = line.partition(",")[0].strip('"')
        parts = path.split("/")
        if not _CODE.search(path) or ".." in parts or (len(parts) > 1 and not _named(parts[:-1])):
            continue
        stem = parts[-1].partition(".")[0]
        if len(parts) == 1:
            modules[stem] = None
            continue
        dotted = ".".join(parts[:-1])
        folders[dotted] = None
        if stem == "__init__":
            packages.add(dotted)
    found = {name: None for name in modules if _meant(name)}
    for folder in folders:
        parts = folder.split(".")
        ways = [".".join(parts[: depth + 1]) for depth in range(len(parts))]
        name = next((way for way in ways if way in packages), None)
        # A folder of extension modules, or of sources alone, that has no package above it.
        name = name or folder
        if name.count(".") < _MOST_DEPTH and all(map(_meant, name.split("."))):
            found[name] = None
    alike = canonical(distribution)
    names = [name for name in found if not any(_below(name, other) for other in found)]
    names.sort(key=lambda name: (canonical(name.replace(".", "-")) != alike, name.lower()))
    return tuple(names[:_MOST_NAMES])


def _named(parts: Iterable[str]) -> bool:
    return all(part.isidentifier() for part in parts)


def _meant(name: str) -> bool:
    return name.isidentifier() and not name.startswith("_") and name.lower() not in _NOT_MEANT


def _below(name: str, other: str) -> bool:
    """Tell whether a module is in a package that is named too."""
    return name.startswith(other + ".")
