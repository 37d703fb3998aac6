"""Which distributions ship a runtime, told by the names in their lists of files.

What is linked into another library is not told: `omp_magic.checks` reads the files themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions

from ..knowledge.catalog import family_of, is_family
from ..knowledge.conda import FAMILIES


def shipped(path: Sequence[str] | None = None, prefix: str | None = None) -> dict[str, set[str]]:
    """Give the distributions that ship a runtime, by the key of its family.

    Parameters
    ----------
    path
        Folders of packages; ``sys.path`` when None.
    prefix
        The environment, whose conda packages count too; ``sys.prefix`` when None.
    """
    found: dict[str, set[str]] = {}
    for each in distributions(path=list(sys.path if path is None else path)):
        for family in _families(each):
            found.setdefault(family, set()).add(str(each.metadata["Name"]))
    for name in _conda_names(sys.prefix if prefix is None else prefix):
        if name in FAMILIES:
            found.setdefault(FAMILIES[name], set()).add(name)
    return found


def _families(each: Distribution) -> Iterator[str]:
    """Give the families of a distribution's files, by its list of them."""
    text = each.read_text("RECORD") or each.read_text("installed-files.txt") or ""
    seen = set()
    for line in text.split("\n"):
        name = line.split(",", 1)[0].rpartition("/")[2]
        # Most are Python's: the end of a name is looked at first.
        if not name.endswith((".py", ".pyc")) and is_family(name):
            family = family_of(name)
            if family is not None and family.key not in seen:
                seen.add(family.key)
                yield family.key


def _conda_names(prefix: str) -> Iterator[str]:
    """Give the packages of conda's in an environment: ``conda-meta/NAME-VERSION-BUILD.json``."""
    try:
        files = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        return
    for file in files:
        if file.endswith(".json") and file.count("-") >= 2:
            yield file.rsplit("-", 2)[0]
