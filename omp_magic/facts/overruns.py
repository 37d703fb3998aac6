"""A limit that was not held: what worked, against what was allowed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """A library that passes its caller's number of threads to a runtime.

    Parameters
    ----------
    name
        For people: ``"XGBoost"``.
    arguments
        What its callers give the number by: ``("n_jobs", "nthread")``.
    """

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """More threads of a pool worked in a limited stretch of code than its limit allows.

    Parameters
    ----------
    pool
        The pool, for people: ``"GNU libgomp (scikit-learn)"``.
    path
        File that owns its threads.
    allowed
        Threads that the limit allows each thread that calls the pool, that thread included.
    worked
        Threads that worked, the calling ones included.
    callers
        Threads that may have called it.
    cpu_s
        CPU time of the pool's own threads.
    caller_cpu_s
        CPU time of the thread that ran the stretch.
    spec, set_by
        The limit as it was asked for, and the line that set it.
    passing
        Loaded libraries that call this runtime and pass a number of their own.
    """

    pool: str
    path: str
    allowed: int
    worked: int
    callers: int
    cpu_s: float
    caller_cpu_s: float
    spec: str
    set_by: str
    passing: tuple[Passing, ...] = ()

    @property
    def sentence(self) -> str:
        """What happened, in one line without a full stop."""
        threads = f"{self.worked} thread{'' if self.worked == 1 else 's'}"
        each = f" for each of {self.callers} threads" if self.callers > 1 else ""
        return (
            f"{self.pool} worked with {threads} under a limit of {self.allowed}{each}: {self._who}"
        )

    @property
    def _who(self) -> str:
        names = [f"{each.name} ({', '.join(each.arguments)})" for each in self.passing]
        if len(names) == 1:
            return f"{self.passing[0].name} passes its own number ({_listed(self.passing[0])})"
        if names:
            return f"one of these passes its own number: {', '.join(names)}"
        return "whoever called it named a number of its own (num_threads), which wins"


def _listed(passing: Passing) -> str:
    return ", ".join(passing.arguments)
