"""The words of kernels that have ended: when, which notebook, what is said first."""

from __future__ import annotations

import time

from ..facts.deaths import Death, Deaths
from ..facts.remains import Loaded, Remains
from .words import counted, printable

_DAY_S = 86400


def told_line(death: Death) -> str:
    """Give what the next kernel of the notebook says, in one line."""
    headline = printable(death.headline)
    line = f"this notebook's kernel {headline} ({when(death.remains.last_s)})"
    return f"omp_magic: {line}; why, and what helps: %omp_postmortem"


def headline_of(death: Death) -> str:
    """Give what happened, to which kernel, and when."""
    return f"{kernel_words(death.remains)} {death.headline} ({when(death.remains.last_s)})"


def kernel_words(remains: Remains) -> str:
    """Give a kernel for people: by its notebook, else its number."""
    if remains.notebook:
        name = remains.notebook.replace("\\", "/").rpartition("/")[2]
        return f"The kernel of {name}"
    return f"The kernel {remains.pid}" if remains.pid else "A kernel"


def when(at_s: float, now_s: float | None = None) -> str:
    """Give a moment as ``14:03:05``, with its day when that is not today."""
    now_s = time.time() if now_s is None else now_s
    at = time.localtime(at_s)
    clock = time.strftime("%H:%M:%S", at)
    if at[:3] == time.localtime(now_s)[:3]:
        return clock
    return f"{time.strftime('%Y-%m-%d', at)} {clock}"


def verdict_of(found: Deaths) -> str:
    """Give the line above all, where no death stands there."""
    what = found.whose or "this notebook"
    if found.gaps and not found.deaths:
        return f"How kernels ended is not known: {what}"
    return f"No record of a kernel that died: {what}"


def sure_words(death: Death) -> str:
    """Give how sure the cause is."""
    return "The evidence leaves no other cause" if death.sure else "This is an inference"


def loaded_words(loaded: Loaded) -> str:
    """Give a runtime in a line: ``libomp.so (pyomp), was about to be loaded``."""
    name = loaded.file
    if loaded.whose and loaded.whose != loaded.file:
        name = f"{name} ({loaded.whose})"
    if loaded.coming:
        return f"{name}: was about to be loaded"
    if loaded.started is None:
        return name
    return f"{name}: {'started' if loaded.started else 'not started'}"


def stack_words(remains: Remains, most: int = 12) -> tuple[str, ...]:
    """Give Python's stack, the innermost call first, as far as it is the notebook's."""
    rows = []
    for frame in remains.stack:
        if "/ipykernel/" in frame.file or "/IPython/" in frame.file:
            break
        where = f", line {frame.line}" if frame.line else ""
        rows.append(f"{frame.function} in {frame.file}{where}")
    more = len(rows) - most
    return (*rows[:most], *((f"and {counted(more, 'call')} more",) if more > 0 else ()))


def c_stack_words(remains: Remains, most: int = 8) -> tuple[str, ...]:
    """Give C's stack, the innermost call first; Python's own functions are left out."""
    rows = [f"{file.rpartition('/')[2]}, {place}" for file, place in remains.c_stack]
    return tuple(rows[:most])


def parts_of(death: Death) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Give (title, lines) of each part below the headline that has any."""
    remains = death.remains
    text = remains.cell.text if remains.cell is not None else ""
    parts = (
        ("Evidence", death.evidence),
        ("Python's stack, the innermost call first", stack_words(remains)),
        ("C's stack, the innermost call first", c_stack_words(remains)),
        ("The cell", tuple(text.split("\n")) if text else ()),
        ("OpenMP and BLAS runtimes in it", tuple(map(loaded_words, remains.loaded))),
        ("Limits", remains.limits),
        ("Variables", tuple(f"{name}={value}" for name, value in remains.variables)),
    )
    return tuple((title, lines) for title, lines in parts if lines)


def gaps_of(death: Death) -> tuple[str, ...]:
    """Give what is not known, a line each."""
    return tuple(f"not known: {gap.what}: {gap.why}" for gap in death.remains.gaps)
