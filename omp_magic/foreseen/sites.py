"""Environments on this machine's disk: the running one, another one, one of another system."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from ..errors import RequestError
from ..facts.targets import Target
from ..installed.distributions import posix
from ..installed.foreign import Site
from ..installed.layout import python_of, sites_in
from ..loader.files import Disk, Files
from .systems import suited


def site_of(folders: Sequence[str | os.PathLike[str]], target: Target) -> Site:
    """Give the environment in folders of this machine: site-packages, a prefix, an image.

    Raises
    ------
    RequestError
        When one of them is no folder, or its files are for another system.
    """
    files = Disk()
    path: list[str] = []
    for folder in folders:
        where = posix(os.fspath(folder))
        if not files.is_folder(where):
            accepted = "a folder: site-packages, an environment, an unpacked image"
            raise RequestError(
                os.fspath(folder), accepted, "--site venv/lib/python3.12/site-packages"
            )
        path += sites_in(where, files)
    target = suited(target, path, files)
    return Site(path, with_python_of(path, target, files), files)


def with_python_of(path: Sequence[str], target: Target, files: Files) -> Target:
    """Give a target with the Python that an environment is for, where nobody said which."""
    found = next((each for each in (python_of(site, files) for site in path) if each), None)
    return target if target.python_known or found is None else replace(target, python=found)


def here_site(target: Target) -> Site:
    """Give the environment of the running interpreter, for a process that has nothing yet."""
    path = [posix(each) for each in sys.path]
    return Site(path, replace(target, python=sys.version_info[:2]), Disk())
