"""Kernels -> lines of text, a table once or again and again; and plain data for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..facts.cpus import cpus_words
from ..facts.kernels import SCHEMA, Kernel, Kernels
from ..facts.plain import as_plain
from .lines import TONES, Cell, table, wrapped
from .words import DASH, counted

if TYPE_CHECKING:
    from rich.text import Text

_MB = 1_000_000
_GB = 1000 * _MB
_MOST_CODES = 4


def plain(found: Kernels) -> dict[str, Any]:
    """Give the kernels as dicts, lists, texts and numbers."""
    return {"schema": SCHEMA, **as_plain(found)}


def layout(found: Kernels, width: int, *, most: int | None = None, home: str = "") -> list[Text]:
    """Give a table of kernels, and below it what is not known.

    Parameters
    ----------
    found
        The kernels, in their order.
    width
        Columns.
    most
        Rows that there is room for; all when None.
    home
        The user's home folder, which is written ``~``.
    """
    shown = found.kernels if most is None else found.kernels[: max(1, most)]
    lines: list[Text] = []
    if shown:
        heads = ("kernel", ">pid", ">CPUs", ">of", ">threads", ">memory", "state", "findings")
        if found.every:
            heads = ("kernel or process", *heads[1:])
        lines = table(heads, [_row(each, home) for each in shown], width)
    else:
        what = "process with an OpenMP or BLAS runtime" if found.every else "Jupyter kernel"
        more = "" if found.every else "; other processes: omp-magic top --all"
        lines = wrapped(f"No {what} of yours is running{more}", width, first="  ")
    left = len(found.kernels) - len(shown)
    if left:
        lines += wrapped(f"and {counted(left, 'more row')}", width, first="  ", style="dim")
    for gap in found.gaps:
        told = f"not known: {gap.what}: {gap.why}"
        lines += wrapped(told, width, first="  ", further="    ", style="dim")
    return lines


def summary(found: Kernels) -> str:
    """Give all of them in a line: ``3 kernels · 1.2 CPUs · 48 threads``."""
    noun = "process" if found.every else "kernel"
    number = len(found.kernels)
    parts = [f"{number} processes" if found.every and number != 1 else counted(number, noun)]
    used = [each.cpus for each in found.kernels if each.cpus is not None]
    if used:
        parts.append(f"{cpus_words(sum(used))} used")
    parts.append(counted(sum(each.num_threads or 0 for each in found.kernels), "thread"))
    return " · ".join(parts)


def _row(kernel: Kernel, home: str) -> list[Cell]:
    codes = " ".join(kernel.findings[:_MOST_CODES])
    codes += " …" if len(kernel.findings) > _MOST_CODES else ""
    return [
        _short(kernel.name, home),
        str(kernel.pid),
        DASH if kernel.cpus is None else f"{kernel.cpus:.2f}",
        DASH if kernel.allowed_cpus is None else f"{round(kernel.allowed_cpus, 2):g}",
        DASH if kernel.num_threads is None else str(kernel.num_threads),
        _memory(kernel.rss_bytes),
        kernel.state or DASH,
        (codes or DASH, TONES.get(kernel.severity, "")),
    ]


def _short(name: str, home: str) -> str:
    return name.replace(home, "~") if len(home) > 1 else name


def _memory(size_bytes: int | None) -> str:
    if size_bytes is None:
        return DASH
    if size_bytes >= _GB:
        return f"{size_bytes / _GB:.1f} GB"
    return f"{size_bytes / _MB:.0f} MB"
