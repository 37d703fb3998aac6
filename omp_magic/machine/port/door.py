"""What the answers of a system need of the machine: its files, and which process is meant."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from .rows import Memory


class Door(Protocol):
    """See `machine.Machine`, whose part this is."""

    root: str
    pid: int
    live: bool
    runs: bool

    def path(self, name: str) -> str:
        """Give where an absolute path lies."""

    def read(self, name: str) -> str:
        """Give a file's text; raises OSError."""

    def folders(self, name: str) -> tuple[str, ...]:
        """Give the names of the folders in a folder."""

    def entries(self, name: str) -> list[tuple[str, int]]:
        """Give (name, inode) of everything in a folder; raises OSError."""

    def memory(self, process: int | None = None) -> AbstractContextManager[Memory]:
        """Give a reader of a process's memory; raises OSError."""
