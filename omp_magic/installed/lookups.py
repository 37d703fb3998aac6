"""Text of a Python file -> where it makes Python look for modules when it is imported.

Packages that bring copies of others put a folder of theirs on sys.path (setuptools, debugpy,
onnxruntime.transformers), or themselves into sys.modules or sys.meta_path. The few files that do
are parsed; of their expressions only paths made of ``__file__`` and texts are worked out.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..loader.files import Disk, Files
from .folders import Folders, call_name

_WORDS = (
    b"sys.path", b"sys.modules", b"from sys import", b"import sys as", b"addsitedir",
    b"extend_path", b"meta_path", b"path_hooks", b"__path__", b"__import__",
)  # fmt: skip
_MARKS = re.compile(
    rb"sys\.path\b(?!\.(?:remove|pop|index|copy))|addsitedir|meta_path|path_hooks"
    rb"|__path__\s*(?:[.+=]|\[.*\]\s*=)|extend_path|sys\.modules(?:\[(?!__name__\])|\.(?:setdefault|update))"
    rb"|from sys import|import sys as|__import__\s*="
)
_HARMLESS = re.compile(
    rb"^class (_SixMetaPathImporter|VendorImporter|DistutilsMetaFinder|ImportDenier)\b",
    re.MULTILINE,
)
"""Finders that make no top-level module: six's and setuptools' serve names below their own,
_distutils_hack's distutils, and IPython's (external/qt_loaders.py) refuses."""
_MOST_BYTES = 4 * 1024 * 1024
_ADDING = frozenset(("append", "insert", "extend"))


class Lookups(NamedTuple):
    """What importing a module changes about finding others.

    Parameters
    ----------
    before, after
        Folders that it puts on ``sys.path``, at its beginning or its end.
    inside
        Folders that it adds to its own ``__path__``.
    spread
        Whether it does so for every folder of ``sys.path`` (pkgutil.extend_path).
    made
        Top-level modules that it puts into ``sys.modules`` itself.
    opaque
        Whether it does more of that kind than can be told from the text.
    called
        Whether a function of it would, when somebody calls it.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    spread: bool = False
    made: tuple[str, ...] = ()
    opaque: bool = False
    called: bool = False


NOTHING = Lookups()


def lookups_of(source: bytes, file: str, files: Files | None = None) -> Lookups:
    """Give what importing a file changes about where modules are looked for.

    Parameters
    ----------
    source
        The file's bytes.
    file
        Its path: the value of ``__file__``.
    files
        Where the folders are that it names; this machine's when None.
    """
    # A word is looked for ten times as fast as the pattern, and a thousand files have none.
    if len(source) > _MOST_BYTES or not any(word in source for word in _WORDS):
        return NOTHING
    marked = [source.count(b"\n", 0, each.start()) + 1 for each in _MARKS.finditer(source)]
    if not marked:
        return NOTHING
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return NOTHING
    harmless = _HARMLESS.search(source) is not None
    reading = _Reading(tree, file, marked, files or Disk(), harmless=harmless)
    try:
        reading.run(tree.body, inner=False)
    except RecursionError:
        return Lookups(opaque=True)
    return reading.result()


