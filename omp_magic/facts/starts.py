"""How a program is started: each variable, its value, and why it has it or is left alone."""

from __future__ import annotations

from dataclasses import dataclass

from .cpus import Budget

TYPE_CHECKING = False  # typing.TYPE_CHECKING would cost an import, and a server waits for its start
if TYPE_CHECKING:
    from collections.abc import Mapping

ABOVE = "omp-magic run above has set it"
"""Why a variable is kept that no user has set."""

SET, KEPT, LEFT, OUT = "set", "kept", "left alone", "taken out"
"""States of a variable: it gets a value; it keeps the user's; it stays unset; it is taken out."""

BY_WORKERS, BY_TASKS = "worker", "task"
"""What divides the CPUs: processes, or the tasks that run at once, several in a process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartVariable:
    """One variable of a program that is to be started.

    Parameters
    ----------
    name
        The variable.
    value
        Its value then; None where it has none.
    state
        `SET`, `KEPT`, `LEFT` or `OUT`.
    why
        Why that is so, in words.
    named
        Whether it was asked for by its own name or for a finding, and not just as one of all.
    """

    name: str
    value: str | None
    state: str
    why: str = ""
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The variables of a program that is to be started, and what they rest on.

    Parameters
    ----------
    budget
        The CPUs allowed.
    workers
        Processes that divide them; or as many of what `divided` says.
    threads
        Threads for each pool of a worker: the budget, divided; at least 1.
    variables
        In the order in which they are told.
    notes
        What was asked for and does not hold, a line each: for people, whether they ask or not.
    counted
        Variables whose values were counted, here or by an `omp-magic run` above: no user's wish.
    divided
        What divides the CPUs, `BY_WORKERS` or `BY_TASKS`.
    """

    budget: Budget
    workers: int
    threads: int
    variables: tuple[StartVariable, ...]
    notes: tuple[str, ...] = ()
    counted: frozenset[str] = frozenset()
    divided: str = BY_WORKERS

    @property
    def left(self) -> tuple[str, ...]:
        """Variables that are not set, since each would overrule one that is."""
        return tuple(each.name for each in self.variables if each.state == LEFT)

    def environ(self, before: Mapping[str, str]) -> dict[str, str]:
        """Give an environment with what is set and without what is taken out."""
        found = dict(before)
        for each in self.variables:
            if each.state == SET and each.value is not None:
                found[each.name] = each.value
            elif each.state == OUT:
                found.pop(each.name, None)
        return found
