"""Imports tried in a child process: what a trial and a search for an order have found.

`experiments` runs them; its `child` is the program in the other process, which imports no more of
the facts than this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .libraries import Gap, Library
from .plain import as_plain

GOOD = ("ok", "skipped")
"""Outcomes of a step after which the process goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvChange:
    """A variable of `catalog.VARIABLES` that a step changed, as C sees it.

    Parameters
    ----------
    name
        The variable.
    before, after
        Its values; None when it was not set.
    in_python
        Whether ``os.environ`` shows the value too; mkl-service sets one in C alone.
    set_by
        Imported modules that are known to set it so; () when none is, and then it was
        something in the step.
    """

    name: str
    before: str | None
    after: str | None
    in_python: bool
    set_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A variable that the asking process has and that the trial started without.

    Parameters
    ----------
    name, value
        The variable and its value in the asking process.
    set_by
        Modules imported there that set it: a fresh kernel does not have it.
    """

    name: str
    value: str
    set_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried, and how it ended.

    Parameters
    ----------
    kind
        ``"import"``; ``"call"`` into a runtime; ``"start"`` of the interpreter, which is a step
        only when it failed.
    name
        The module, or the runtime's name.
    outcome
        ``"ok"``; ``"skipped"``: not called, for the reason in `note`; ``"error"``: a Python
        exception; ``"aborted"``: SIGABRT; ``"crashed"``: another signal; ``"exited"``: the
        process ended itself; ``"hung"``: killed at the time limit.
    wall_s
        Seconds that it took, or until it failed.
    libraries
        Runtimes that were mapped for the first time, as they were after the step.
    changes
        Variables that it changed.
    path
        File of the runtime that was called.
    error
        Type of the exception.
    message
        Its text, or what the runtime itself printed, one or more lines.
    signal
        Name of the signal that ended the process.
    code
        Exit code, when it ended itself.
    traceback
        Where in Python that was, the innermost frame first.
    note
        Why it was skipped, or what is not known.
    """

    kind: str
    name: str
    outcome: str
    wall_s: float
    libraries: tuple[Library, ...] = ()
    changes: tuple[EnvChange, ...] = ()
    path: str = ""
    error: str = ""
    message: str = ""
    signal: str = ""
    code: int | None = None
    traceback: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of importing these modules, in this order, in a fresh interpreter.

    Parameters
    ----------
    modules
        The modules, in the order of the trial.
    python
        The interpreter.
    steps
        What was tried: each import, then a call into each runtime; none after a failure.
    libraries
        Runtimes at the last look.
    environment
        (variable, value) of `catalog.VARIABLES` that it was started with.
    withheld
        Variables that it was started without, though the asking process has them.
    wall_s
        Seconds for all of it, the start of the interpreter included.
    stdout, stderr
        The end of what it printed, 16 kB of each at most.
    gaps
        What could not be read in the child.
    """

    modules: tuple[str, ...]
    python: str
    steps: tuple[Step, ...]
    libraries: tuple[Library, ...]
    environment: tuple[tuple[str, str], ...]
    withheld: tuple[Withheld, ...]
    wall_s: float
    stdout: str = ""
    stderr: str = ""
    gaps: tuple[Gap, ...] = ()

    @property
    def failed(self) -> Step | None:
        """The step that failed, or None."""
        return next((step for step in self.steps if step.outcome not in GOOD), None)

    @property
    def works(self) -> bool:
        """Whether every import and every call into a runtime went well."""
        return self.failed is None

    @property
    def masked(self) -> tuple[str, ...]:
        """Names of LLVM runtimes that run side by side only because a variable silenced it.

        More than one that has started is possible with KMP_DUPLICATE_LIB_OK alone, and then
        "may cause crashes or silently produce incorrect results", as Error #15 says itself.
        """
        started = tuple(
            each.name
            for each in self.libraries
            if each.kin == "llvm" and each.initialized and not each.idle
        )
        return started if len(started) > 1 else ()

    def summary(self) -> str:
        """Say in one line what became of it."""
        what = ", ".join(self.modules)
        step = self.failed
        if step is None:
            beside = f", with {' and '.join(self.masked)} side by side" if self.masked else ""
            return f"{what}: works{beside}"
        how = {
            "error": step.error,
            "aborted": "aborted",
            "crashed": step.signal,
            "exited": f"exit code {step.code}",
        }.get(step.outcome, f"no end after {step.wall_s:.0f} s")
        first = step.message.split("\n", 1)[0]
        where = {"import": f"import {step.name}", "call": f"first use of {step.name}"}
        said = f": {first}" if first else ""
        return f"{what}: {where.get(step.kind, 'start of the interpreter')}: {how}{said}"

    def to_dict(self) -> dict[str, Any]:
        """Give the trial as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            The fields, with ``works`` and ``masked``.
        """
        return {"works": self.works, "masked": list(self.masked), **as_plain(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSearch:
    """What a search for an order has found.

    Parameters
    ----------
    modules
        The modules, in the order given.
    trials
        Every trial, in the order of running.
    best
        The trial that proves the order, or None.
    stopped
        Why the search ended without having looked at every order, or "".
    wall_s
        Seconds for all of it.
    """

    modules: tuple[str, ...]
    trials: tuple[Trial, ...]
    best: Trial | None
    stopped: str
    wall_s: float

    @property
    def order(self) -> tuple[str, ...] | None:
        """The order that works, or None."""
        return None if self.best is None else self.best.modules

    @property
    def possible(self) -> int:
        """How many orders there are."""
        return math.factorial(len(self.modules))

    def summary(self) -> str:
        """Say in one line what was found."""
        number = len(self.trials)
        tried = f"{number} trial{'s' * (number != 1)}"
        if self.best is not None:
            return f"{self.best.summary()} ({tried})"
        left = f"; {self.stopped}" if self.stopped else ", and no other order can"
        return f"{', '.join(self.modules)}: no order worked in {tried} of {self.possible}{left}"

    def to_dict(self) -> dict[str, Any]:
        """Give the search as plain dicts, lists, strings and numbers.

        Returns
        -------
        dict
            ``modules``, ``order``, ``possible``, ``stopped``, ``wall_s`` and ``trials``.
        """
        return {
            "modules": list(self.modules),
            "order": None if self.order is None else list(self.order),
            "possible": self.possible,
            "stopped": self.stopped,
            "wall_s": self.wall_s,
            "trials": [trial.to_dict() for trial in self.trials],
        }
