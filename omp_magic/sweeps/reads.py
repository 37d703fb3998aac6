"""What code reads, and whether running it changes that: then each run does other work."""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .fingerprints import fingerprint

_NO_DATA = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
_READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL"})
_BINDS = frozenset({"STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL"})


def names_read(codes: Iterable[types.CodeType]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give (names that code reads from outside, those of them that it also binds anew).

    A name is read from outside where its first use in the order of the code is a read: `x += 1`
    reads it. Builtins are left out.

    Examples
    --------
    >>> names_read([compile("y = f(x); total += y", "", "exec")])
    (('f', 'total', 'x'), ('total',))
    """
    reads: set[str] = set()
    bound: set[str] = set()
    for code in codes:
        for name, binds in _uses(code):
            if binds:
                bound.add(name)
            elif name not in bound and not hasattr(builtins, name):
                reads.add(name)
    return tuple(sorted(reads)), tuple(sorted(reads & bound))


def _uses(code: types.CodeType) -> Iterator[tuple[str, bool]]:
    for step in dis.get_instructions(code):
        if step.opname in _READS or step.opname in _BINDS:
            yield str(step.argval), step.opname in _BINDS
        elif isinstance(step.argval, types.CodeType):
            yield from _uses(step.argval)


def data_of(function: Any) -> dict[str, Any]:
    """Give the data that a Python function reads: arguments of a partial, its object, its names."""
    found: dict[str, Any] = {}
    if isinstance(function, functools.partial):
        found = {f"argument {n}": value for n, value in enumerate(function.args, 1)}
        found |= function.keywords
        function = function.func
    owner = getattr(function, "__self__", None)
    if owner is not None:
        found["its object"] = owner
    plain = getattr(inspect.unwrap(function), "__func__", inspect.unwrap(function))
    code = getattr(plain, "__code__", None)
    if code is None:
        return found
    for name, cell in zip(code.co_freevars, plain.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # it is not bound yet
    names, _ = names_read([code])
    return found | {name: plain.__globals__[name] for name in names if name in plain.__globals__}


class Watched:
    """Values by name, and which of them are not as they were.

    Parameters
    ----------
    values
        What is looked at; modules, functions and classes are no data and left out.
    now
        Gives what the names stand for later; None where that cannot change.
    setup
        Is run before each run, and so before the second look; a name that it binds anew is its
        own affair. It has run before the first.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        now: Callable[[], Mapping[str, Any]] | None = None,
        setup: Callable[[], object] | None = None,
    ) -> None:
        self._now = now
        self._setup = setup
        self._before = {
            name: (value, fingerprint(value))
            for name, value in values.items()
            if not isinstance(value, _NO_DATA)
        }

    def changed(self) -> tuple[str, ...]:
        """Give a phrase for each value that has changed: ``"rows (a list)"``."""
        if self._before and self._setup is not None:
            self._setup()
        now = {} if self._now is None else self._now()
        found = []
        for name, (value, before) in self._before.items():
            current = now.get(name, value)
            anew = current is not value
            if (self._setup is None or not anew) and fingerprint(current) != before:
                found.append(f"{name} ({_kind(current)})")
        return tuple(found)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
