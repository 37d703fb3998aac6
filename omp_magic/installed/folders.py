"""Expressions of a Python file -> the folders that they name, where the text tells them."""

from __future__ import annotations

import ast
import itertools
import posixpath
import re
from collections.abc import Callable, Sequence

_SAME = frozenset(
    ("abspath", "realpath", "normpath", "normcase", "str", "Path", "PurePath", "fspath", "resolve")
) | frozenset(("absolute", "as_posix", "list", "tuple", "sorted", "set", "copy", "expanduser"))
_CONSTANTS = {"os.pardir": "..", "os.curdir": ".", "os.sep": "/", "os.path.sep": "/"}
_MOST = 100
Values = list[str]


def call_name(node: ast.expr) -> str:
    """Give the last name of what is called: ``join`` of ``posixpath.join(…)``; "" for no call."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def is_absolute(path: str) -> bool:
    """Tell whether a path begins at a root, or with Windows at a drive."""
    return path.startswith("/") or re.match(r"[A-Za-z]:[/\\]", path) is not None


class Folders:
    """The names that a file has given to paths so far, each with every value it may have.

    Parameters
    ----------
    file
        The value of ``__file__``.
    """

    def __init__(self, file: str) -> None:
        self.known: dict[str, Values | None] = {"__file__": [file]}

    def bind(self, target: ast.expr, value: ast.expr, *, items: bool = False) -> None:
        """Note what a name is given; with `items` what a loop gives it, one after the other."""
        if isinstance(target, ast.Name):
            found = self.texts(value)
            if found is not None and not items and target.id in self.known:
                found = [*(self.known[target.id] or ()), *found][-_MOST:]
            self.known[target.id] = found

    def of(self, node: ast.expr) -> tuple[str, ...] | None:
        """Give the folders that an expression names; None when that is not told by the text."""
        found = self.texts(node)
        if found is None or not all(map(is_absolute, found)):
            return None
        return tuple(posixpath.normpath(each) for each in found)

    def texts(self, node: ast.expr) -> Values | None:
        """Give the texts that an expression may be, or that a list of them holds."""
        rule = _RULES.get(type(node))
        found: Values | None = getattr(self, rule)(node) if rule is not None else None
        return found if found is None or len(found) <= _MOST else None

    def all(self, nodes: Sequence[ast.expr]) -> Values | None:
        """Give the texts of all; None when one of them is not known."""
        found = [self.texts(each) for each in nodes]
        return None if None in found else [text for each in found for text in each or ()]

    def joined(self, nodes: Sequence[ast.expr], join: Callable[..., str]) -> Values | None:
        """Give what joining one text of each may give."""
        found = [self.texts(each) for each in nodes]
        if None in found:
            return None
        return [join(*each) for each in itertools.islice(itertools.product(*found), _MOST + 1)]  # type: ignore[arg-type]  # none is None

    def name(self, node: ast.Name) -> Values | None:
        """Give what a name was given."""
        return self.known.get(node.id)

    def constant(self, node: ast.Constant) -> Values | None:
        """Give a text itself."""
        return [node.value] if isinstance(node.value, str) else None

    def elements(self, node: ast.List | ast.Tuple | ast.Set) -> Values | None:
        """Give what a list holds."""
        return self.all(node.elts)

    def attribute(self, node: ast.Attribute) -> Values | None:
        """Follow ``x.parent``, and constants of os."""
        whole = ast.unparse(node)
        if whole in _CONSTANTS:
            return [_CONSTANTS[whole]]
        if whole.endswith("sys.path"):  # what is there already is nothing new
            return []
        found = self.texts(node.value) if node.attr == "parent" else None
        return None if found is None else list(map(posixpath.dirname, found))

    def subscript(self, node: ast.Subscript) -> Values | None:
        """Follow ``x.parents[1]``, ``split(x)[0]``, a slice."""
        value, index = node.value, node.slice
        if isinstance(index, ast.Slice):
            return self.texts(value)
        number = index.value if isinstance(index, ast.Constant) else None
        if isinstance(value, ast.Attribute) and value.attr == "parents" and number is not None:
            found = self.texts(value.value)
            for _ in range(int(number) + 1 if isinstance(number, int) else 0):
                found = None if found is None else list(map(posixpath.dirname, found))
            return found
        if call_name(value) == "split" and number == 0 and isinstance(value, ast.Call):
            found = self.all(value.args)
            return None if found is None else list(map(posixpath.dirname, found))
        if isinstance(value, ast.Name) and value.id == "__path__":
            return list(map(posixpath.dirname, self.known["__file__"] or ()))
        return None

    def operation(self, node: ast.BinOp) -> Values | None:
        """Follow ``a + b`` and ``a / b``."""
        if isinstance(node.op, ast.Div):
            return self.joined((node.left, node.right), posixpath.join)
        if isinstance(node.op, ast.Mult):  # (folder not in sys.path) * [folder]
            return self.texts(node.right) or self.texts(node.left)
        if not isinstance(node.op, ast.Add):
            return None
        if isinstance(node.left, _LISTS) or isinstance(node.right, _LISTS):
            return self.all((node.left, node.right))
        return self.joined((node.left, node.right), lambda left, right: str(left + right))

    def formatted(self, node: ast.JoinedStr) -> Values | None:
        """Give what an f-string may be."""
        parts = [e.value if isinstance(e, ast.FormattedValue) else e for e in node.values]
        return self.joined(parts, lambda *texts: "".join(texts))

    def call(self, node: ast.Call) -> Values | None:
        """Follow ``join``, ``dirname`` and what leaves a path as it is."""
        name = call_name(node)
        method = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name == "dirname":
            found = self.all(node.args)
            return None if found is None else list(map(posixpath.dirname, found))
        if name == "join" and not isinstance(method, ast.Constant):
            return self.joined(node.args, posixpath.join)
        if name == "joinpath" and method is not None:
            return self.joined((method, *node.args), posixpath.join)
        if name in _SAME:
            if not node.args and method is not None:
                return self.texts(method)
            return self.joined(node.args, posixpath.join) if name == "Path" else self.all(node.args)
        return None

    def comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Values | None:
        """Give what a list made by a loop holds."""
        for each in node.generators:
            self.bind(each.target, each.iter, items=True)
        return self.texts(node.elt)

    def either(self, _node: ast.BoolOp) -> Values | None:
        """Give None: which one of ``a or b`` is taken is not told."""
        return None

    def choice(self, node: ast.IfExp) -> Values | None:
        """Give both of ``a if b else c``."""
        return self.all((node.body, node.orelse))

    def walrus(self, node: ast.NamedExpr) -> Values | None:
        """Give the value of ``(x := y)``."""
        return self.texts(node.value)


_LISTS = (ast.List, ast.Tuple, ast.ListComp)
_RULES: dict[type[ast.expr], str] = {
    ast.Name: "name",
    ast.Constant: "constant",
    ast.List: "elements",
    ast.Tuple: "elements",
    ast.Set: "elements",
    ast.Attribute: "attribute",
    ast.Subscript: "subscript",
    ast.BinOp: "operation",
    ast.BoolOp: "either",
    ast.JoinedStr: "formatted",
    ast.Call: "call",
    ast.ListComp: "comprehension",
    ast.GeneratorExp: "comprehension",
    ast.IfExp: "choice",
    ast.NamedExpr: "walrus",
}
"""Kind of expression -> the method of `Folders` that knows it."""
