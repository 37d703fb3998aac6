"""Which modules a project's pipeline is asked about where it names none, and where they stand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import RequestError, nearest
from ..knowledge.catalog import family_of
from ..knowledge.imported_as import distribution_of
from ..knowledge.shippers import SHIPPERS
from ..probes.importable import probe_importable
from ..requirements.pins import RequirementsError, canonical
from ..requirements.texts import parse_toml, read_text
from ..requirements.toplevels import top_levels

PROJECT = "pyproject.toml"
BY_RUNTIMES = "the packages installed here that bring a runtime"
_TABLE, _MODULES = "omp-magic", "modules"
_EXAMPLE = '[tool.omp-magic] modules = ["torch", "faiss"]'
_ASKING = re.compile(r"(?:requirements.*\.(?:txt|in)|environment\.ya?ml|setup\.(?:cfg|py))$")
_ASKED = re.compile(
    r"(?:^\s*(?:-\s+)?|[\"'])([A-Za-z0-9](?:[\w.-]*\w)?)(?=\s*(?:$|[\[<>=!~;,\"'@#]))"
)
"""A distribution's name, where a list or a table asks for it: never a word in a sentence."""
_HEADS = (PROJECT, "setup.cfg", "setup.py", "requirements.txt", "environment.yml")
_MOST_LINES = 20_000


def chosen(folder: str) -> tuple[tuple[str, ...], str]:
    """Give the modules that a project names, or those of the environment that have runtimes.

    Parameters
    ----------
    folder
        Where the project's pyproject.toml is.

    Returns
    -------
    (tuple of str, str)
        The modules, and where they come from, in words.

    Raises
    ------
    RequestError, RequirementsError
        When the project's own table is not understood.
    """
    named = _named(folder)
    if named:
        return named, f"[tool.{_TABLE}] of {PROJECT}"
    return tuple(_with_runtimes()), BY_RUNTIMES


def _named(folder: str) -> tuple[str, ...]:
    path = os.path.join(folder, PROJECT)
    if not os.path.isfile(path):
        return ()
    try:
        tool = parse_toml(path, read_text(path)).get("tool")
    except RequirementsError as error:
        raise RequirementsError(PROJECT, error.found, "a file in TOML", _EXAMPLE) from None
    tables: dict[str, Any] = tool if isinstance(tool, dict) else {}
    # A table or a key that nobody reads would let a pipeline pass that was to ask for more.
    for name in tables:
        if canonical(name) == _TABLE and name != _TABLE:
            raise RequestError(f"{PROJECT}: [tool.{name}]", f"[tool.{_TABLE}]", _EXAMPLE)
    table = tables.get(_TABLE, {})
    if not isinstance(table, dict):
        raise RequestError(
            f"{PROJECT}: {_TABLE} = {table!r}", f"a table, [tool.{_TABLE}]", _EXAMPLE
        )
    for key in table:
        if key != _MODULES:
            found = f"{PROJECT}: {key} in [tool.{_TABLE}]"
            raise RequestError(found, _MODULES, _EXAMPLE, nearest(key, (_MODULES,)))
    modules = table.get(_MODULES, [])
    if not isinstance(modules, list) or not all(isinstance(each, str) for each in modules):
        found = f"{PROJECT}: {_MODULES} = {modules!r}"
        raise RequestError(found, "a list of names of modules", _EXAMPLE)
    return tuple(modules)


def _with_runtimes() -> Iterator[str]:
    """Give the modules of distributions here that list a runtime, or have pools of their own."""
    from importlib.metadata import distributions  # noqa: PLC0415 - only who names none pays

    found: dict[str, None] = {}
    for each in distributions():
        files = [str(file) for file in each.files or ()]
        if any(family_of(file.rpartition("/")[2]) for file in files):
            found.update(dict.fromkeys(top_levels(files, each.metadata["Name"] or "")[:1]))
    found.update(dict.fromkeys(probe_importable(SHIPPERS)))
    yield from sorted(found)


def lines_of(folder: str, modules: Iterable[str]) -> dict[str, str]:
    """Give the lines of a project's files that ask for the modules' distributions.

    Parameters
    ----------
    folder
        The project's; pyproject.toml, setup.cfg, environment.yml and requirements files in it.
    modules
        Names as ``import`` takes them.

    Returns
    -------
    dict
        Module -> ``"pyproject.toml:12"``, from the folder; those without a line are not in it.
    """
    wanted: dict[str, list[str]] = {}
    for each in modules:
        wanted.setdefault(canonical(distribution_of(each.partition(".")[0])), []).append(each)
    found: dict[str, str] = {}
    for name in _files(folder):
        try:
            lines = read_text(os.path.join(folder, name)).split("\n")[:_MOST_LINES]
        except RequirementsError:
            continue
        for number, line in enumerate(lines, 1):
            for word in _ASKED.findall(line):
                for module in wanted.get(canonical(word), ()):
                    found.setdefault(module, f"{name}:{number}")
    return found


def anchor_of(folder: str, where: Mapping[str, str]) -> str:
    """Give the file of a project at which is shown what no line of it asks for.

    GitHub refuses a result without a place (docs.github.com, "SARIF support for code scanning",
    `result.locations`).
    """
    lines = (each.rpartition(":")[0] for each in where.values())
    there = (name for name in _HEADS if os.path.isfile(os.path.join(folder, name)))
    return next(iter((*lines, *there)), PROJECT)


def _files(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [each for each in (PROJECT, *names) if each == PROJECT or _ASKING.match(each)]
