"""What importing may load is told from files, and compared with what importing really maps."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from environments import MKL, MKL_AND_TORCH, POOLS, environment, values_in
from hypothesis import given
from hypothesis import strategies as st
from live import LINUX, run_python

from omp_magic.facts.libraries import Library
from omp_magic.installed.distributions import Distributions, MayLoad
from omp_magic.installed.statements import Import, imports_of

# The first test to ask for an environment installs it.
pytestmark = pytest.mark.timeout(1800)
linux = pytest.mark.skipif(not LINUX, reason="shared objects are followed as Linux does it")

COMPARE = """
import json, os, sys
from omp_magic.knowledge.catalog import family_of
from omp_magic.formats.elf import parse_elf
from omp_magic.installed.distributions import may_load
from omp_magic.formats.procfs import parse_maps

def mapped():
    with open("/proc/self/maps") as file:
        return {file.path for file in parse_maps(file.read())}

def names(api):
    found = set()
    for path in mapped():
        family = family_of(os.path.basename(path))
        if family is not None and family.api == api:
            with open(path, "rb") as file:
                found.add(parse_elf(file.read()).soname or os.path.basename(path))
    return sorted(found)

modules = sys.argv[1:]
imported, files = set(sys.modules), mapped()
answer = may_load(modules)
changed = [name for name in sys.modules if name not in imported] + sorted(mapped() - files)
for name in modules:
    __import__(name)

def roles(libraries):
    return {each.soname: [each.serves, each.idle] for each in libraries if each.api == "openmp"}

