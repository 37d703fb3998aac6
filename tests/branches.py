"""Source -> the lines that branch on the system, or ask which one it is; nothing is run.

A table keyed by systems, and a look-up in it, is data. A comparison with a system's name, a
question to Python which system it is, a try whether it has a call that one system lacks, and a bool
that is called after a system, are branches.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_NAMED = (
    r"(?P<linux>(?:many|musl)?linux\d?)|(?P<macos>mac ?os ?x?|osx|darwin)"
    r"|(?P<windows>win(?:dows|32|64|nt)?|cygwin|msys|nt)|(?P<other>posix|unix)"
)
_NAME = re.compile(rf"(?:{_NAMED})(?:[-_ .].*)?", re.IGNORECASE)
"""``linux``, ``darwin``, ``nt``, ``Windows``, also ``win_amd64`` and ``macos-arm64``."""
_BOOL = re.compile(
    rf"_*(?:(?:is|on|in|has|not|no|non|under)_)?(?:{_NAMED}|mac|wine)", re.IGNORECASE
)
"""``linux``, ``is_windows``, ``ON_MAC``."""
_ALL = frozenset(("linux", "macos", "windows"))
_ELSE = "?"
"""What a text is whose meaning is none of a system."""
_ATTRIBUTES = frozenset(("system", "sys_platform", "os_name", "platform_system"))
"""What a target, a file and a snapshot call their system."""
_ASKED = frozenset(
    (
        *("sys.platform", "sys.getwindowsversion", "sys.winver", "sys.dllhandle"),
        *("os.name", "os.uname", "os.__dict__", "sysconfig.get_platform"),
        *(f"platform.{name}" for name in ("system", "platform", "uname", "libc_ver", "mac_ver")),
        *(f"platform.{name}" for name in ("win32_ver", "win32_edition", "freedesktop_os_release")),
        *(f"ctypes.{name}" for name in ("windll", "oledll", "WinDLL", "OleDLL", "WinError")),
        *("pathlib.WindowsPath", "pathlib.PosixPath", "system_name", "WindowsError"),
    )
)
"""What only says which system runs, or is there on one alone."""
_SEPARATORS = frozenset(
    f"os.{name}" for name in ("sep", "altsep", "pathsep", "linesep", "path.sep")
)
"""What may be used, and tells a system when it is compared."""
_ALONE = frozenset(
    (
        *("resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"),
        *("nt", "msvcrt", "winreg", "_winapi", "winsound"),
    )
)
"""Modules that one system has alone."""
_PROBED = frozenset(("os", "signal", "socket", "select", "mmap", "time"))
"""Modules whose names are not the same everywhere."""
_TEXT_TESTS = frozenset(
    (
        *("startswith", "endswith", "find", "rfind", "index", "count", "fnmatch", "fnmatchcase"),
        *("match", "fullmatch", "search", "eq", "ne", "contains", "__eq__", "__ne__"),
        *("__contains__", "issubset", "issuperset", "isdisjoint", "intersection", "difference"),
    )
)
_MAKERS = frozenset(("frozenset", "set", "tuple", "list", "compile"))


def branches_of(file: str, sources: Mapping[str, str]) -> list[str]:
    """Give the lines of a file that branch on the system: ``rules/copies.py:12: if …``.

    Parameters
    ----------
    file
        Its path below the package.
    sources
        Path -> text, of this file and of those whose constants it may import.
    """
    lines = sources[file].splitlines()
    found = {node.lineno for node in _Branches(_Constants(file, sources)).nodes()}
    return [f"{file}:{number}: {lines[number - 1].strip()}" for number in sorted(found)]


class _Constants:
    """What the names of a file stand for: modules, and constants of its own and of others."""

    def __init__(self, file: str, sources: Mapping[str, str]) -> None:
        self.tree = ast.parse(sources[file])
        self._file, self._sources = file, sources
        self._values: dict[str, list[ast.expr]] = {}
        self._imported: dict[str, tuple[str, str]] = {}
        self._modules: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self._values.setdefault(last(target), []).append(node.value)
            elif isinstance(node, ast.Import):
                for each in node.names:
                    whole = each.name if each.asname else each.name.partition(".")[0]
                    self._modules[each.asname or whole] = whole
            elif isinstance(node, ast.ImportFrom):
                self._note(node)

    def _note(self, node: ast.ImportFrom) -> None:
        parts = node.module.split(".") if node.module else []
        above = self._file.split("/")[: -node.level] if node.level else []
        inside = [*above, *parts] if node.level else parts[1:] * (parts[0] == "omp_magic")
        for each in node.names:
            name = each.asname or each.name
            self._imported[name] = "/".join(inside) + ".py", each.name
            if not node.level:
                self._modules[name] = f"{node.module}.{each.name}"

    def dotted(self, node: ast.AST | None) -> str:
        """Give ``os.name`` for what is that, also under another name; "" for what is no name."""
        if isinstance(node, ast.Attribute):
            inner = self.dotted(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        return self._modules.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def systems(self, node: ast.AST | None, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Give the systems whose names an expression has; "?" for texts that are no system's."""
        if isinstance(node, ast.Constant):
            return _of_text(node.value)
        name = last(node)
        key = f"{self._file}:{name}"
        parts = _parts(node)
        if isinstance(node, ast.Attribute) and self.dotted(node.value) not in ("self", "cls"):
            return frozenset()
        if name:
            if key in seen:
                return frozenset()
            seen, parts = seen | {key}, self._values.get(name, [])
            file, original = self._imported.get(name, ("", ""))
            if not parts and file in self._sources:
                return _Constants(file, self._sources).systems(ast.Name(original), seen)
        found: set[str] = set()
        for each in parts:
            one = self.systems(each, seen)
            # A tuple among others is one thing: ("macos", "arm64").
            found |= one - {_ELSE} if isinstance(each, ast.Tuple) else one
        return frozenset(found)


