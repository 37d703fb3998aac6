"""environment.yml: the part for pip; what it asks of conda is told as unknown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..facts.libraries import Gap
from ..facts.targets import Target
from .lines import Line, parse_lines
from .locks import told_python
from .pins import RequirementsError, Wanted, shown
from .pip_files import MOST_PINS, Collected, add_lines, wanted
from .texts import parse_yaml, read_text

_OF_RUNTIMES = re.compile(r"openmp|mkl|blas|blis|libgomp|torch|faiss|^numpy\b|^scipy\b")
_PYTHON = re.compile(r"python\s*={1,2}\s*(3\.\d+)")


def read_environment_yml(path: str, target: Target) -> Wanted:
    """Read what environment.yml asks of pip; what it asks of conda is told as unknown.

    Raises
    ------
    RequirementsError
        When it cannot be read.
    """
    content = parse_yaml(path, read_text(path, 1 << 20))
    listed = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise RequirementsError(path, "no list of dependencies", "an environment.yml of conda")
    collected = Collected(target)
    collected.read.add(os.path.realpath(path))
    conda: list[str] = []
    for each in listed[:MOST_PINS]:
        if isinstance(each, str):
            conda.append(each)
        elif isinstance(each, dict):
            add_lines(collected, path, _strings(each.get("pip")), constraint=False)
    packages = [each for each in conda if not re.match(r"(?:python|pip)\b", each)]
    if packages:
        collected.unknown.append(conda_gap(packages, path))
    found = next(filter(None, map(_PYTHON.match, conda)), None)
    python = f"=={found[1]}.*" if found is not None else ""
    collected.unknown.extend(told_python(python, path, target))
    return replace(wanted(collected, path, "environment.yml", ""), python=python)


def conda_gap(names: Iterable[str], where: str) -> Gap:
    """Say that packages of conda are not read."""
    # What brings a runtime stands first, since it is what the answer may lack.
    names = sorted(set(names), key=lambda name: (not _OF_RUNTIMES.search(name), name))
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    told = shown(", ".join(names[:6]), 120) + more
    return Gap(
        what="1 package of conda" if len(names) == 1 else f"{len(names)} packages of conda",
        why=f"only wheels are read, so what these load is not known: {told}",
        where=where,
    )


def _strings(value: Any) -> list[Line]:
    """Give lines of a list; a bomb of lists in lists has no strings here, and is not walked."""
    listed = value if isinstance(value, list) else []
    return [
        line._replace(number=0)
        for each in listed[:MOST_PINS]
        if isinstance(each, str)
        for line in parse_lines(each)
    ]
