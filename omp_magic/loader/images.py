"""What the simulated loaders of all systems have in common: images, and the one question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..formats.binaries import Binary


@dataclass(slots=True, eq=False)
class Image:
    """A file of machine code that is mapped in the simulated process.

    Parameters
    ----------
    path
        The file as the loader keeps it.
    identity
        Device and inode.
    binary
        What the file says.
    parent
        The image whose need, or whose call of dlopen, brought it first; None for the first.
    needed
        What its needs led to, those that were there already included.
    """

    path: str
    identity: tuple[int, int]
    binary: Binary
    parent: Image | None = None
    needed: list[Image] = field(default_factory=list)


class Missing(NamedTuple):
    """A library that was not found.

    Parameters
    ----------
    name
        As it was asked for.
    by
        Path of the file that needs it first; "" for what the program itself asked for.
    fatal
        Whether the load failed for it, so that nothing of it stays mapped.
    why
        What is wrong with the file that was found, or "".
    """

    name: str
    by: str
    fatal: bool
    why: str = ""


class SimulatedLoader(Protocol):
    """A process without a process: what loading a file would map in it, one after the other."""

    loaded: list[Image]
    """What was mapped, in the order of loading, without what the process had before."""
    missing: list[Missing]
    """What was not found, each name once a requester."""

    def load(self, path: str, by: Image | None = None) -> Image | None:
        """Load a file, or a bare name for `by`, with all it needs.

        Returns
        -------
        Image or None
            None when the load fails; what it alone would have mapped is not mapped then.
        """

    def open_folders(self, folders: Sequence[str]) -> None:
        """Look in these folders too from now on (os.add_dll_directory; nothing elsewhere)."""
