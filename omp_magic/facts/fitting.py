"""Whether a value is what a fact's field says: facts that came from elsewhere are checked.

A dataclass takes anything. One of another version, or of somebody else, would then fail far from
here, in a sum or in a view, and take all that stands beside it along.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Fits = Callable[[Any], bool]

_MOST = 1 << 64
"""No address, inode or number of bytes is larger; a float would not hold much more."""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and -_MOST < value < _MOST


def _is_float(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


_PLAIN: dict[str, Fits] = {
    "object": lambda _: True,
    "Any": lambda _: True,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bytes": lambda value: isinstance(value, bytes),
    "int": _is_int,
    "float": _is_float,
}


@lru_cache(512)
def fits(written: str) -> Fits:
    """Give what tells whether a value is of a type, as it is written in a field's annotation.

    Parameters
    ----------
    written
        Of builtins, tuples, frozensets, ``|`` and facts; a fact is known by its class's name.

    Examples
    --------
    >>> is_mask = fits("tuple[int, ...] | None")
    >>> is_mask((0, 1)), is_mask(None), is_mask("01"), is_mask(("0",))
    (True, True, False, False)
    """
    return _of(ast.parse(written, mode="eval").body)


def _of(node: ast.expr) -> Fits:
    match node:
        case ast.Constant(value=None):
            return lambda value: value is None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            one, other = _of(left), _of(right)
            return lambda value: one(value) or other(value)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=inside):
            return _tuple(inside)
        case ast.Subscript(value=ast.Name(id="frozenset"), slice=inside):
            each = _of(inside)
            return lambda value: isinstance(value, frozenset) and all(map(each, value))
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return _PLAIN.get(name) or _named(name)
    raise TypeError(f"{ast.unparse(node)} is no type of a fact")


def _tuple(inside: ast.expr) -> Fits:
    match inside:
        case ast.Tuple(elts=[kind, ast.Constant(value=value)]) if value is ...:
            each = _of(kind)
            return lambda value: isinstance(value, tuple) and all(map(each, value))
        case ast.Tuple(elts=kinds):
            checks = tuple(map(_of, kinds))
        case _:
            checks = (_of(inside),)
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(checks)
        and all(check(own) for check, own in zip(checks, value, strict=True))
    )


def _named(name: str) -> Fits:
    return lambda value: any(kind.__name__ == name for kind in type(value).__mro__)
