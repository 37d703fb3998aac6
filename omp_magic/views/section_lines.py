"""Where a section of a server begins and ends -> a line of its log, and its facts as a dict."""

from __future__ import annotations

from typing import Any

from ..facts.memory import bytes_words
from ..facts.plain import as_plain
from ..facts.sections import Ended, Section
from ..facts.usage import Usage
from .usage import seconds, throttled
from .words import DASH, counted, printable

_Line = tuple[str, dict[str, Any]]
_NAMED = 8
"""Sections around one that are named, the innermost: a function that calls itself has many."""


def begin_line(section: Section, threads: int | None, rss_bytes: int | None) -> _Line:
    """Give the line of a begin, and its facts."""
    facts = {"event": "begin", **_which(section), "threads": threads, "rss_bytes": rss_bytes}
    text = f"{_called(section)} begins: {_threads(threads)}, RSS {_size(rss_bytes)}"
    return printable(text), facts


def end_line(section: Section, ended: Ended) -> _Line:
    """Give the line of an end, and its facts."""
    facts = {
        "event": "end",
        **_which(section),
        "failed": ended.failed or None,
        "items": ended.items,
        "shared": ended.shared,
        "threads": ended.threads,
        **({} if ended.usage is None else _figures(ended.usage)),
    }
    text = f"{_called(section)} " + (f"failed: {ended.failed}" if ended.failed else "ended")
    if ended.usage is None:
        return printable(f"{text}; not measured: {ended.why}"), {**facts, "why": ended.why}
    parts = [*_parts(ended.usage), _by_owner(ended), throttled(ended.usage)]
    if ended.items is not None:
        parts.insert(0, counted(ended.items, "item"))
    if ended.shared:
        parts.append("other sections ran meanwhile, and all figures are the process's")
    parts += [f"not known: {gap.what} ({gap.why})" for gap in ended.usage.gaps]
    return printable(f"{text} after {seconds(ended.usage.wall_s)}: {', '.join(parts)}"), facts


def _which(section: Section) -> dict[str, Any]:
    return {
        "section": section.name,
        "number": section.number,
        "in": [{"section": name, "number": number} for name, number in section.around[-_NAMED:]],
    }


def _called(section: Section) -> str:
    named, more = section.around[-_NAMED:], len(section.around) - _NAMED
    inside = "".join(f" in {name} #{number}" for name, number in reversed(named))
    return f"section {section.name} #{section.number}{inside}" + f" in {more} more" * (more > 0)


def _parts(usage: Usage) -> list[str]:
    children = ""
    if usage.children_cpu_s:
        children = f" and {seconds(usage.children_cpu_s)} in children"
    before, after = usage.rss_before_bytes, usage.rss_after_bytes
    change = ""
    if before is not None and after is not None and before != after:
        sign = "-" if after < before else "+"
        change = f" ({sign}{bytes_words(abs(after - before))})"
    parts = [f"CPU {seconds(usage.cpu_s)}{children}", f"RSS {_size(after)}{change}"]
    if usage.busy_cpus is not None:  # less than a clock's tick has no rate
        parts.insert(1, f"{usage.busy_cpus:.2f} of {usage.allowed_cpus:g} CPUs busy")
    return parts


def _by_owner(ended: Ended) -> str:
    usage = ended.usage
    text = _threads(ended.threads)
    if usage is None or usage.peak_threads_by_owner is None:
        return text
    busy = {name: number for name, number, _ in usage.worked_by_owner or () if number}
    each = (
        f"{name} {alive}" + (f" with {busy[name]} busy" if name in busy else "")
        for name, alive in usage.peak_threads_by_owner
    )
    return f"{text} ({'; '.join(each)})"


def _figures(usage: Usage) -> dict[str, Any]:
    """Give the figures of two looks: what only more looks could tell is left out."""
    busy = {name: (number, cpu_s) for name, number, cpu_s in usage.worked_by_owner or ()}
    owners = None
    if usage.peak_threads_by_owner is not None:
        owners = [
            {
                "owner": name,
                "threads": alive,
                "busy": busy.get(name, (0, 0.0))[0],
                "cpu_s": busy.get(name, (0, 0.0))[1],
            }
            for name, alive in usage.peak_threads_by_owner
        ]
    return {
        "wall_s": usage.wall_s,
        "cpu_s": usage.cpu_s,
        "children_cpu_s": usage.children_cpu_s,
        "busy_cpus": usage.busy_cpus,
        "allowed_cpus": usage.allowed_cpus,
        "threads_before": usage.threads_before,
        "rss_before_bytes": usage.rss_before_bytes,
        "rss_after_bytes": usage.rss_after_bytes,
        "throttled_s": usage.throttled_s,
        "throttled_periods": usage.throttled_periods,
        "threads_by_owner": owners,
        "gaps": as_plain(usage.gaps),
    }


def _threads(number: int | None) -> str:
    return "threads not known" if number is None else counted(number, "thread")


def _size(number: int | None) -> str:
    return DASH if number is None else bytes_words(number)
