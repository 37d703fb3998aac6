"""Text of a Python file -> the libraries that it opens when it is imported, and what it sets.

Statement by statement, with the functions that it calls itself, as far as the system decides: for
macOS and Windows, where which folder a library is opened from decides which copy it is.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..facts.targets import Target
from ..loader.files import Files
from .conditions import Conditions
from .folders import Values, call_name, is_absolute
from .layout import prefix_of
from .places import Places

MASK = "KMP_DUPLICATE_LIB_OK"
_OPENERS = frozenset(
    (
        *("CDLL", "WinDLL", "PyDLL", "OleDLL", "dlopen"),
        *("LoadLibrary", "LoadLibraryA", "LoadLibraryW"),
        *("LoadLibraryEx", "LoadLibraryExA", "LoadLibraryExW"),
    )
)
_WORDS = (
    *(b"CDLL", b"WinDLL", b"PyDLL", b"LoadLibrary", b"dlopen", b"load_library"),
    *(b"add_dll_directory", MASK.encode()),
)
_MOST_BYTES = 4 * 1024 * 1024
_DEEPEST = 8
_MOST_STEPS = 20_000
_SUFFIXES = {"linux": ".so", "macos": ".dylib", "windows": ".dll"}


class Step(NamedTuple):
    """Something that importing a file does to the loader.

    Parameters
    ----------
    kind
        ``"open"`` a library, look in a ``"folder"`` from now on, or ``"set"`` a variable.
    path
        The file, a bare name, the folder, or the variable's name.
    """

    kind: str
    path: str


def steps_of(source: bytes, file: str, files: Files, target: Target, site: str) -> tuple[Step, ...]:
    """Give what importing a file does to the loader, in order; () for what cannot be read.

    Parameters
    ----------
    source
        The file's bytes.
    file
        Its path: the value of ``__file__``.
    files
        Where the libraries are.
    target
        The system that decides its conditions.
    site
        The folder of packages that it is below.
    """
    if len(source) > _MOST_BYTES or not any(word in source for word in _WORDS):
        return ()
    try:
        tree = ast.parse(source)
        reading = _Reading(tree, file, files, target, site)
        reading.run(tree.body, 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(reading.steps))


class _Reading:
    """One file, statement by statement."""

    def __init__(
        self, tree: ast.Module, file: str, files: Files, target: Target, site: str
    ) -> None:
        self.steps: list[Step] = []
        self._files, self._target = files, target
        self._conditions = Conditions(target)
        self._places = Places(file, target, site, prefix_of(site), self._conditions)
        self._places.follow = self._returned
        self._functions = {
            each.name: each
            for each in ast.walk(tree)
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._running: list[str] = []
        self._returns: list[Values | None] = []
        self._left = _MOST_STEPS

    def run(self, body: Sequence[ast.stmt], depth: int) -> bool:
        """Follow statements; tell whether they surely end with a ``return`` or ``raise``."""
        return any(self._statement(each, depth) for each in body)

    def _statement(self, each: ast.stmt, depth: int) -> bool:
        self._left -= 1
        if self._left < 0 or depth > 64:
            return True
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        if isinstance(each, ast.If):
            return self._choice(each, depth)
        for child in ast.iter_child_nodes(each):
            self._look(child.context_expr if isinstance(child, ast.withitem) else child)
        if isinstance(each, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assigned(each)
        elif isinstance(each, ast.For):
            self._places.bind(each.target, each.iter, items=True)
        elif isinstance(each, ast.Return):
            if self._running:
                self._returns.append(self._places.texts(each.value) if each.value else None)
            return True
        ended = [self.run(getattr(each, name, ()), depth + 1) for name in ("body", "finalbody")]
        self.run(getattr(each, "orelse", ()), depth + 1)
        return isinstance(each, ast.Raise) or (isinstance(each, ast.With) and any(ended))

    def _choice(self, each: ast.If, depth: int) -> bool:
        self._look(each.test)
        truth = self._conditions.truth(each.test)
        if truth is not None:
            return self.run(each.body if truth else each.orelse, depth + 1)
        both = self.run(each.body, depth + 1), self.run(each.orelse, depth + 1)
        return bool(each.orelse) and all(both)

    def _assigned(self, each: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = each.targets if isinstance(each, ast.Assign) else [each.target]
        if each.value is None:
            return
        for target in targets:
            if isinstance(target, ast.Name):
                self._conditions.note(target.id, each.value)
                self._places.bind(target, each.value)
            elif isinstance(target, ast.Subscript) and _is_environ(target.value):
                self._sets(target.slice)

    def _look(self, node: ast.AST) -> None:
        """Go through the calls of an expression."""
        if not isinstance(node, ast.expr):
            return
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):
                self._places.bind(inner.target, inner.value)
            elif isinstance(inner, ast.ListComp | ast.GeneratorExp):
                self._places.comprehension(inner)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                self._called(inner)

    def _called(self, node: ast.Call) -> None:
        name = call_name(node)
        if name in _OPENERS:
            self._opens(node.args[:1])
        elif name == "load_library" and len(node.args) == 2:
            self._loads(node)
        elif name == "add_dll_directory" and node.args:
            for folder in self._places.texts(node.args[0]) or ():
                self._add("folder", folder)
        elif name in ("setdefault", "putenv", "update") and _is_environ(node.func):
            self._sets(*node.args[:1])
        elif name in ("append", "extend", "insert") and isinstance(node.func, ast.Attribute):
            if isinstance(node.func.value, ast.Name) and node.args:
                known = self._places.known.get(node.func.value.id)
                more = self._places.texts(node.args[-1])
                if more is not None:
                    self._places.known[node.func.value.id] = [*(known or ()), *more][-200:]
        elif name in self._functions and not isinstance(node.func, ast.Attribute):
            self._returned(node)

    def _returned(self, node: ast.Call) -> Values | None:
        """Run a function of the file and give the texts that it may return."""
        name = call_name(node)
        function = self._functions.get(name)
        if function is None or name in self._running or len(self._running) >= _DEEPEST:
            return None
        kept, self._returns = self._returns, []
        self._running.append(name)
        parameters = [*function.args.posonlyargs, *function.args.args]
        defaults = function.args.defaults
        late = parameters[len(parameters) - len(defaults) :]
        for parameter, value in [*zip(late, defaults, strict=True), *zip(parameters, node.args)]:  # noqa: B905 - fewer may be given
            self._places.bind(ast.Name(parameter.arg), value)
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._places.bind(ast.Name(keyword.arg), keyword.value)
        self.run(function.body, 0)
        self._running.pop()
        found, self._returns = self._returns, kept
        texts = [each for values in found for each in values or ()]
        return texts or None

    def _loads(self, node: ast.Call) -> None:
        """``numpy.ctypeslib.load_library(name, folder)``: the system's suffix is added."""
        suffix = _SUFFIXES[self._target.system]

        def joined(name: str, folder: str) -> str:
            path = posixpath.join(folder, name)
            return path if "." in name else path + suffix

        for path in self._places.joined(node.args, joined) or ():
            self._add("open", path)

    def _opens(self, arguments: Sequence[ast.expr]) -> None:
        for node in arguments:
            for path in self._places.texts(node) or ():
                self._add("open", path)

    def _add(self, kind: str, path: str) -> None:
        path = path.replace("\\", "/")
        if not is_absolute(path):
            if kind == "open" and path and "/" not in path and "*" not in path:
                self.steps.append(Step(kind, path))
            return
        path = posixpath.normpath(path)
        there = self._files.is_folder if kind == "folder" else self._files.is_file
        found = _expanded(path, self._files) if re.search(r"[*?\[]", path) else [path]
        self.steps += [Step(kind, each) for each in found if there(each)]

    def _sets(self, *nodes: ast.expr) -> None:
        for node in nodes:
            keys = node.keys if isinstance(node, ast.Dict) else [node]
            for key in keys:
                if isinstance(key, ast.Constant) and key.value == MASK:
                    self.steps.append(Step("set", MASK))


def _is_environ(node: ast.expr) -> bool:
    return re.search(r"\benviron\b|\bputenv\b", ast.unparse(node)) is not None


def _expanded(pattern: str, files: Files) -> list[str]:
    """Give what a pattern of glob finds; a pattern stands in the file's name only, or nothing."""
    folder, _, name = pattern.rpartition("/")
    if re.search(r"[*?\[]", folder):
        return []
    low = name.lower()
    return [
        f"{folder}/{each}"
        for each in sorted(files.names(folder))
        if fnmatch.fnmatchcase(each.lower(), low)
    ]
