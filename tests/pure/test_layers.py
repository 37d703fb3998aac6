"""The house is as ARCHITECTURE.md draws it: rooms, floors, arrows; nothing heavy is global."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from places import ROOT

PACKAGE = ROOT / "omp_magic"
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
GROUND = ("errors", "formats", "facts", "knowledge", "rules", "plans")
"""Rooms that think and do not look: the standard library alone, no file, no clock."""
FACE = {
    "machine": {"Machine"},
    "loader": {"predict_dlopen"},
    "probes": {"probe_budget"},
    "rules": {"judge"},
}
"""What a room's own ``__init__`` hands on: the names that other tools are promised."""
HEAVY = {"numpy", "pandas", "threadpoolctl", "psutil", "ipywidgets", "matplotlib", "sklearn"}
"""Imported only inside the function that needs them, save where the file is such a place."""
PLACES = {"views/frame.py"}


class Row(NamedTuple):
    """A room as ARCHITECTURE.md has it."""

    floor: int
    imports: frozenset[str]


class Arrow(NamedTuple):
    """An import of one file of ours by another; also one that only a type checker follows."""

    source: str
    line: int
    target: str


def _rows(text: str) -> dict[str, Row]:
    """Read the table of rooms: floor, room, a sentence, the rooms that it imports."""
    rows = {}
    for floor, room, _, imports in re.findall(
        r"^\| (\d+) \| `([\w/]+)` \| ([^|]+) \|([^|]*)\|$", text, re.MULTILINE
    ):
        assert room not in rows, f"{room} stands twice"
        rows[room] = Row(int(floor), frozenset(re.findall(r"`([\w/]+)`", imports)))
    return rows


ROOMS = _rows((ROOT / "ARCHITECTURE.md").read_text("utf-8"))


def _room(file: str) -> str:
    """Give the room of a file: its folder, or the file itself where it stands in none."""
    folder, _, name = file.rpartition("/")
    return folder or name.removesuffix(".py")


def _file_of(dotted: list[str]) -> str | None:
    base = "/".join(dotted)
    for file in (f"{base}.py", f"{base}/__init__.py" if base else "__init__.py"):
        if file in _known():
            return file
    return None


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(FILES)


def _arrows_of(file: str, source: str) -> Iterator[Arrow]:
    package = file.split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        bases: list[list[str]] = []
        if isinstance(node, ast.ImportFrom) and node.level:
            kept = package[: len(package) - node.level + 1]
            base = [*kept, *(node.module.split(".") if node.module else [])]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "omp_magic":
            base = (node.module or "").split(".")[1:]
        elif isinstance(node, ast.Import):
            dotted = [alias.name.split(".") for alias in node.names]
            bases = [each[1:] for each in dotted if each[0] == "omp_magic"]
            base = []
        else:
            continue
        if isinstance(node, ast.ImportFrom):
            bases = [[*base, alias.name] for alias in node.names]
        for each in bases:
            found = _file_of(each) or _file_of(each[:-1])
            assert found is not None, f"{file}:{node.lineno} imports what is not there: {each}"
            yield Arrow(file, node.lineno, found)


@functools.cache
def _arrows() -> tuple[Arrow, ...]:
    return tuple(
        arrow for file in FILES for arrow in _arrows_of(file, (PACKAGE / file).read_text("utf-8"))
    )


def _between_rooms(arrows: tuple[Arrow, ...]) -> dict[str, set[str]]:
    """Give the rooms that each room imports; a face that hands names on draws no arrow."""
    found: dict[str, set[str]] = {_room(file): set() for file in FILES}
    for source, _, target in arrows:
        if not source.endswith("/__init__.py") and _room(source) != _room(target):
            found[_room(source)].add(_room(target))
    return found


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Give a circle, from a node back to itself; [] where there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node not in done:
            for other in sorted(graph.get(node, ())):
                circle = walk(other, [*way, node])
                if circle:
                    return circle
            done.add(node)
        return []

    return next(filter(None, (walk(node, []) for node in sorted(graph))), [])


def test_every_room_is_in_the_picture_and_no_other() -> None:
    rooms = {_room(file) for file in FILES}
    assert rooms == set(ROOMS)


def test_arrows_are_those_of_the_picture_and_point_downward() -> None:
    drawn = _between_rooms(_arrows())
    for room, row in ROOMS.items():
        assert drawn[room] == row.imports, f"{room} imports {sorted(drawn[room])}"
        for other in drawn[room]:
            assert ROOMS[other].floor < row.floor, f"{room} imports upward: {other}"


def test_a_room_stands_as_low_as_it_can() -> None:
    for room, row in ROOMS.items():
        below = max((ROOMS[other].floor for other in row.imports), default=0)
        assert row.floor == below + 1, (
            f"{room} is drawn on floor {row.floor}, and is on {below + 1}"
        )


def test_no_file_stands_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for source, _, target in _arrows():
        # `from . import chart` names the folder's face too, which imports nothing of it.
        if source != target:
            graph.setdefault(source, set()).add(target)
    assert not _circle(graph)


