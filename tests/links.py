"""Symbolic links, where the system and the user may have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def link(path: Path, to: Path | str) -> None:
    """Make a link, or skip: on Windows it needs a right, and Wine does not say where one leads."""
    try:
        path.symlink_to(to)
    except OSError as error:
        pytest.skip(f"a symbolic link cannot be made here: {error}")
    if os.path.realpath(path) != os.path.realpath(path.parent / to):
        pytest.skip("symbolic links are not followed here")
