"""The arrows between modules point downward, as ARCHITECTURE.md says; nothing heavy is global."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "omp_magic"
MODULES = sorted(path.relative_to(ROOT) for path in PACKAGE.rglob("*.py"))

HEAVY = {"numpy", "pandas", "threadpoolctl", "psutil", "ipywidgets", "matplotlib", "sklearn"}
"""Imported only inside the function that needs them, save where the module is such a place."""
PLACES = {"omp_magic/views/frame.py"}


def _layers() -> dict[str, int]:
    """Read the layer table of ARCHITECTURE.md: module name -> layer."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    layers = {}
    for row in re.finditer(r"^\| (\d) [^|]*\| ([^|]*)\|", text, re.MULTILINE):
        for module in re.findall(r"`([\w.]+)`", row[2]):
            layers[module] = int(row[1])
    return layers


LAYERS = _layers()


def _layer(module: str) -> int:
    parts = module.split(".")
    while parts:
        if ".".join(parts) in LAYERS:
            return LAYERS[".".join(parts)]
        parts.pop()
    raise AssertionError(f"{module} has no layer in ARCHITECTURE.md")


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts[1:]
    return ".".join(part for part in parts if part != "__init__")


def _typing_only(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _imports(path: Path) -> list[tuple[str, ast.stmt]]:
    """Give every import of our own modules in a file, as a dotted name below the package."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    package = path.parent.parts[1:]
    found: list[tuple[str, ast.stmt]] = []
    skipped = _typing_only(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node.lineno not in skipped:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module or "").split(".")] if node.module else list(base)
            for alias in node.names:
                name = ".".join([*target, alias.name])
                is_module = (PACKAGE / (name.replace(".", "/") + ".py")).exists()
                is_package = (PACKAGE / name.replace(".", "/")).is_dir()
                found.append((name if is_module or is_package else ".".join(target), node))
    return found


def test_the_table_has_every_module_and_no_other() -> None:
    names = {_name(path) for path in MODULES} - {""}
    for name in names:
        _layer(name)
    for module in LAYERS:
        assert module in names, f"{module} stands in ARCHITECTURE.md and does not exist"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_downward(path: Path) -> None:
    own = _name(path)
    if not own:
        return  # the package itself imports inside its functions only
    for target, node in _imports(path):
        if target:
            assert _layer(target) <= _layer(own), f"{path}:{node.lineno} imports upward: {target}"


def test_an_upward_arrow_would_be_seen() -> None:
    assert _layer("views.text") > _layer("facts")
    assert any(target == "facts" for target, _ in _imports(Path("omp_magic/observe.py")))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_heavy_libraries_are_imported_where_they_are_needed(path: Path) -> None:
    if str(path) in PLACES:
        return
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    skipped = _typing_only(tree)
    for node in tree.body:
        for inner in ast.walk(node) if not isinstance(node, ast.FunctionDef) else ():
            if isinstance(inner, (ast.Import, ast.ImportFrom)) and inner.lineno not in skipped:
                names = [alias.name for alias in inner.names]
                if isinstance(inner, ast.ImportFrom):
                    names = [] if inner.level else [inner.module or ""]
                assert not {name.split(".")[0] for name in names} & HEAVY or _in_function(
                    tree, inner
                ), f"{path}:{inner.lineno}"


def _in_function(tree: ast.Module, wanted: ast.stmt) -> bool:
    return any(
        wanted in ast.walk(node)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


@pytest.mark.parametrize(
    "path", [path for path in MODULES if _name(path) and _layer(_name(path)) == 0], ids=str
)
def test_the_ground_layer_is_standard_library_and_opens_nothing(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    skipped = _typing_only(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node.lineno not in skipped:
            for alias in node.names:
                assert alias.name.split(".")[0] in sys.stdlib_module_names
                assert alias.name not in ("os", "time", "subprocess", "socket", "ctypes")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"{path}:{node.lineno}"


def test_files_stay_small() -> None:
    for path in MODULES:
        lines = (ROOT / path).read_text("utf-8").count("\n")
        assert lines <= 300, f"{path} has {lines} lines: which two ideas live in it?"
