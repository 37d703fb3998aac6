"""The facts about environment variables: where they differ, and what each library made of them."""

from __future__ import annotations

from dataclasses import dataclass

from .changes import Change

OURS = ("omp_limit",)
"""As `EnvSetting.set_by`: a limit of omp_magic holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one loaded library made of one variable.

    Parameters
    ----------
    reader
        The library, for people: ``"OpenBLAS (numpy)"``.
    family
        Its key in `catalog.FAMILIES`, or the Python package that has the pool.
    state
        ``"in force"``; ``"too late"``: it was set after the library had read it;
        ``"overruled"`` by another variable; ``"to come"``: the library has not read it yet;
        ``"ignored"``: the library does not read it as it was built, or cannot read the value;
        ``"refused"``: more than the library may have, so that it has one thread;
        ``"unknown"``: see `why`. Where the value gives the count that is there it is in force,
        also when another value would give the same.
    by
        The variable that overrules it, or that holds the most it may have; "" for none.
    num_threads
        Threads that the library has or would use.
    most
        The most threads that it may ever have; None where nothing tells.
    why
        Why the state is not known, in words; "" for any other.
    """

    reader: str
    family: str
    state: str
    by: str = ""
    num_threads: int | None = None
    most: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSetting:
    """One environment variable that matters, in the three places where it can differ.

    Parameters
    ----------
    name
        The variable.
    python
        Its value in ``os.environ``; None when not set there.
    native
        Its value for C's ``getenv``, which is what libraries read; None when not set.
    at_exec
        Its value when the process started; None when it was not set.
    readers
        Families that read it.
    meaning
        What its value says, in words; "" when it has no value, or one that nobody can read.
    problem
        Which reader cannot make sense of the value, what it does then and what it accepts, or
        "". Of the loaded libraries; of all runtimes when none that reads it is loaded.
    set_by
        Modules whose import set it, when it was set after the start: seen, as `change` says; else
        those that are loaded and known to set it to this value.
    change
        How it came to its value, where that was seen.
    readings
        What each loaded library made of it.
    """

    name: str
    python: str | None
    native: str | None
    at_exec: str | None
    readers: tuple[str, ...] = ()
    meaning: str = ""
    problem: str = ""
    set_by: tuple[str, ...] = ()
    change: Change | None = None
    readings: tuple[Reading, ...] = ()

    @property
    def by_import(self) -> bool:
        """Whether an import set it, so that it is nobody's wish."""
        return bool(self.set_by) and self.set_by != OURS
