"""From the roots of a lock file along its edges to what a target needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..errors import ParseError
from ..facts.libraries import Gap
from .markers import Conditions


class Edge(NamedTuple):
    """That something needs a package.

    Parameters
    ----------
    key
        The package, by its place among the packages.
    marker
        When it is needed; "" for always.
    extras
        Extras of it that are needed.
    """

    key: int
    marker: str = ""
    extras: frozenset[str] = frozenset()


def reached(
    roots: Iterable[Edge],
    edges: Callable[[int, frozenset[str]], Iterable[Edge]],
    conditions: Conditions,
    unknown: list[Gap],
    where: str,
) -> dict[int, frozenset[str]]:
    """Give the packages that are needed, with their extras; circles end where they began.

    Parameters
    ----------
    roots
        What is asked for.
    edges
        Gives what a package needs with these extras.
    conditions
        The target's.
    unknown
        Takes markers that cannot be read; such an edge is followed.
    where
        The file, for those.
    """
    found: dict[int, frozenset[str]] = {}
    told: set[str] = set()
    waiting = [(edge, frozenset[str]()) for edge in roots]
    while waiting:
        edge, active = waiting.pop()
        try:
            if not conditions.hold(edge.marker, active):
                continue
        except ParseError as error:
            if edge.marker not in told:
                told.add(edge.marker)
                unknown.append(Gap(what="a marker", why=f"{error}; taken as true", where=where))
        known = found.get(edge.key)
        extras = edge.extras | (known or frozenset())
        if known is not None and extras == known:
            continue
        found[edge.key] = extras
        waiting.extend((each, extras) for each in edges(edge.key, extras))
    return found


def unneeded(count: int, edges: Callable[[int], Iterable[Edge]]) -> list[int]:
    """Give packages from which all are reached: those that no other needs, and one of a circle."""
    after = [{edge.key for edge in edges(key)} for key in range(count)]
    needed = {other for key, others in enumerate(after) for other in others if other != key}
    roots: list[int] = []
    seen: set[int] = set()
    for key in (*(each for each in range(count) if each not in needed), *range(count)):
        if key not in seen:
            roots.append(key)
        waiting = [key]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting.extend(after[each])
    return roots


def texts(value: Any) -> list[str]:
    """Give the texts of a list; [] for what is none."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def tables(value: Any) -> list[dict[str, Any]]:
    """Give the tables of a list; [] for what is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def table(value: Any) -> dict[str, Any]:
    """Give a table; {} for what is none."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Give a text; "" for what is none."""
    return value if isinstance(value, str) else ""
