"""A start -> the lines of a tool's file: the variables that something here reads, and why."""

from __future__ import annotations

from collections.abc import Mapping

from ..facts.sheets import SheetLine
from ..facts.starts import ABOVE, KEPT, LEFT, Start, StartVariable
from ..knowledge.variables import VARIABLES


def lines_of(
    start: Start, readers: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[SheetLine, ...], tuple[str, ...]]:
    """Give the variables that something here reads, and what is said of the others.

    Parameters
    ----------
    start
        How it is started.
    readers
        Who reads each variable, as `readers_here` gives it.
    """
    lines, left, unread = [], [], []
    for each in start.variables:
        wanted = bool(readers.get(each.name)) or each.name == "OMP_NUM_THREADS"
        if each.state == LEFT:
            if wanted:
                left.append(f"{each.name} is not set: {each.why}")
        elif wanted or each.named or (each.state == KEPT and each.why != ABOVE):
            lines.append(SheetLine(each.name, each.value, _comment(each, readers)))
        else:
            unread.append(each.name)
    foot = [*left, *([_unread(unread)] if unread else [])]
    return tuple(lines), tuple(foot)


def _unread(names: list[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return f"left out, nothing here reads it: {', '.join(names)}"
    told = f"{len(names)} variables that nothing here reads"
    return f"left out: {told} (omp-magic run --dry-run names them)"


def _comment(each: StartVariable, readers: Mapping[str, tuple[str, ...]]) -> str:
    who = ", ".join(readers.get(each.name, ())[:_MOST_NAMED])
    what, _, more = VARIABLES[each.name].partition("; ")
    told = f"{what} ({who})" if who else what
    told += f"; {more}" if more and "," in (each.value or "") else ""
    why = each.why
    if each.state == KEPT and why != ABOVE:
        why = "it is set here already"
    return f"{told}; {why}" if why else told


_MOST_NAMED = 4
