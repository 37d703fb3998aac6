"""What could not be read; apart, since the CPUs allowed are asked for where each ms counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that could not be read.

    Parameters
    ----------
    what
        The fact that is missing, for example ``"throttling"``.
    why
        The reason, in words a user can act on.
    where
        The file or call that did not answer, or None.
    """

    what: str
    why: str
    where: str | None = None

    @classmethod
    def of(cls, what: str, error: Exception, where: str | None = None) -> Gap:
        """Give the gap that an error leaves; `where` stands in when it names no file."""
        if isinstance(error, OSError):
            return cls(what=what, why=error.strerror or str(error), where=error.filename or where)
        return cls(what=what, why=str(error), where=where)