def test_wrong_arrows_would_be_seen() -> None:
    source = "from ..rules.rule import Rule\nif TYPE_CHECKING:\n    from . import ticks\n"
    source += "def f():\n    import omp_magic.views.text\n    from omp_magic import api\n"
    found = [(each.line, each.target) for each in _arrows_of("facts/cpus.py", source)]
    assert found == [
        (1, "rules/rule.py"),
        (3, "facts/ticks.py"),
        (5, "views/text.py"),
        (6, "api.py"),
    ]
    with pytest.raises(AssertionError, match="not there"):
        list(_arrows_of("facts/cpus.py", "from ..nowhere import x"))
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert _circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_the_picture_shows_what_the_table_says() -> None:
    """The drawing has each room on its floor, the highest first."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    (drawing,) = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    floors = {
        int(floor): set(rooms.split())
        for floor, rooms in re.findall(r"^ *(\d+) +│ (.*)$", drawing, re.MULTILINE)
    }
    assert list(floors) == sorted(floors, reverse=True)
    told: dict[int, set[str]] = {}
    for room, row in ROOMS.items():
        told.setdefault(row.floor, set()).add(room)
    assert floors == told


FOLDERS = sorted({_room(file) for file in FILES if (PACKAGE / _room(file)).is_dir()})
"""Rooms that have a face: one of a single file has none."""


@pytest.mark.parametrize("room", FOLDERS)
def test_a_rooms_face_says_what_is_in_it_and_hands_on_what_is_promised(room: str) -> None:
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8"))
    assert ast.get_docstring(tree)
    handed = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "typing", None)
        for alias in node.names
    }
    assert handed == FACE.get(room, set())
    defined = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert [node.name for node in defined] in ([], ["__getattr__"])


def test_the_promised_names_are_where_they_are_promised() -> None:
    from omp_magic.loader import predict_dlopen
    from omp_magic.machine import Machine
    from omp_magic.probes import probe_budget
    from omp_magic.rules import judge

    assert all(map(callable, (predict_dlopen, Machine, probe_budget, judge)))
    import omp_magic.loader
    import omp_magic.probes

    for room in (omp_magic.loader, omp_magic.probes):
        with pytest.raises(AttributeError, match="no attribute 'nope'"):
            room.nope  # noqa: B018 - the look-up is the test


def _typing_only(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _heavy(file: str, source: str) -> Iterator[str]:
    """Give the imports of heavy libraries that loading a file would run."""
    tree = ast.parse(source)
    skipped = _typing_only(tree)
    inside = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)) or node in inside:
            continue
        if node.lineno in skipped:
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [] if node.level else [node.module or ""]
        for name in sorted({name.split(".")[0] for name in names} & HEAVY):
            yield f"{file}:{node.lineno} imports {name}"


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_are_imported_where_they_are_needed(file: str) -> None:
    found = list(_heavy(file, (PACKAGE / file).read_text("utf-8")))
    # A place that needs its exception no more is none.
    assert bool(found) == (file in PLACES), found


def test_a_heavy_import_would_be_seen() -> None:
    source = "import json, numpy.linalg\nfrom . import numpy\nfrom pandas import DataFrame\n"
    source += "if TYPE_CHECKING:\n    import psutil\ndef f():\n    import psutil\n"
    assert list(_heavy("x.py", source)) == ["x.py:1 imports numpy", "x.py:3 imports pandas"]


@pytest.mark.parametrize("file", [file for file in FILES if _room(file) in GROUND])
def test_what_thinks_is_standard_library_and_opens_nothing(file: str) -> None:
    tree = ast.parse((PACKAGE / file).read_text("utf-8"))
    skipped = _typing_only(tree)
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import) and node.lineno not in skipped:
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.lineno not in skipped:
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names, f"{file} imports {name}"
            assert name not in ("os", "time", "subprocess", "socket", "ctypes"), file
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"{file}:{node.lineno}"


def test_views_do_not_look_and_probes_do_not_judge() -> None:
    drawn = _between_rooms(_arrows())
    for room in ("views", "views/panel"):
        asked = {each for each in drawn[room] if each.split("/")[0] in ("probes", "machine")}
        assert not asked, f"{room} asks {asked}"
    for room in ROOMS:
        if room.split("/")[0] in ("machine", "loader", "probes"):
            assert not drawn[room] & {"rules", "guard", "views"}, room


def test_files_stay_small() -> None:
    for file in FILES:
        lines = (PACKAGE / file).read_text("utf-8").count("\n")
        assert lines <= 300, f"{file} has {lines} lines: which two ideas live in it?"


def test_pure_tests_start_nothing() -> None:
    """Tests of the folder pure have no kernel and no child process: they are done in seconds."""
    wanted = {"subprocess", "multiprocessing", "live", "environments", "codeblocks"}
    for path in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                if node.module == "live" and names <= {"LINUX"}:
                    continue
                assert (node.module or "").split(".")[0] not in wanted, f"{path.name}:{node.lineno}"
            elif isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & wanted, path.name