import omp_magic
print(json.dumps({
    "told roles": roles(answer.libraries),
    "true roles": roles(omp_magic.snapshot().libraries),
    "changed": changed,
    "told": sorted({each.soname for each in answer.libraries if each.api == "openmp"}),
    "true": names("openmp"),
    "told blas": sorted({each.soname for each in answer.libraries if each.api == "blas"}),
    "true blas": names("blas"),
    "paths": [each.path for each in answer.libraries],
    "mapped": sorted(mapped()),
}))
sys.stdout.flush()
os._exit(0)  # what the packages do at exit is not asked
"""

OWN = ("numpy", "scipy", "scipy.linalg", "sklearn", "sklearn.cluster", "faiss", "json", "IPython")
PAIRS = (("sklearn", "faiss"), ("faiss", "sklearn"), ("scipy.linalg", "faiss"))
POOLED = (
    ("torch",), ("xgboost",), ("numba",), ("numba.np.ufunc.omppool",), ("polars",), ("pyarrow",),
    ("numexpr",), ("cv2",), ("torch", "numba.np.ufunc.omppool"),
    ("numba.np.ufunc.omppool", "torch"), ("torch", "xgboost"), ("faiss", "torch"),
    ("torch", "faiss"), ("torch", "sklearn"), ("sklearn", "torch"),
)  # fmt: skip
CONTAINED = {
    *(("scipy",), ("sklearn",), ("torch",), ("xgboost",), ("numba",)),
    *(("torch", "faiss"), ("numba.np.ufunc.omppool", "torch")),
}
"""Others import them too, or both in the other order, beside one that says what the order does."""


def rows(*all_of_them: tuple[str, ...]) -> pytest.MarkDecorator:
    """Try each of these imports, those that others contain in `make test-thorough`."""
    marks = {row: [pytest.mark.thorough] if row in CONTAINED else [] for row in all_of_them}
    params = [pytest.param(row, marks=mark, id="+".join(row)) for row, mark in marks.items()]
    return pytest.mark.parametrize("modules", params)


@linux
@rows(*((name,) for name in OWN), *PAIRS)
def test_the_openmp_runtimes_told_are_those_that_come(modules: tuple[str, ...]) -> None:
    ended = run_python(COMPARE, *modules)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out.strip().split("\n")[-1])
    assert found["told"] == found["true"]
    assert found["told roles"] == found["true roles"]
    assert found["told blas"] == found["true blas"]
    assert {os.path.realpath(path) for path in found["paths"]} <= set(found["mapped"])


@linux
@rows(*POOLED)
def test_so_are_those_of_packages_that_load_in_other_ways(modules: tuple[str, ...]) -> None:
    found = values_in(environment("pools", POOLS), COMPARE, *modules)
    assert found["told"] == found["true"]
    assert found["told roles"] == found["true roles"]


LARGE = ("sklearn", "scipy", "IPython", "pandas")


@linux
@pytest.mark.parametrize(
    ("variables", "count"),
    [({}, 1), ({"MKL_THREADING_LAYER": "INTEL"}, 1), ({"MKL_THREADING_LAYER": "SEQUENTIAL"}, 0)],
)
def test_mkl_brings_the_runtime_of_its_layer(variables: dict[str, str], count: int) -> None:
    found = values_in(environment("mkl", MKL), COMPARE, "mkl", **variables)
    assert found["told"] == found["true"] == ["libiomp5.so"][:count]


@linux
@pytest.mark.parametrize("modules", [("mkl", "torch"), ("torch", "mkl")], ids="+".join)
def test_mkl_takes_the_runtime_of_the_global_scope(modules: tuple[str, ...]) -> None:
    found = values_in(environment("mkl-torch", MKL_AND_TORCH), COMPARE, *modules)
    assert found["told"] == found["true"]
    assert found["told roles"] == found["true roles"]


@linux
def test_telling_imports_and_maps_nothing_of_what_is_asked_about() -> None:
    ended = run_python(COMPARE, "sklearn", "faiss")
    assert ended.code == 0, ended.err
    changed = json.loads(ended.out.strip().split("\n")[-1])["changed"]
    packages = {name.partition(".")[0] for name in changed}
    assert not packages & {"numpy", "scipy", "sklearn", "faiss", "joblib"}
    assert not [name for name in changed if ".libs/" in name]


def _told(path: Path, *modules: str, **facts: Any) -> MayLoad:
    return Distributions([str(path)]).may_load(modules, environ={}, **facts)


def _folder_of(package: str) -> Path:
    """Give where a package is, without importing it: importing some sets variables."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a folder with scikit-learn's smallest OpenMP extension as ``helper``, and its libs."""
    if not LINUX:
        pytest.skip("the extension is a Linux one")
    package = _folder_of("sklearn")
    (extension,) = (package / "utils").glob("_openmp_helpers*.so")
    (libs,) = package.parent.glob("scikit_learn.libs")
    shutil.copytree(libs, tmp_path / "scikit_learn.libs")
    (tmp_path / "helper" / "inner").mkdir(parents=True)
    shutil.copy(extension, tmp_path / "helper" / "inner")
    (tmp_path / "helper" / "__init__.py").write_text("from .inner import _openmp_helpers\n")
    (tmp_path / "helper" / "inner" / "__init__.py").write_text("")
    return tmp_path


def test_a_package_without_metadata_is_followed_by_its_folder(site: Path) -> None:
    told = _told(site, "helper")
    (runtime,) = told.runtimes
    assert runtime.library.family == "libgomp"
    assert runtime.library.path.startswith(str(site / "scikit_learn.libs"))
    assert runtime.library.owner is None
    (bringer,) = runtime.brought_by
    assert (bringer.module, bringer.distribution) == ("helper", None)
    assert bringer.through.startswith("helper.inner._openmp_helpers")
    assert told.asked[0].distributions == ()


def test_record_names_the_owner_and_the_shipper(site: Path) -> None:
    info = site / "help_er-2.1.dist-info"
    info.mkdir()
    shared = next((site / "scikit_learn.libs").iterdir()).name
    lines = ["helper/__init__.py,,", f"scikit_learn.libs/{shared},sha256=x,1"]
    (info / "RECORD").write_text("\n".join(lines))
    told = _told(site, "helper")
    assert told.asked[0].distributions == ("help_er 2.1",)
    (runtime,) = told.runtimes
    assert (runtime.library.owner, runtime.library.owner_version) == ("help_er", "2.1")
    assert runtime.brought_by[0].distribution == "help_er"
    assert told.distributions == ("help_er",)


