"""A start -> the lines of a tool's file: the variables that something here reads, and why."""

from __future__ import annotations

from collections.abc import Mapping

from ..facts.sheets import SheetLine
from ..facts.starts import KEPT, LEFT, OUT, SET, Start, StartVariable
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
        elif wanted or (each.why and each.state in (SET, OUT)) or each.state == KEPT:
            lines.append(SheetLine(each.name, each.value, _comment(each, readers)))
        else:
            unread.append(each.name)
    foot = [*left, *([f"left out, nothing here reads it: {', '.join(unread)}"] if unread else [])]
    return tuple(lines), tuple(foot)


def _comment(each: StartVariable, readers: Mapping[str, tuple[str, ...]]) -> str:
    who = ", ".join(readers.get(each.name, ())[:_MOST_NAMED])
    told = VARIABLES[each.name] + (f" ({who})" if who else "")
    why = "it is set here already" if each.state == KEPT else each.why
    return f"{told}; {why}" if why else told


_MOST_NAMED = 4
