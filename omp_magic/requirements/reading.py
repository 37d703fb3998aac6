"""A file of requirements of any kind, to what it asks for on a target."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

from ..errors import nearest
from ..facts.libraries import Gap
from ..facts.targets import Target
from .environment_yml import read_environment_yml
from .markers import fits
from .pins import FORMATS, RequirementsError, Wanted
from .pip_files import read_requirements_txt
from .pixi_lock import read_pixi_lock
from .poetry_lock import read_poetry_lock
from .pylock import read_pylock
from .uv_lock import read_uv_lock

_READERS: dict[str, Callable[[str, Target], Wanted]] = {
    "requirements.txt": read_requirements_txt,
    "pylock.toml": read_pylock,
    "uv.lock": read_uv_lock,
    "poetry.lock": read_poetry_lock,
    "pixi.lock": read_pixi_lock,
    "environment.yml": read_environment_yml,
}


def kind_of(path: str) -> str:
    """Give the kind of a file, by its name.

    Raises
    ------
    RequirementsError
        When no kind is called so.
    """
    name = os.path.basename(path).lower()
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name):
        return "pylock.toml"
    if name.endswith((".yml", ".yaml")):
        return "environment.yml"
    if name.endswith(".py.lock"):  # uv lock --script
        return "uv.lock"
    if name.endswith((".txt", ".in", ".pip")):
        return "requirements.txt"
    for kind in ("uv.lock", "poetry.lock", "pixi.lock"):
        if name.endswith(kind):
            return kind
    hint = {
        "pyproject.toml": "a lock of it: uv lock, or poetry lock",
        "pipfile.lock": "requirements.txt: pipenv requirements > requirements.txt",
        "pdm.lock": "requirements.txt: pdm export -o requirements.txt",
        "conda-lock.yml": "requirements.txt or another lock",
    }.get(name)
    near = nearest(name, FORMATS)
    example = f"--requirements {near or 'requirements.txt'}"
    found = "a folder" if os.path.isdir(path) else "a file of no kind that is known"
    raise RequirementsError(path, found, hint or ", ".join(FORMATS), example)


def read_requirements(path: str | os.PathLike[str], target: Target) -> Wanted:
    """Read what a file asks to be installed on a target.

    Parameters
    ----------
    path
        One of the kinds in `pins.FORMATS`, known by its name.
    target
        The system and its Python: markers are evaluated for it.

    Returns
    -------
    Wanted
        A package that only another system needs is not among its pins.

    Raises
    ------
    RequirementsError
        When the file cannot be read; one line.

    Notes
    -----
    Nothing that the file names is fetched, and no file but those that it includes is read,
    and poetry's pyproject.toml.
    """
    path = os.fspath(path)
    try:
        wanted = _READERS[kind_of(path)](path, target)
    except RecursionError:
        raise RequirementsError(path, "values inside values, too deep", "a plain file") from None
    return _checked(wanted)


def _checked(wanted: Wanted) -> Wanted:
    """Tell of pins that what else is said of them excludes."""
    limits = dict(wanted.limits)
    gaps = []
    for pin in wanted.pins:
        said = ",".join(filter(None, (pin.specifier, limits.get(pin.name, ""))))
        if pin.version is not None and said and not fits(pin.version, said):
            why = f"no version fits {said}"
            gaps.append(Gap(what=pin.name, why=why, where=pin.where))
    if not gaps:
        return wanted
    return replace(wanted, unknown=(*wanted.unknown, *gaps))