@pytest.mark.parametrize(
    ("source", "comes"),
    [
        ("import helper", True),
        ("import os, helper as h", True),
        ("try:\n    import helper\nexcept ImportError:\n    helper = None", True),
        ("class A:\n    import helper", True),
        ("from importlib import import_module\nimport_module('helper')", True),
        ("def f():\n    import helper", False),
        ("class A:\n    def f(self):\n        import helper", False),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import helper", False),
        ("if __name__ == '__main__':\n    import helper", False),
        ("import sys\nif sys.platform == 'win32':\n    import helper", False),
        ('"""\nimport helper\n"""', False),
        ("import is_missing\nimport helper", False),
        ("try:\n    import is_missing\nexcept ImportError:\n    pass\nimport helper", True),
    ],
)
def test_only_what_runs_with_a_module_counts(
    site: Path, source: str, comes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own finder could have modules without files: they would not be taken for missing.
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if isinstance(f, type)])
    (site / "single.py").write_text(source)
    told = _told(site, "single")
    assert told.asked[0].file == str(site / "single.py")
    assert bool(told.runtimes) is comes


def test_a_failing_import_fails_its_importers_up_to_the_one_that_catches(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [f for f in sys.meta_path if isinstance(f, type)])
    (site / "inner_one.py").write_text("import is_missing\n")
    (site / "middle.py").write_text("import inner_one\nimport helper\n")
    (site / "catching.py").write_text("try:\n    import middle\nexcept ImportError:\n    pass\n")
    (site / "after.py").write_text("import catching\nimport helper\n")
    assert not _told(site, "catching").runtimes
    assert _told(site, "after").runtimes
    notes = _told(site, "middle").notes
    assert any("is_missing" in note for note in notes)


def test_a_namespace_package_is_found(site: Path) -> None:
    (site / "space" / "part").mkdir(parents=True)
    (site / "space" / "part" / "__init__.py").write_text("import helper")
    assert _told(site, "space.part").runtimes
    assert not _told(site, "space").runtimes


def test_what_is_there_already_does_not_come(site: Path) -> None:
    (library,) = _told(site, "helper").libraries
    assert not _told(site, "helper", present=(library,)).libraries
    assert not _told(site, "helper", imported={"helper"}).libraries
    elsewhere = Library(
        family="libgomp", label="", api="openmp", kin="gnu", soname=library.soname, path="/gone.so"
    )
    assert not _told(site, "helper", present=(elsewhere,)).libraries


def test_the_same_name_from_two_folders_is_one_library(site: Path) -> None:
    shutil.copytree(site, site / "second")
    shutil.move(site / "second" / "helper", site / "second" / "other")
    told = Distributions([str(site), str(site / "second")]).may_load(["helper", "other"])
    (runtime,) = told.runtimes
    assert [each.module for each in runtime.brought_by] == ["helper", "other"]


def test_a_changed_file_is_read_again(site: Path) -> None:
    (site / "single.py").write_text("x = 1")
    distributions = Distributions([str(site)])
    assert not distributions.may_load(["single"]).runtimes
    (site / "single.py").write_text("import helper")
    assert distributions.may_load(["single"]).runtimes


def test_standard_modules_load_nothing_and_missing_ones_are_told(tmp_path: Path) -> None:
    told = _told(tmp_path, "json", "is_missing", "no module", "json.nothing")
    assert not told.runtimes
    assert "json" in [each.name for each in told.asked]
    assert [gap.what for gap in told.unknown] == ["is_missing", "no module"]
    assert all(gap.why for gap in told.unknown)


