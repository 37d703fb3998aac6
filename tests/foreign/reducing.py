"""What a Python file imports, opens and changes when it is imported, and nothing else of it.

The statements are kept as they are nested, so that conditions and handlers decide what they
decided; of statements that open libraries, or that change where modules and libraries are looked
for, also those that make the names in them. All else is left out: texts, comments, code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

_OPENERS = re.compile(
    r"CDLL|WinDLL|PyDLL|OleDLL|LoadLibrary|load_library|dlopen|add_dll_directory|cdll|windll"
)
_NAMES = re.compile(r"\.(dll|dylib|so)\b", re.IGNORECASE)
_LOOKUPS = re.compile(
    r"sys\.path\b(?!\.(remove|pop|index|copy))|addsitedir|meta_path|path_hooks|__path__|extend_path"
    r"|sys\.modules|import_module\(['\"]|^__import__ *="
)
_SETS = re.compile(r"environ.*(KMP_|OMP_|MKL_)")
_IMPORT = re.compile(rb"^[ \t]*(?:import|from)[ \t]+[^\n]+$", re.MULTILINE)
_MOST_TURNS = 20
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ADDING = frozenset(("append", "extend", "insert", "add", "update"))
_BLOCKS = ("body", "orelse", "finalbody")


def reduced(source: bytes, libraries: Collection[str] = ()) -> str:
    """Give what counts of a source, as a source.

    Parameters
    ----------
    source
        The file's bytes.
    libraries
        Names without an ending: what names one of them may be how it is known who opens it.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return b"\n".join(_IMPORT.findall(source)).decode("utf-8", "replace")
    tree = _Plain().visit(tree)
    keep = _Slice(tree, libraries).kept()
    return ast.unparse(ast.fix_missing_locations(_filtered(tree, keep)))


class _Plain(ast.NodeTransformer):
    """Takes away what explains: docstrings, annotations, decorators."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant):
            return None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list, node.returns = [], None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list, node.bases, node.keywords = [], [], []
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        made = ast.Assign([node.target], node.value)
        return self.generic_visit(ast.copy_location(made, node))


class _Slice:
    """Which statements count, and which make the names in them."""

    def __init__(self, tree: ast.Module, libraries: Collection[str]) -> None:
        self._libraries = libraries
        self._keep: set[ast.AST] = set()
        self._above: dict[ast.AST, list[ast.AST]] = {}
        self._note(tree, [])

    def _note(self, node: ast.AST, above: list[ast.AST]) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                self._above[child] = above
                self._note(child, [*above, child])

    def kept(self) -> set[ast.AST]:
        """Give the statements that count."""
        leaves = [each for each in self._above if isinstance(each, ast.stmt) and _is_leaf(each)]
        self._keep = {each for each in leaves if _is_seed(each, self._libraries)}
        for _ in range(_MOST_TURNS):
            before = len(self._keep)
            wanted: set[str] = {name for each in self._keep for name in _used(each)}
            for each in self._keep.copy():
                for block in self._above[each]:
                    wanted |= _used(block)
            self._take(leaves, wanted - {"__all__"})
            if len(self._keep) == before:
                break
        for each in leaves:
            inside = any(isinstance(block, _DEFINITIONS) for block in self._above[each])
            if isinstance(each, ast.Import | ast.ImportFrom) and not inside:
                self._keep.add(each)
        return self._keep | {block for each in self._keep for block in self._above[each]}

    def _take(self, leaves: list[ast.stmt], wanted: set[str]) -> None:
        """Keep what makes a wanted name, and what a kept function returns or when it ends."""
        functions = {
            block
            for each in self._keep
            for block in self._above[each]
            if isinstance(block, _DEFINITIONS)
        }
        functions |= {
            each for each in self._above if isinstance(each, _DEFINITIONS) and each.name in wanted
        }
        called = {each.name for each in functions}
        for each in leaves:
            owners = [block for block in self._above[each] if isinstance(block, _DEFINITIONS)]
            if isinstance(each, ast.Return | ast.Raise):
                if owners and owners[-1] in functions:
                    self._keep.add(each)
            elif (_made(each) & wanted and (not owners or owners[-1] in functions)) or (
                _calls(each) & called and not owners
            ):
                self._keep.add(each)
        for node, above in self._above.items():
            owners = [block for block in above if isinstance(block, _DEFINITIONS)]
            ours = not owners or owners[-1] in functions
            if isinstance(node, ast.For) and ours and _stored(node.target) & wanted:
                self._keep.add(node)
            if isinstance(node, ast.ClassDef) and node.name in wanted:
                self._keep.add(node)


def _is_leaf(each: ast.stmt) -> bool:
    return not any(hasattr(each, name) for name in ("body", "cases"))


def _is_seed(each: ast.stmt, libraries: Collection[str]) -> bool:
    if isinstance(each, ast.Import | ast.ImportFrom | ast.Raise | ast.Pass):
        return False
    text = ast.unparse(each)
    if _LOOKUPS.search(text) or _SETS.search(text):
        return True
    if any(_OPENERS.search(name) for name in _calls(each)):
        return True
    texts = [node.value for node in ast.walk(each) if isinstance(node, ast.Constant)]
    names = [text for text in texts if isinstance(text, str) and len(text) < 100]
    names = [text for text in names if " " not in text]
    return any(_NAMES.search(text) or text in libraries for text in names)


def _calls(node: ast.AST) -> set[str]:
    """Give the last names of what is called in a statement, and of objects like ctypes.cdll."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            function = each.func
            found |= {function.attr} if isinstance(function, ast.Attribute) else set()
            found |= {function.id} if isinstance(function, ast.Name) else set()
    return found


def _used(each: ast.AST) -> set[str]:
    """Give the names that a statement reads, without those in the blocks below it."""
    if isinstance(each, ast.Raise | ast.ClassDef | ast.ExceptHandler):
        return set()
    whole = isinstance(each, ast.stmt) and _is_leaf(each)
    parts = [each] if whole else [*ast.iter_child_nodes(each)]
    return {
        node.id
        for part in parts
        if whole or not isinstance(part, ast.stmt | ast.ExceptHandler)
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _made(each: ast.AST) -> set[str]:
    """Give the names that a statement gives a value, or adds something to."""
    names = {
        node.id
        for node in ast.walk(each)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(each):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and function.attr in _ADDING:
            names |= _stored(function.value) if isinstance(function.value, ast.Name) else set()
    return names


def _stored(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _filtered(node: ast.AST, keep: set[ast.AST]) -> ast.AST:
    """Give a tree with the kept statements alone; a block that loses all of them passes."""
    for name in _BLOCKS:
        if isinstance(getattr(node, name, None), list):
            found = [_filtered(each, keep) for each in getattr(node, name) if each in keep]
            needed = name == "body" and not isinstance(node, ast.Module)
            setattr(node, name, found or ([ast.Pass()] if needed else []))
    if isinstance(node, ast.Raise):
        return ast.copy_location(ast.Raise(), node)
    if isinstance(node, ast.Try):
        for handler in node.handlers:
            _filtered(handler, keep)
        if not node.handlers and not node.finalbody:
            node.handlers = [ast.ExceptHandler(None, None, [ast.Pass()])]
    return node
