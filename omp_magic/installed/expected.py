"""What importing modules may load, as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        """It as a sentence: ``with Homebrew's libomp: 2 copies; without it: …``."""
        without = _copies(self.copies_without)
        if self.failing:
            *most, last = self.failing
            names = f"{', '.join(most)} and {last}" if most else last
            brings = f" ({self.remedy} brings it)" if self.remedy else ""
            without = f"importing {names} fails{brings}"
        return f"with {self.words}: {_copies(self.copies)}; without it: {without}"


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
        return "no copy of LLVM's or Intel's OpenMP"
    return f"{number} {'copies' if number > 1 else 'copy'} of LLVM's or Intel's OpenMP"
