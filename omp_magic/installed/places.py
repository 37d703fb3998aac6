"""Expressions of a Python file -> the files that they may name, patterns of glob among them.

Goes further than `Folders`: what opens a library may take its name from anywhere. A name that is
too wide costs nothing, since only files that are there are opened.
"""

from __future__ import annotations

import ast
import itertools
import posixpath
import re
from collections.abc import Callable, Sequence

from ..facts.targets import Target
from .conditions import Conditions
from .folders import Folders, Values, call_name

_PREFIXES = frozenset(("sys.prefix", "sys.exec_prefix", "sys.base_prefix", "sys.base_exec_prefix"))
_FIELD = re.compile(r"\{[^{}]*\}|%[sr]")
_MOST = 100


class Places(Folders):
    """The names that a file has given to paths so far.

    Parameters
    ----------
    file
        The value of ``__file__``.
    target
        The system: its variables and its Python's folders.
    site, prefix
        The folder of packages, and ``sys.prefix``.
    conditions
        Decide what a choice takes.
    """

    def __init__(
        self, file: str, target: Target, site: str, prefix: str, conditions: Conditions
    ) -> None:
        super().__init__(file)
        package = posixpath.relpath(posixpath.dirname(file), site).replace("/", ".")
        self.known["__package__"] = [package]
        self.known["__name__"] = [package]
        self._target, self._site, self._prefix = target, site, prefix
        self._conditions = conditions
        self.follow: Callable[[ast.Call], Values | None] = lambda _call: None
        """Gives what a function of the file itself returns."""

    def bind(self, target: ast.expr, value: ast.expr, *, items: bool = False) -> None:
        """Note what a name is given; a value that is not known leaves those that are."""
        before = self.known.get(target.id) if isinstance(target, ast.Name) else None
        super().bind(target, value, items=items)
        if isinstance(target, ast.Name) and self.known.get(target.id) is None and before:
            self.known[target.id] = before

    def name(self, node: ast.Name) -> Values | None:
        """Give what a name was given, or what the system decides of it."""
        if self.known.get(node.id) is not None:
            return self.known[node.id]
        value = self._conditions.values().get(node.id)
        return [value] if isinstance(value, str) else None

    def attribute(self, node: ast.Attribute) -> Values | None:
        """Follow attributes of paths, of sys and of os."""
        whole = ast.unparse(node)
        if whole in _PREFIXES:
            return [self._prefix]
        if whole == "sys.executable":
            return [f"{self._prefix}/python"]
        value = self._conditions.values().get(whole)
        if isinstance(value, str):
            return [value]
        if node.attr == "__name__":  # sys.modules[__name__].__name__
            return self.known["__name__"]
        if node.attr in ("name", "stem"):
            found = self.texts(node.value)
            return None if found is None else [*map(posixpath.basename, found)]
        return super().attribute(node)

    def subscript(self, node: ast.Subscript) -> Values | None:
        """Follow ``os.environ["X"]``; of a list or a dict take whatever it holds."""
        if ast.unparse(node.value) == "os.environ":
            return self._variable(node.slice, None)
        if isinstance(node.value, ast.Dict):
            return self._chosen(node.value, node.slice)
        return super().subscript(node) or self.texts(node.value)

    def operation(self, node: ast.BinOp) -> Values | None:
        """Follow ``%`` too."""
        if not isinstance(node.op, ast.Mod):
            return super().operation(node)
        inner = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
        return self._filled(node.left, list(inner))

    def either(self, node: ast.BoolOp) -> Values | None:
        """Take every part of ``a or b`` that is known."""
        found = [each for part in node.values for each in self.texts(part) or ()]
        return found or None

    def choice(self, node: ast.IfExp) -> Values | None:
        """Take the part of ``a if b else c`` that the system decides for, else both."""
        truth = self._conditions.truth(node.test)
        if truth is not None:
            return self.texts(node.body if truth else node.orelse)
        found = [each for part in (node.body, node.orelse) for each in self.texts(part) or ()]
        return found or None

    def all(self, nodes: Sequence[ast.expr]) -> Values | None:
        """Give what is known of the texts of all."""
        found = [self.texts(each) for each in nodes]
        known = [text for each in found for text in each or ()]
        return known if known or None not in found else None

    def call(self, node: ast.Call) -> Values | None:
        """Follow what finds files and variables, and what puts texts together."""
        method = node.func.value if isinstance(node.func, ast.Attribute) else None
        whole = ast.unparse(node.func)
        rule = _CALLS.get(whole) or _CALLS.get(call_name(node))
        found: Values | None = None
        if rule is not None:
            found = getattr(self, rule)(node, method)
        if found is None:
            found = super().call(node)
        return self.follow(node) if found is None else found

    def first(self, node: ast.Call, method: ast.expr | None) -> Values | None:
        """``glob.glob(x)``, ``fsdecode(x)``: x itself; of ``x.encode()`` the x before the dot."""
        if node.args:
            return self.texts(node.args[0])
        return self.texts(method) if method is not None else None

    def second(self, node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``filter(f, x)``."""
        return self.texts(node.args[1]) if len(node.args) == 2 else None

    def globbed(self, node: ast.Call, method: ast.expr | None) -> Values | None:
        """``folder.glob("*.dll")`` of pathlib."""
        if method is None or ast.unparse(method) == "glob":
            return self.first(node, None)
        return self.joined((method, *node.args[:1]), posixpath.join)

    def listed(self, node: ast.Call, method: ast.expr | None) -> Values | None:
        """``os.listdir(x)`` gives names, ``x.iterdir()`` paths."""
        if call_name(node) != "iterdir":
            return ["*"]
        found = self.texts(method) if method is not None else None
        return None if found is None else [f"{each}/*" for each in found]

    def variable(self, node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``os.getenv("X", default)``."""
        if not node.args:
            return None
        return self._variable(node.args[0], node.args[1] if len(node.args) > 1 else None)

    def system(self, node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``platform.system()``."""
        return [str(self._conditions.values()[f"platform.{call_name(node)}()"])]

    def nothing(self, _node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``sysconfig.get_config_var("userbase")``: nobody's home is known."""
        return []

    def packages(self, _node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``site.getsitepackages()``."""
        return [self._site]

    def package(self, node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``importlib.resources.files("name")``, ``resource_filename("name", "lib")``."""
        found = self.texts(node.args[0]) if node.args else None
        if found is None:
            return None
        inside = self.texts(node.args[1]) if len(node.args) > 1 else None
        folders = [posixpath.join(self._site, each.replace(".", "/")) for each in found]
        return [posixpath.join(each, inner) for each in folders for inner in inside or [""]]

    def format(self, node: ast.Call, method: ast.expr | None) -> Values | None:
        """``"{}.dll".format(x)``."""
        values = [*node.args, *(each.value for each in node.keywords)]
        return self._filled(method, values) if method is not None else None

    def changed(self, node: ast.Call, method: ast.expr | None) -> Values | None:
        """``x.replace(a, b)``, ``x.lower()``, ``x.with_suffix(".dll")``."""
        if method is None:
            return None
        change = _CHANGES[call_name(node)]
        return self.joined((method, *node.args[:2]), lambda *texts: str(change(*texts)))

    def leaf(self, node: ast.Call, _method: ast.expr | None) -> Values | None:
        """``os.path.basename(x)``."""
        found = self.texts(node.args[0]) if node.args else None
        return None if found is None else [*map(posixpath.basename, found)]

    def _variable(self, name: ast.expr, otherwise: ast.expr | None) -> Values | None:
        texts = self.texts(name)
        known = [self._target.environ[each] for each in texts or () if each in self._target.environ]
        if known:
            return known
        return self.texts(otherwise) if otherwise is not None else []

    def _chosen(self, table: ast.Dict, key: ast.expr) -> Values | None:
        wanted = self.texts(key)
        found: Values = []
        for name, value in zip(table.keys, table.values, strict=True):
            here = name.value if isinstance(name, ast.Constant) else None
            if wanted is None or here in wanted:
                found += self.texts(value) or ()
        return found or None

    def _filled(self, text: ast.expr, values: list[ast.expr]) -> Values | None:
        """Fill the fields of a text in their order: ``"{}.dll".format(x)``, ``"%s.dll" % x``."""
        texts = self.texts(text)
        given = [self.texts(each) for each in values]
        if texts is None or None in given:
            return None
        chosen = itertools.product(texts, *[each or () for each in given])
        return [_filled(*each) for each in itertools.islice(chosen, _MOST)]


def _filled(text: str, *values: str) -> str:
    left = iter(values)
    return _FIELD.sub(lambda _: next(left, ""), text)


_CHANGES: dict[str, Callable[..., str]] = {
    "replace": lambda text, old="", new="": text.replace(old, new) if old else text,
    "lower": lambda text, *_: text.lower(),
    "upper": lambda text, *_: text.upper(),
    "strip": lambda text, *_: text.strip(),
    "rstrip": lambda text, *words: text.rstrip(*words[:1]),
    "with_name": lambda path, name="": posixpath.join(posixpath.dirname(path), name),
    "with_suffix": lambda path, suffix="": posixpath.splitext(path)[0] + suffix,
}
_CALLS: dict[str, str] = {
    **dict.fromkeys(("glob.glob", "glob.iglob", "iglob"), "first"),
    **dict.fromkeys(("as_file", "fsdecode", "fsencode", "encode"), "first"),
    **dict.fromkeys(("c_char_p", "c_wchar_p"), "first"),
    **dict.fromkeys(("filter", "map"), "second"),
    **dict.fromkeys(("glob", "rglob"), "globbed"),
    **dict.fromkeys(("listdir", "iterdir", "scandir"), "listed"),
    **dict.fromkeys(("os.getenv", "os.environ.get", "getenv", "environ.get"), "variable"),
    **dict.fromkeys(("platform.system", "platform.machine"), "system"),
    "get_config_var": "nothing",
    **dict.fromkeys(("getsitepackages", "get_path", "get_paths", "get_python_lib"), "packages"),
    **dict.fromkeys(("files", "resource_filename"), "package"),
    "format": "format",
    **dict.fromkeys(_CHANGES, "changed"),
    "basename": "leaf",
}
"""What is called, as it stands there or by its last name -> the method of `Places` for it."""
