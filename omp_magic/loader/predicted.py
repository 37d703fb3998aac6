"""What one load would do, and who foresees it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from .needed import Glance


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one dlopen would do.

    Parameters
    ----------
    new
        Files it would newly map, in the order of loading, as the process's map will show them:
        absolute, with symbolic links resolved. Two paths that are links of one file are told
        apart by stat(2) only.
    missing
        Name of the library for whose lack it would fail, so that nothing stays mapped; or None.
    known
        Whether this can be told at all.
    why
        What is wrong with `missing`, or why nothing is known; or None.
    """

    new: tuple[str, ...] = ()
    missing: str | None = None
    known: bool = True
    why: str | None = None


NOTHING = Prediction()


class Opened(Protocol):
    """A folder that os.add_dll_directory opened: what that gives."""

    path: str | None
    """The folder; None once it was closed."""


class Model(Protocol):
    """Follows the loader of the running process; kept between calls, for one thread at once."""

    @property
    def names(self) -> AbstractSet[str]:
        """What loaded objects are known by, as of the last prediction."""

    def open_folder(self, folder: Opened) -> None:
        """Look there too, where the system has such folders, until it is closed."""

    def has_all(self, names: Iterable[str]) -> bool:
        """Tell whether names lead to loaded objects; not that they do not: see `predict`.

        Raises
        ------
        OSError, ParseError
            When the loader's list cannot be read.
        """

    def glance(self, path: str) -> Glance:
        """Give what a file says that it needs, in the shortest way there is.

        Raises
        ------
        OSError, ValueError, OmpMagicError
            When it cannot be read in that way.
        """

    def expect(self, seen: Glance) -> None:
        """Say that an extension module is about to be loaded, and nothing else with it."""

    def predict(
        self, name: str | os.PathLike[str] | None, requester: str | None = None
    ) -> Prediction:
        """Tell what loading this would newly map now; never raises."""
