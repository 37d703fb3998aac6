"""Conditions of a Python file that a system decides: ``sys.platform == "win32"`` and the like."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ..facts.targets import Target

_HAS = {("os", "add_dll_directory"): frozenset(("nt",))}
"""What ``hasattr`` does not find everywhere -> with which ``os.name`` it does."""


class Conditions:
    """Decides what can be decided of conditions, for one system.

    Parameters
    ----------
    target
        The system.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._values: dict[str, Any] = {
            "sys.platform": target.sys_platform,
            "os.name": target.os_name,
            "platform.system()": target.platform_system,
            "platform.machine()": target.platform_machine,
            "sys.version_info": target.python,
            "sys.version_info[:2]": target.python,
            "sys.version_info.major": target.python[0],
            "sys.version_info.minor": target.python[1],
            "sys.implementation.name": "cpython",
            "platform.python_implementation()": "CPython",
        }
        self._names: dict[str, bool | None] = {}

    def note(self, name: str, value: ast.expr) -> None:
        """Note that a name is given the truth of a condition: ``ON_WINDOWS = os.name == "nt"``."""
        known = self._value(value)
        if isinstance(known, str):
            self._values[name] = known
        truth = self.truth(value)
        if name in self._names and self._names[name] is not truth:
            truth = None
        self._names[name] = truth

    def truth(self, node: ast.expr) -> bool | None:
        """Tell whether a condition holds there; None where the system alone does not decide."""
        if isinstance(node, ast.Constant):
            return bool(node.value)
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            truth = self.truth(node.operand)
            return None if truth is None else not truth
        if isinstance(node, ast.BoolOp):
            return self._both(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._compared(node.left, node.ops[0], node.comparators[0])
        return self._called(node) if isinstance(node, ast.Call) else None

    def _both(self, node: ast.BoolOp) -> bool | None:
        truths = [self.truth(each) for each in node.values]
        deciding = isinstance(node.op, ast.Or)
        if deciding in truths:
            return deciding
        return None if None in truths else not deciding

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> bool | None:
        first, second = self._value(left), self._value(right)
        if first is None or second is None:
            return None
        try:
            test = _SIGNS.get(type(sign))
            return None if test is None else bool(test(first, second))
        except TypeError:
            return None

    def _called(self, node: ast.Call) -> bool | None:
        function = node.func
        if isinstance(function, ast.Name) and function.id == "hasattr" and len(node.args) == 2:
            name = node.args[1]
            key = ast.unparse(node.args[0]), name.value if isinstance(name, ast.Constant) else ""
            return None if key not in _HAS else self._target.os_name in _HAS[key]
        if isinstance(function, ast.Attribute) and function.attr in ("startswith", "endswith"):
            text = self._value(function.value)
            what = self._value(node.args[0]) if node.args else None
            if isinstance(text, str) and isinstance(what, str | tuple):
                return bool(getattr(text, function.attr)(what))
        return None

    def _value(self, node: ast.expr) -> Any:
        """Give a value that the system decides, or a constant; None for all others."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            values = tuple(self._value(each) for each in node.elts)
            return None if None in values else values
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._values.get(ast.unparse(node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("lower", "upper") and not node.args:
                inner = self._value(node.func.value)
                return getattr(inner, node.func.attr)() if isinstance(inner, str) else None
            return self._values.get(ast.unparse(node))
        return None

    def values(self) -> Mapping[str, Any]:
        """Give what is known, by the text of its expression."""
        return self._values


_SIGNS: dict[type[ast.cmpop], Any] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Is: lambda a, b: a is b,
}