def _of_text(value: Any) -> frozenset[str]:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        return frozenset()
    words = text.strip("^$\\b(?:)").split("|")  # it may be a pattern
    found = (_NAME.fullmatch(each) for each in words)
    return frozenset(str(each.lastgroup) for each in found if each) or frozenset((_ELSE,))


def _parts(node: ast.AST | None) -> list[ast.expr]:
    """Give the expressions that an expression puts together, without changing them."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return node.elts
    if isinstance(node, ast.Dict):
        return [each for each in node.keys if each is not None]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return node.args if isinstance(node, ast.Call) and last(node.func) in _MAKERS else []


def last(node: ast.AST | None) -> str:
    """Give the last part of a name; "" for what is none."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


class _Branches:
    """The branches of one file."""

    def __init__(self, constants: _Constants) -> None:
        self._constants = constants
        self._dotted = constants.dotted
        self._looks: dict[type[ast.AST], Callable[[Any], bool]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Name: self._name,
            ast.Attribute: self._name,
            ast.Call: self._call,
            ast.Try: self._try,
            ast.With: self._with,
            ast.Compare: self._compare,
            ast.Match: self._match,
            ast.BinOp: self._operation,
            ast.arg: lambda node: self._bool(node.arg, node.annotation),
            ast.AnnAssign: lambda node: self._bool(last(node.target), node.annotation),
            ast.FunctionDef: lambda node: self._bool(node.name, node.returns),
        }

    def nodes(self) -> Iterator[Any]:
        """Give the nodes, each with a line."""
        for node in ast.walk(self._constants.tree):
            look = self._looks.get(type(node))
            if look is not None and look(node):
                yield node
            yield from (each for each in _deciding(node) if self._decides(each))

    def _import(self, node: ast.Import) -> bool:
        return any(each.name.partition(".")[0] in _ALONE for each in node.names)

    def _import_from(self, node: ast.ImportFrom) -> bool:
        names = {each.name for each in node.names}
        whole = {f"{node.module}.{each}" for each in names}
        return not _ASKED.isdisjoint(names | whole) or (not node.level and node.module in _ALONE)

    def _name(self, node: ast.Name | ast.Attribute) -> bool:
        if isinstance(node, ast.Attribute) and node.attr.islower() and _BOOL.fullmatch(node.attr):
            return True
        return self._dotted(node) in _ASKED or last(node) in _ASKED

    def _call(self, node: ast.Call) -> bool:
        own = node.func.value if isinstance(node.func, ast.Attribute) else None
        name, first = last(node.func), node.args[0] if node.args else None
        if name in ("hasattr", "getattr", "dir", "vars") and own is None:
            module = self._dotted(first)
            texts = (each.value for each in node.args if isinstance(each, ast.Constant))
            asked = {f"{module}.{each}" for each in texts if isinstance(each, str)}
            return module in _PROBED or not _ASKED.isdisjoint(asked)
        if name in ("import_module", "__import__", "find_spec"):
            return isinstance(first, ast.Constant) and first.value in _ALONE
        if name not in _TEXT_TESTS:
            return False
        return self._tells(own, among=True) or any(map(self._tells, node.args[:2]))

    def _try(self, node: ast.Try) -> bool:
        return self._lacks([each.type for each in node.handlers if each.type], node.body)

    def _with(self, node: ast.With) -> bool:
        return self._lacks([each.context_expr for each in node.items], node.body)

    def _lacks(self, caught: list[ast.expr], body: list[ast.stmt]) -> bool:
        """Tell whether a call that a system may lack is tried: ``except AttributeError``."""
        if all(self._dotted(e) != "AttributeError" for each in caught for e in ast.walk(each)):
            return False
        tried = (each for statement in body for each in ast.walk(statement))
        return any(isinstance(e, ast.Attribute) and self._dotted(e.value) in _PROBED for e in tried)

    def _compare(self, node: ast.Compare) -> bool:
        sides, signs = [node.left, *node.comparators], [None, *node.ops]
        if any(self._dotted(each) in _SEPARATORS for each in sides):
            return True
        if any(last(each) in _ATTRIBUTES for each in sides):
            texts = (each.value for each in sides if isinstance(each, ast.Constant))
            if any(isinstance(each, str) for each in texts):
                return True
        return any(
            self._tells(side, among=isinstance(sign, ast.In | ast.NotIn))
            for sign, side in zip(signs, sides, strict=True)
        )

    def _match(self, node: ast.Match) -> bool:
        values = (
            each.value
            for case in node.cases
            for each in ast.walk(case.pattern)
            if isinstance(each, ast.MatchValue)
        )
        return last(node.subject) in _ATTRIBUTES or any(map(self._tells, values))

    def _operation(self, node: ast.BinOp) -> bool:
        """Tell whether sets of names are compared: ``{"linux"} & found``."""
        if not isinstance(node.op, ast.BitAnd | ast.Sub):
            return False
        return self._tells(node.left, among=True) or self._tells(node.right, among=True)

    def _tells(self, node: ast.AST | None, *, among: bool = False) -> bool:
        """Tell whether an expression that something is compared with names a system.

        Parameters
        ----------
        node
            The expression.
        among
            Whether it has many, of which the other may be one. That it is a system at all is no
            branch between them, and words for something else may look like one's name: the
            modules os, pty, posix.
        """
        found = self._constants.systems(node)
        return bool(found - {_ELSE}) and not (among and (_ELSE in found or found >= _ALL))

    def _bool(self, name: str, kind: ast.expr | None) -> bool:
        return self._dotted(kind) == "bool" and _BOOL.fullmatch(name) is not None

    def _decides(self, node: ast.expr) -> bool:
        """Tell whether what decides is a system, or a table of systems that is made on the spot."""
        if self._dotted(node) in _SEPARATORS or last(node) in _ATTRIBUTES:
            return True
        asked = node.func if isinstance(node, ast.Call) else node
        if _BOOL.fullmatch(last(asked)):
            return True
        table = getattr(asked, "value", None)
        return isinstance(table, ast.Dict) and bool(self._constants.systems(table) - {_ELSE})


def _deciding(node: ast.AST) -> list[ast.expr]:
    """Give the expressions of a node that decide something."""
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
        return [node.test]
    if isinstance(node, ast.comprehension):
        return node.ifs
    if isinstance(node, ast.BoolOp):
        return node.values
    return [node.operand] if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) else []
