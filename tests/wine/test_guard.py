"""The guard on Windows: what an import would map is known, and told only where it does harm."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wine import windows
from wine.extensions import extension
from wine.inside import INTEL
from wine.kernels import WindowsKernel
from wine.prefix import DRIVE

CODE = 3
RENAMED = "libiomp5md-0a1b2c3d.dll"
"""As delvewheel names what it puts into a wheel: the name says what is in the file."""


@pytest.fixture
def packages() -> Iterator[str]:
    """A folder of packages whose extension modules need Intel's OpenMP, each with one beside it.

    `same` and `alike` need libiomp5md.dll by that name, `renamed` by a name of its own.
    """
    windows.WORK.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=windows.WORK, prefix="packages-"))
    for name, runtime in (
        ("same", "libiomp5md.dll"),
        ("alike", "libiomp5md.dll"),
        ("renamed", RENAMED),
    ):
        home = folder / name
        home.mkdir()
        (home / "__init__.py").write_text(f"from ._{name} import threads\n", "utf-8")
        (home / f"_{name}.pyd").write_bytes(extension(f"_{name}", runtime))
        shutil.copyfile(_path(INTEL), home / runtime)
    yield windows.windows_path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def kernel() -> Iterator[WindowsKernel]:
    started = WindowsKernel()
    yield started
    started.close()


def test_importing_scikit_learn_raises_no_alarm(kernel: WindowsKernel) -> None:
    kernel.run("%load_ext omp_magic\n%omp_guard raise")
    for module in ("numpy", "scipy.linalg", "pandas", "sklearn.cluster", "lightgbm"):
        reply = kernel.run(f"import {module}")
        assert (reply.status, reply.displays, reply.stderr) == ("ok", [], ""), reply.traceback
    assert "0 alarms" in kernel.run("%omp_guard").stdout


def test_the_first_runtime_of_its_kind_raises_no_alarm(
    kernel: WindowsKernel, packages: str
) -> None:
    kernel.run(
        f"import sys; sys.path.insert(0, {packages!r})\n%load_ext omp_magic\n%omp_guard raise"
    )
    reply = kernel.run("import renamed; renamed.threads()")
    assert (reply.status, reply.displays) == ("ok", []), reply.traceback


def test_a_module_that_shares_the_runtime_by_its_name_raises_no_alarm(
    kernel: WindowsKernel, packages: str
) -> None:
    """Windows takes a module of that base name that is loaded, and not the file beside it."""
    kernel.run(
        f"import sys; sys.path.insert(0, {packages!r})\n%load_ext omp_magic\n%omp_guard raise"
    )
    for name in ("same", "alike"):
        reply = kernel.run(f"import {name}; {name}.threads()")
        assert (reply.status, reply.displays) == ("ok", []), reply.traceback
    assert len(kernel.value("__import__('inside').runtimes()")) == 1


def test_an_import_that_brings_a_second_copy_is_warned_of_and_the_warning_is_true(
    kernel: WindowsKernel, packages: str
) -> None:
    kernel.run(f"import sys; sys.path.insert(0, {packages!r})\n%load_ext omp_magic")
    assert kernel.run("import same; same.threads()").displays == []
    warned = kernel.run("import renamed")
    (shown,) = warned.displays
    assert "OMP101" in shown["text/plain"]
    assert "import renamed" in shown["text/plain"]
    assert "before it is loaded" in shown["text/plain"]
    assert kernel.run("import importlib; importlib.reload(renamed)").displays == []
    assert kernel.run("renamed.threads()").status == "dead"
    kernel.close()
    assert kernel.said.code == CODE


def test_a_refused_import_maps_nothing(kernel: WindowsKernel, packages: str) -> None:
    kernel.run(f"import sys, inside; sys.path.insert(0, {packages!r})\n%load_ext omp_magic")
    kernel.run("%omp_guard raise")
    kernel.run("import same; same.threads()")
    mapped = kernel.value("inside.modules()")
    for _ in range(2):
        refused = kernel.run("import renamed")
        assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeError")
        assert "OMP101" in refused.evalue
        assert "omp_magic" not in refused.traceback
        assert "importlib" not in refused.traceback
        assert not [each for each in kernel.value("inside.modules()") if "renamed" in each]
        assert kernel.value("'renamed' in sys.modules") is False
    assert len(kernel.value("inside.runtimes()")) == 1
    assert [each for each in mapped if "0a1b" in each] == []
    assert kernel.run("same.threads()").status == "ok"
    kernel.run("%omp_guard off")
    assert kernel.run("import renamed").status == "ok"
    assert len(kernel.value("inside.runtimes()")) == 2


def test_a_folder_that_is_added_for_dlls_is_looked_into(
    kernel: WindowsKernel, packages: str
) -> None:
    r"""os.add_dll_directory: as delvewheel's wheels find their NAME.libs."""
    away = _path(packages) / "libs"
    away.mkdir()
    (_path(packages) / "renamed" / RENAMED).rename(away / RENAMED)
    kernel.run(f"import os, sys; sys.path.insert(0, {packages!r})\n%load_ext omp_magic")
    kernel.run("%omp_guard raise")
    kernel.run("import same; same.threads()")
    lacking = kernel.run("import renamed")
    assert (lacking.status, lacking.ename) == ("error", "ImportError")
    assert "OMP101" not in lacking.evalue
    kernel.run(f"added = os.add_dll_directory({packages + chr(92) + 'libs'!r})")
    refused = kernel.run("import renamed")
    assert (refused.status, refused.ename) == ("error", "DuplicateRuntimeError")
    kernel.run("added.close()")
    assert kernel.run("import renamed").ename == "ImportError"


