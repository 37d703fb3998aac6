"""Expressions of a Python file -> the folders that they name, where the text tells them."""

from __future__ import annotations

import ast
import itertools
import os
from collections.abc import Callable, Sequence

_SAME = frozenset(
    ("abspath", "realpath", "normpath", "normcase", "str", "Path", "PurePath", "fspath", "resolve")
) | frozenset(("absolute", "as_posix", "list", "tuple", "sorted", "set", "copy", "expanduser"))
_CONSTANTS = {"os.pardir": "..", "os.curdir": ".", "os.sep": "/", "os.path.sep": "/"}
_MOST = 100
_Values = list[str]


def call_name(node: ast.expr) -> str:
    """Give the last name of what is called: ``join`` of ``os.path.join(…)``; "" for no call."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


class Folders:
    """The names that a file has given to paths so far, each with every value it may have.

    Parameters
    ----------
    file
        The value of ``__file__``.
    """

    def __init__(self, file: str) -> None:
        self._known: dict[str, _Values | None] = {"__file__": [file]}

    def bind(self, target: ast.expr, value: ast.expr, *, items: bool = False) -> None:
        """Note what a name is given; with `items` what a loop gives it, one after the other."""
        if isinstance(target, ast.Name):
            found = self.texts(value)
            if found is not None and not items and target.id in self._known:
                found = [*(self._known[target.id] or ()), *found][-_MOST:]
            self._known[target.id] = found

    def of(self, node: ast.expr) -> tuple[str, ...] | None:
        """Give the folders that an expression names; None when that is not told by the text."""
        found = self.texts(node)
        if found is None or not all(map(os.path.isabs, found)):
            return None
        return tuple(os.path.normpath(each) for each in found)

    def texts(self, node: ast.expr) -> _Values | None:
        """Give the texts that an expression may be, or that a list of them holds."""
        rule = _RULES.get(type(node))
        found = rule(self, node) if rule is not None else None
        return found if found is None or len(found) <= _MOST else None

    def _all(self, nodes: Sequence[ast.expr]) -> _Values | None:
        """Give the texts of all; None when one of them is not known."""
        found = [self.texts(each) for each in nodes]
        return None if None in found else [text for each in found for text in each or ()]

    def _joined(self, nodes: Sequence[ast.expr], join: Callable[..., str]) -> _Values | None:
        found = [self.texts(each) for each in nodes]
        if None in found:
            return None
        return [join(*each) for each in itertools.islice(itertools.product(*found), _MOST + 1)]  # type: ignore[arg-type]  # none is None

    def _name(self, node: ast.Name) -> _Values | None:
        return self._known.get(node.id)

    def _constant(self, node: ast.Constant) -> _Values | None:
        return [node.value] if isinstance(node.value, str) else None

    def _elements(self, node: ast.List | ast.Tuple | ast.Set) -> _Values | None:
        return self._all(node.elts)

    def _attribute(self, node: ast.Attribute) -> _Values | None:
        whole = ast.unparse(node)
        if whole in _CONSTANTS:
            return [_CONSTANTS[whole]]
        if whole.endswith("sys.path"):  # what is there already is nothing new
            return []
        found = self.texts(node.value) if node.attr == "parent" else None
        return None if found is None else list(map(os.path.dirname, found))

    def _subscript(self, node: ast.Subscript) -> _Values | None:
        value, index = node.value, node.slice
        if isinstance(index, ast.Slice):
            return self.texts(value)
        number = index.value if isinstance(index, ast.Constant) else None
        if isinstance(value, ast.Attribute) and value.attr == "parents" and number is not None:
            found = self.texts(value.value)
            for _ in range(int(number) + 1 if isinstance(number, int) else 0):
                found = None if found is None else list(map(os.path.dirname, found))
            return found
        if call_name(value) == "split" and number == 0 and isinstance(value, ast.Call):
            found = self._all(value.args)
            return None if found is None else list(map(os.path.dirname, found))
        if isinstance(value, ast.Name) and value.id == "__path__":
            return list(map(os.path.dirname, self._known["__file__"] or ()))
        return None

    def _operation(self, node: ast.BinOp) -> _Values | None:
        if isinstance(node.op, ast.Div):
            return self._joined((node.left, node.right), os.path.join)
        if isinstance(node.op, ast.Mult):  # (folder not in sys.path) * [folder]
            return self.texts(node.right) or self.texts(node.left)
        if not isinstance(node.op, ast.Add):
            return None
        if isinstance(node.left, _LISTS) or isinstance(node.right, _LISTS):
            return self._all((node.left, node.right))
        return self._joined((node.left, node.right), lambda left, right: str(left + right))

    def _formatted(self, node: ast.JoinedStr) -> _Values | None:
        parts = [e.value if isinstance(e, ast.FormattedValue) else e for e in node.values]
        return self._joined(parts, lambda *texts: "".join(texts))

    def _call(self, node: ast.Call) -> _Values | None:
        name = call_name(node)
        method = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name == "dirname":
            found = self._all(node.args)
            return None if found is None else list(map(os.path.dirname, found))
        if name == "join" and not isinstance(method, ast.Constant):
            return self._joined(node.args, os.path.join)
        if name == "joinpath" and method is not None:
            return self._joined((method, *node.args), os.path.join)
        if name in _SAME:
            if not node.args and method is not None:
                return self.texts(method)
            return self._joined(node.args, os.path.join) if name == "Path" else self._all(node.args)
        return None

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> _Values | None:
        for each in node.generators:
            self.bind(each.target, each.iter, items=True)
        return self.texts(node.elt)

    def _choice(self, node: ast.IfExp) -> _Values | None:
        return self._all((node.body, node.orelse))

    def _walrus(self, node: ast.NamedExpr) -> _Values | None:
        return self.texts(node.value)


_LISTS = (ast.List, ast.Tuple, ast.ListComp)
_RULES: dict[type[ast.expr], Callable[..., _Values | None]] = {
    ast.Name: Folders._name,  # noqa: SLF001 - its own table
    ast.Constant: Folders._constant,  # noqa: SLF001 - as above
    ast.List: Folders._elements,  # noqa: SLF001 - as above
    ast.Tuple: Folders._elements,  # noqa: SLF001 - as above
    ast.Set: Folders._elements,  # noqa: SLF001 - as above
    ast.Attribute: Folders._attribute,  # noqa: SLF001 - as above
    ast.Subscript: Folders._subscript,  # noqa: SLF001 - as above
    ast.BinOp: Folders._operation,  # noqa: SLF001 - as above
    ast.JoinedStr: Folders._formatted,  # noqa: SLF001 - as above
    ast.Call: Folders._call,  # noqa: SLF001 - as above
    ast.ListComp: Folders._comprehension,  # noqa: SLF001 - as above
    ast.GeneratorExp: Folders._comprehension,  # noqa: SLF001 - as above
    ast.IfExp: Folders._choice,  # noqa: SLF001 - as above
    ast.NamedExpr: Folders._walrus,  # noqa: SLF001 - as above
}
