"""What importing modules may load, as facts."""

from __future__ import annotations

from dataclasses import dataclass

from ..facts.libraries import Gap, Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringer:
    """Who brings a runtime.

    Parameters
    ----------
    module
        The module that was asked about.
    distribution
        The distribution whose code loads it, or None when no metadata lists that code.
    through
        The module, perhaps a deep one, whose import loads it.
    """

    module: str
    distribution: str | None
    through: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A runtime that is to be expected.

    Parameters
    ----------
    library
        Its facts; for `omp_magic.rules.judge`.
    brought_by
        Who brings it, each module and distribution once; the first one decides which file.
    """

    library: Library
    brought_by: tuple[Bringer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A module that was asked about.

    Parameters
    ----------
    name
        As asked.
    distributions
        Those that own its top-level name, as ``name version``; () for one of the standard
        library and for one without metadata.
    file
        Its source or extension; None when it has none.
    """

    name: str
    distributions: tuple[str, ...]
    file: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MayLoad:
    """What importing modules may load, in this order, into a process.

    Parameters
    ----------
    asked
        The modules that were found.
    runtimes
        OpenMP and BLAS runtimes, in the order of loading. Those that are loaded already are
        not among them.
    distributions
        Every distribution from which something would be imported.
    modules, objects
        How many modules and shared objects would come in all, the standard library's aside.
    unknown
        Modules that are not installed, and why nothing is known of them.
    notes
        What could not be told, a sentence each.
    """

    asked: tuple[Asked, ...]
    runtimes: tuple[Coming, ...]
    distributions: tuple[str, ...]
    modules: int
    objects: int
    unknown: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The facts of the runtimes alone."""
        return tuple(each.library for each in self.runtimes)
