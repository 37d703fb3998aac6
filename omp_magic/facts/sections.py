"""A section of a server's code: which one it is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from .usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One run of a section.

    Parameters
    ----------
    name
        As its user calls it.
    number
        Which run of any section of this process it is, from 1 on.
    around
        (Name, number) of each section that it runs in, the outermost first.
    """

    name: str
    number: int
    around: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of a section ended.

    Parameters
    ----------
    failed
        The type of the error that it ended with, ``"ValueError"``; "" when with none. Its message
        is not kept: it may hold what must not be in a log.
    usage
        What was used from its begin to its end; None when that was not measured.
    why
        Why it was not.
    threads
        OS threads at the end; None when unknown.
    shared
        Whether other sections, neither around it nor in it, ran meanwhile: the figures are those
        of the process.
    items
        Items that it gave, where it is a generator; else None.
    """

    failed: str = ""
    usage: Usage | None = None
    why: str = ""
    threads: int | None = None
    shared: bool = False
    items: int | None = None