class _Reading:
    """One file, statement by statement."""

    def __init__(
        self, tree: ast.Module, file: str, marked: list[int], files: Files, *, harmless: bool
    ) -> None:
        self._folders = Folders(file)
        self._files = files
        self._marked = marked
        self._harmless = harmless
        self._at_once = {call_name(each) for each in _calls_at_once(tree.body)}
        self._names = {"sys.path": "path", "sys.meta_path": "finders", "sys.path_hooks": "finders"}
        self._names |= {
            "sys.modules": "modules",
            "__path__": "own",
            "builtins.__import__": "finders",
        }
        self._before: list[str] = []
        self._after: list[str] = []
        self._inside: list[str] = []
        self._made: list[str] = []
        self._spread = self._opaque = self._called = False

    def result(self) -> Lookups:
        """Give what was found."""
        found = Lookups(
            before=tuple(dict.fromkeys(self._before)),
            after=tuple(dict.fromkeys(self._after)),
            inside=tuple(dict.fromkeys(self._inside)),
            spread=self._spread,
            made=tuple(self._made),
            opaque=self._opaque,
            called=self._called,
        )
        return NOTHING if found == NOTHING else found

    def run(self, body: Sequence[ast.stmt], *, inner: bool) -> None:
        """Follow statements; `inner` are those of a function that others may call."""
        for each in body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                if self._is_marked(each):
                    self.run(each.body, inner=inner or each.name not in self._at_once)
            elif isinstance(each, ast.Import | ast.ImportFrom):
                self._alias(each)
            elif not isinstance(each, ast.ClassDef) or self._is_marked(each):
                self._statement(each, inner=inner)

    def _is_marked(self, each: ast.stmt) -> bool:
        """Tell whether one of the words that matter stands in a definition."""
        end = each.end_lineno or each.lineno
        return any(each.lineno <= line <= end for line in self._marked)

    def _statement(self, each: ast.stmt, *, inner: bool) -> None:
        for part in _expressions(each):
            self._look(part, inner=inner)
        if isinstance(each, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assigned(each, inner=inner)
        elif isinstance(each, ast.For):
            self._folders.bind(each.target, each.iter, items=True)
        for name in ("body", "orelse", "finalbody"):
            if not (name == "body" and _never(each)):
                self.run(getattr(each, name, ()), inner=inner)
        for handler in getattr(each, "handlers", ()):
            self.run(handler.body, inner=inner)

    def _alias(self, each: ast.Import | ast.ImportFrom) -> None:
        module = each.module if isinstance(each, ast.ImportFrom) else None
        for name in each.names:
            if module == "sys" or (module is None and name.name == "sys"):
                known = [*self._names.items()]
                for text, kind in known:
                    here, _, what = text.partition(".")
                    if module == "sys" and what == name.name:
                        self._names[name.asname or what] = kind
                    elif module is None and here == "sys" and name.asname:
                        self._names[f"{name.asname}.{what}"] = kind

    def _kind(self, node: ast.expr) -> str:
        return self._names.get(ast.unparse(node), "") if isinstance(node, _NAMED) else ""

    def _look(self, expression: ast.expr, *, inner: bool) -> None:
        for node in ast.walk(expression):
            if isinstance(node, ast.NamedExpr):
                self._folders.bind(node.target, node.value)
        for node in ast.walk(expression):
            if not isinstance(node, ast.Call):
                continue
            name = call_name(node)
            if name == "addsitedir" and node.args:
                self._add("site", node.args[0], inner=inner)
            elif name == "extend_path":
                self._spread = True
            elif isinstance(node.func, ast.Attribute) and node.args:
                kind = self._kind(node.func.value)
                if name in _ADDING or (kind == "modules" and name in ("setdefault", "update")):
                    value = node.args[-1] if kind != "modules" else node.args[0]
                    self._add(kind, value, inner=inner, first=name == "insert")

    def _assigned(self, each: ast.Assign | ast.AnnAssign | ast.AugAssign, *, inner: bool) -> None:
        targets = each.targets if isinstance(each, ast.Assign) else [each.target]
        if each.value is None:
            return
        for target in targets:
            if isinstance(target, ast.Subscript):
                kind = self._kind(target.value)
                value = target.slice if kind == "modules" else each.value
                self._add(kind, value, inner=inner, first=True)
            elif kind := self._kind(target):
                if not (kind == "own" and call_name(each.value) == "extend_path"):
                    self._add(kind, each.value, inner=inner)
            elif isinstance(each, ast.Assign):
                self._folders.bind(target, each.value)

    def _add(self, kind: str, value: ast.expr, *, inner: bool, first: bool = False) -> None:
        """Note what is added to one of the lists."""
        if not kind or (kind == "finders" and self._harmless):
            return
        if inner:
            self._called = True
            return
        if kind == "modules":
            self._make(value)
            return
        found = None if kind == "finders" else self._folders.of(value)
        if found is None or any(map(self._files.is_file, found)):
            # An archive, or a text that is made at run time.
            self._opaque = self._opaque or kind != "own"
        elif kind == "own":
            self._inside += found
        else:
            (self._before if first else self._after).extend(found)
            if kind == "site":
                self._after += [each for folder in found for each in self._listed_by_pth(folder)]

    def _make(self, value: ast.expr) -> None:
        """Note what is put into sys.modules: a name, or a dict of them."""
        keys = value.keys if isinstance(value, ast.Dict) else [value]
        for key in keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._made.append(key.value.partition(".")[0])
            elif key is None or not re.match(r"f?['{]*__name__\b", ast.unparse(key)):
                names = self._folders.texts(key) if key is not None else None
                self._made += [name.partition(".")[0] for name in names or ()]
                self._opaque = self._opaque or names is None

    def _listed_by_pth(self, folder: str) -> Iterator[str]:
        """Give the folders that .pth files of a folder name (docs.python.org, module site)."""
        for name in sorted(each for each in self._files.names(folder) if each.endswith(".pth")):
            try:
                text = self._files.read(f"{folder}/{name}", 1_000_000)
            except OSError:
                continue
            for line in text.decode("utf-8", "replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    yield posixpath.normpath(posixpath.join(folder, line.strip()))


_NAMED = (ast.Name, ast.Attribute)


def _never(each: ast.stmt) -> bool:
    """Tell ``if TYPE_CHECKING:`` and ``if __name__ == "__main__":``."""
    return isinstance(each, ast.If) and bool(
        re.match(r"(\w+\.)*TYPE_CHECKING$|__name__ == |False$|0$", ast.unparse(each.test))
    )


def _expressions(each: ast.stmt) -> Iterator[ast.expr]:
    """Give the expressions of a statement itself, without those of the blocks in it."""
    for child in ast.iter_child_nodes(each):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.withitem):
            yield child.context_expr


def _calls_at_once(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    """Give the calls that run with the module."""
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield from (node for node in ast.walk(each) if isinstance(node, ast.Call))
