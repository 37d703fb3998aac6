"""How some readers of a variable understand it."""

from __future__ import annotations

from typing import NamedTuple

from .envvars import Reads

_IGNORED = "ignores it"
_RUNTIMES = {"libgomp", "libiomp5", "libomp", "vcomp", "openblas", "mkl", "blis"}


class Dialect(NamedTuple):
    """How some readers of a variable understand it.

    Parameters
    ----------
    readers
        Keys of `catalog.FAMILIES`, or Python packages.
    who
        The readers for people.
    accepts
        What they understand.
    read
        Gives the meaning of a value in words; None when they do not understand it.
    otherwise
        What they do then.
    """

    readers: tuple[str, ...]
    who: str
    accepts: str
    read: Reads
    otherwise: str = _IGNORED

    @property
    def packaged(self) -> bool:
        """Whether only Python packages read it, and other runtimes may read the variable too."""
        return not set(self.readers) & _RUNTIMES
