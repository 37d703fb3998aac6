"""What is installed: modules and distributions."""

from __future__ import annotations

from typing import NamedTuple

BINARY = (".so", ".pyd")
"""What the names of extension modules end in."""


class Module(NamedTuple):
    """A module on disk.

    Parameters
    ----------
    name
        Dotted.
    file
        Its source or extension; None for a namespace package.
    folders
        Where its submodules are; () when it is no package.
    root
        The folder of ``sys.path`` it is below.
    """

    name: str
    file: str | None
    folders: tuple[str, ...]
    root: str

    @property
    def binary(self) -> bool:
        """Whether it is machine code."""
        return self.file is not None and self.file.endswith(BINARY)


class Dist(NamedTuple):
    """An installed distribution.

    Parameters
    ----------
    name, version
        As its folder of metadata is called, which pip writes with ``_`` for ``-``.
    record
        Path of its RECORD, or of installed-files.txt.
    """

    name: str
    version: str
    record: str