def test_an_editable_installation_is_found_by_its_finders_table(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finder is a real one, written by setuptools; only its table is read."""
    project = site / "project"
    (project / "src" / "edited").mkdir(parents=True)
    (project / "src" / "edited" / "__init__.py").write_text("import helper")
    (project / "setup.cfg").write_text(
        "[metadata]\nname = edited\nversion = 1\n[options]\npackages = edited\n"
        "package_dir =\n  edited = src/edited\n"
    )
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    target = site / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--editable"]
    ended = subprocess.run(
        [*command, str(project), "--target", str(target)],
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    finders = list(target.glob("__editable___*.py"))
    if ended.returncode or not finders:
        last = ended.stderr.strip().rpartition("\n")[2]
        pytest.skip(f"no editable installation here: {last[-160:]}")
    monkeypatch.syspath_prepend(str(target))
    finder = __import__(finders[0].stem)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    finder.install()
    assert Distributions([str(site), str(target)]).may_load(["edited"], environ={}).runtimes


# --- the scanner of statements ---------------------------------------------------------------


def _by_ast(source: bytes) -> list[tuple[int, str, tuple[str, ...]]]:
    found: list[tuple[int, str, tuple[str, ...]]] = []

    def walk(body: list[Any]) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            if isinstance(node, ast.If):
                test = ast.unparse(node.test)
                typing = test.endswith("TYPE_CHECKING") and not test.startswith("not ")
                if typing or test in ("False", "0") or test.startswith("__name__ =="):
                    walk(node.orelse)
                    continue
            if isinstance(node, ast.Import):
                found.extend((0, alias.name, ()) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names if alias.name != "*")
                found.append((node.level, node.module or "", names))
            for part in ("body", "orelse", "finalbody"):
                walk(
                    [each for each in getattr(node, part, None) or () if isinstance(each, ast.AST)]
                )
            for handler in getattr(node, "handlers", ()):
                walk(handler.body)

    walk(ast.parse(source).body)
    return sorted(found)


@pytest.mark.parametrize(
    "package",
    ["numpy", *(pytest.param(each, marks=pytest.mark.thorough) for each in LARGE)],
)
def test_the_scanner_finds_what_ast_finds_in_real_packages(package: str) -> None:
    folder = _folder_of(package)
    different, count = [], 0
    for path in folder.rglob("*.py"):
        source = path.read_bytes()
        if b"import_module(" in source:
            continue  # ast sees a call there
        try:
            true = _by_ast(source)
        except SyntaxError:
            continue
        count += 1
        if sorted(each[:3] for each in imports_of(source)) != true:
            different.append(path)
    assert count > 50
    assert len(different) <= count // 500, different


def test_an_import_in_no_block_is_certain_and_a_compared_text_is_kept() -> None:
    source = b"import a\nif x == 'win32':\n    import b\ntry: import c\nexcept E: pass\n"
    assert imports_of(source) == (
        Import(0, "a"),
        Import(0, "b", (), False, "win32"),
        Import(0, "c", (), False),
    )


_PIECES = st.sampled_from(
    [
        *(b"import ", b"from ", b".", b"a", b"(", b")", b",", b"#", b";", b"\\", b"\\\n", b"\n"),
        *(b"    ", b"\t", b"\r\n", b"\xff", b"\0", b'"""', b"'''", b"import_module('x')"),
        *(b"def f():", b"class A:", b"try:", b"if TYPE_CHECKING:", b"if x == 'win32':"),
    ]
)


@given(st.lists(_PIECES, max_size=80).map(b"".join))
def test_any_bytes_give_imports_and_no_error(source: bytes) -> None:
    for each in imports_of(source):
        assert each.level >= 0
        assert isinstance(each.names, tuple)


_LONG = (b"import ", b"from . import (", b"from a import b \\\n", b"(#\n", b"x; import a b ")


@given(st.sampled_from(_LONG))
def test_a_long_text_does_not_make_it_slow(piece: bytes) -> None:
    # With a pattern that backtracks this would take longer than the time limit of a test.
    imports_of(piece * 3_000)
