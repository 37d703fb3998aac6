"""What stands in the sentences about a death: where, how long, what was written, what helps."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UnknownCodeError
from ..facts.libraries import Finding
from ..facts.memory import bytes_words
from ..facts.remains import Frame, Remains
from ..knowledge.lastlines import SIGNALS
from .explain import explain

_PLUMBING = ("ipykernel", "IPython", "tornado", "asyncio", "runpy", "threading", "traitlets")
_MINUTE_S, _HOUR_S = 60, 3600


def cell_words(remains: Remains) -> str:
    """Give where it happened: `` in cell 7``, `` after cell 7``; "" when no cell is known."""
    cell = remains.cell
    if cell is None:
        return ""
    number = f"cell {cell.number}" if cell.number else "a cell"
    return f" in {number}" if cell.ended_s is None else f" after {number}"


def lasted(seconds: float) -> str:
    """Give a time as people say it: ``3 s``, ``4 min``, ``2 h 5 min``."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE_S)
    if seconds < _HOUR_S:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def finding_of(remains: Remains, codes: Iterable[str]) -> Finding | None:
    """Give what was found in that kernel, of the first code that was."""
    for code in codes:
        for each in remains.findings:
            if each.code == code and code:
                return each
    return None


def remedies_of(code: str, finding: Finding | None) -> tuple[str, ...]:
    """Give what helps: as it was found for that kernel, else what helps in general."""
    if finding is not None:
        return finding.remedies
    try:
        return explain(code).rule.story.mend if code else ()
    except UnknownCodeError:
        return ()


def with_owner(remains: Remains, name: str) -> str:
    """Give a library as people know it: ``libomp.so of pyomp``."""
    same = [each for each in remains.loaded if each.file == name]
    whose = same[0].whose if len(same) == 1 else ""
    return f"{name} of {whose}" if whose and whose != name else name


def place_of(stack: tuple[Frame, ...]) -> str:
    """Give the innermost frame: ``string_at (ctypes/__init__.py, line 519)``."""
    if not stack or any(f"/{name}/" in stack[0].file for name in _PLUMBING):
        return ""
    first = stack[0]
    line = f", line {first.line}" if first.line else ""
    parts = first.file.replace("\\", "/").split("/")
    file = "/".join(parts[-2:]) if len(parts) > 1 else first.file
    if "ipykernel_" in file:
        return f"line {first.line} of the cell" if first.line else "the cell itself"
    return f"{first.function} ({file}{line})"


def written(remains: Remains) -> tuple[str, ...]:
    """Give what C code wrote to stderr at the end."""
    return tuple(f"stderr: {line.strip()}" for line in remains.lines if line.strip())


def signal_words(remains: Remains) -> tuple[str, ...]:
    """Give the signal, or nothing."""
    if not remains.error:
        return ()
    return (f"signal: {SIGNALS.get(remains.error, (remains.error,))[0]}",)


def exit_words(remains: Remains) -> tuple[str, ...]:
    """Give that C's exit was called, and with what."""
    if remains.exited is None or not remains.exited[0]:
        return ()
    code = remains.exited[1]
    return (f"C's exit was called{'' if code is None else f' with {code}'}",)


def figures_words(remains: Remains) -> tuple[str, ...]:
    """Give what it used when it was last looked at."""
    figures = remains.figures
    if figures is None:
        return ()
    parts = []
    if figures.rss_bytes is not None:
        parts.append(f"{bytes_words(figures.rss_bytes)} resident")
    if figures.cpus is not None:
        parts.append(f"{figures.cpus:.1f} CPUs used")
    if figures.threads is not None:
        parts.append(f"{figures.threads} threads")
    before = max(0.0, remains.last_s - figures.at_s)
    when = f"{lasted(before)} before the end" if before >= 1 else "at the end"
    return (f"last figures, {when}: {', '.join(parts)}",) if parts else ()


def doing_words(remains: Remains) -> str:
    """Give whether a cell that hung was at work."""
    figures = remains.figures
    if figures is None or figures.cpus is None or not remains.busy:
        return ""
    if figures.cpus < 0.05:
        return ", and waited: it used no CPU"
    return f", and used {figures.cpus:.1f} CPUs"


def evidence_of(remains: Remains, finding: Finding | None) -> tuple[str, ...]:
    """Give what was loaded at last, and what a finding rests on."""
    doing = (f"at last: {remains.doing}",) if remains.doing else ()
    return (*doing, *(finding.evidence if finding is not None else ()))


def tried(remains: Remains) -> tuple[str, ...]:
    """Give how to see which of the modules does it, in a child process that may die."""
    name = remains.doing.removeprefix("import ").partition(".")[0]
    if not remains.doing.startswith("import ") or not name.isidentifier():
        return ()
    return (f"Try the import in a child process, which may die: %omp_check {name} --run",)
