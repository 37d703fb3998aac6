"""What importing modules may load, as facts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..facts.libraries import Gap, Library

_MOST_NAMED = 3


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
class Branch:
    """What is otherwise where a system lacks something that it is taken to have.

    Parameters
    ----------
    key, words
        Of what is taken to be there: `omp_magic.knowledge.elsewhere`.
    copies, copies_without
        Copies of LLVM-family runtimes with it, and without it.
    failing
        Modules whose import would fail without it.
    remedy
        What brings it.
    """

    key: str
    words: str
    copies: int
    copies_without: int
    failing: tuple[str, ...] = ()
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """It as a sentence: ``with Homebrew's libomp: 2 copies; without it: …``.

        "" where nothing is otherwise without it.
        """
        without = _copies(self.copies_without)
        if self.failing:
            without = f"importing {_listed(self.failing)} fails{self._brought}"
        elif self.copies == self.copies_without:
            return ""
        if self.copies > 1 and self.copies != self.copies_without:
            return f"with {self.words}: {_copies(self.copies)}; without it: {without}"
        return f"without {self.words}: {without}"

    @property
    def _brought(self) -> str:
        """What brings it, in brackets: a command, or where it comes from."""
        if not self.remedy:
            return ""
        is_command = not re.search("[:;,]", self.remedy)
        words = f"{self.remedy} brings it" if is_command else f"it comes with {self.remedy}"
        return f" ({words})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """A change that was tried on the files and leaves one copy of the LLVM family.

    Parameters
    ----------
    kind
        ``"order"``, ``"variable"``, ``"link"`` or ``"versions"``.
    words
        What it is, for people.
    code
        The line that does it.
    copies
        Copies that are left.
    """

    kind: str
    words: str
    code: str
    copies: int


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
    failing
        Modules that were asked about and whose import would fail, so that nothing is known of
        what comes after that.
    sets
        Variables that importing sets for the process, and the modules that do.
    branches
        What is otherwise without something that the system is taken to have.
    notes
        What could not be told, a sentence each.
    """

    asked: tuple[Asked, ...]
    runtimes: tuple[Coming, ...]
    distributions: tuple[str, ...]
    modules: int
    objects: int
    unknown: tuple[Gap, ...] = ()
    failing: tuple[Gap, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    branches: tuple[Branch, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def copies(self) -> int:
        """How many copies of LLVM-family runtimes somebody may call."""
        return sum(each.kin == "llvm" and not each.idle for each in self.libraries)

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The facts of the runtimes alone."""
        return tuple(each.library for each in self.runtimes)


def _copies(number: int) -> str:
    if not number:
        return "no copy"
    return f"{number} {'copies' if number > 1 else 'copy'}"


def _listed(names: Sequence[str]) -> str:
    """Give names in words, of many the first: ``a, b, c and 2 more``."""
    first, more = names[:_MOST_NAMED], len(names) - _MOST_NAMED
    *most, last = (*first, f"{more} more") if more > 0 else first
    return f"{', '.join(most)} and {last}" if most else last