# Each extension module, as the import goes: what its load newly maps is held against what was said
# just before. What is loaded from inside another's start is the inner one's. Wine's own libraries
# have other imports than Microsoft's, so what is Windows' is left out.
PREDICTED = r"""
import json, sys
import inside
from importlib.machinery import ExtensionFileLoader
from omp_magic.loader import predict_dlopen

# Once before: what the question itself imports is no part of the answer.
predict_dlopen("kernel32")
original, told, within = ExtensionFileLoader.create_module, [], [set()]

def folded(paths):
    found = {each.replace("/", chr(92)).lower() for each in paths}
    return {each for each in found if not each.startswith(r"c:\windows")}

def create_module(loader, spec):
    expected, before = folded(predict_dlopen(spec.origin)), folded(inside.modules())
    within.append(set())
    try:
        return original(loader, spec)
    finally:
        mapped = folded(inside.modules()) - before
        inner = within.pop()
        within[-1] |= mapped
        told.append([spec.name, sorted(expected), sorted(mapped - inner)])

ExtensionFileLoader.create_module = create_module
import numpy, scipy.linalg, scipy.optimize, scipy.sparse.linalg, pandas, sklearn.cluster, zmq
print(json.dumps(told))
"""


def test_what_an_import_maps_is_foretold_for_each_extension_module() -> None:
    told = windows.value(PREDICTED, timeout=300)
    assert len(told) > 100
    wrong = [each for each in told if each[1] != each[2]]
    assert wrong == []
    # Not only the modules themselves.
    assert len([each for each in told if len(each[1]) > 1]) >= 3


@pytest.mark.parametrize(
    ("name", "new"),
    [("INTEL", ["libiomp5md.dll"]), ("SECOND", ["libiomp5md.dll"]), ("'kernel32'", []),
     ("'no-such.dll'", [])],
)  # fmt: skip
def test_what_ctypes_would_map_is_foretold(name: str, new: list[str]) -> None:
    told, again = windows.value(f"""
        import ctypes, json
        from inside import INTEL, SECOND
        from omp_magic.loader import predict_dlopen
        told = predict_dlopen({name})
        try:
            ctypes.CDLL({name})
        except OSError:
            pass
        print(json.dumps([told, predict_dlopen({name})]))
    """)
    assert [each.replace("\\", "/").rpartition("/")[2].lower() for each in told] == new
    assert again == []


def _path(windows_path: str) -> Path:
    return DRIVE / windows_path.removeprefix("C:\\").replace("\\", "/")
