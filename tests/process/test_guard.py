"""What the guard tells of real runtimes that are loaded in a child, and when it tells again."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from building import python_extension
from live import LINUX, MAPPED_OPENMP, run_python

pytestmark = pytest.mark.skipif(not LINUX, reason="reads /proc: Linux only")

GUARDED = f"""
import _ctypes, ctypes, importlib, json, os, sys
from omp_magic.guard.guard import Guard
from omp_magic.hooks.loads import LOADS
from omp_magic.loader.sharedobjects import read_object
from omp_magic.machine import Machine
from omp_magic.probes.observe import Observer
alarms = []
def report(alarm): alarms.append([alarm.what, [[f.code, f.title] for f in alarm.findings]])
guard = Guard(Observer(Machine.here()), report)
LOADS.add(guard)
def told():
    "Give what was told since this was asked before, and forget it."
    given = list(alarms)
    alarms.clear()
    return given
def mapped(): return {MAPPED_OPENMP}
def tried(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        return type(error).__name__
    return "ok"
"""


def seen(code: str, *arguments: str) -> Any:
    """Run a program below a guard and give the JSON that it prints."""
    ended = run_python(GUARDED + code, *arguments)
    assert ended.code == 0, ended.err
    assert "not watched" not in ended.err
    return json.loads(ended.out)


def codes(alarms: list[Any]) -> list[tuple[str, list[str]]]:
    return [(what, [code for code, _ in findings]) for what, findings in alarms]


def test_libiomp5_behind_a_global_libomp_is_told_of(libiomp5: str, libomp: str) -> None:
    """Its first use hangs and ends nothing, so there is no Error #15 to be read afterwards."""
    first = (
        "first = ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL); first.omp_get_max_threads()\n"
        "guard.after_cell()\n"
        "before = told()\n"
    )
    before, watched = seen(
        f"{first}ctypes.CDLL(sys.argv[2], ctypes.RTLD_GLOBAL)\nprint(json.dumps([before, told()]))",
        libomp,
        libiomp5,
    )
    assert before == []
    assert codes(watched) == [(f"ctypes.CDLL({libiomp5!r})", ["OMP103"])]
    before, past = seen(
        f"{first}_ctypes.dlopen(sys.argv[2], ctypes.RTLD_GLOBAL)\nunseen = told()\n"
        "guard.after_cell()\nprint(json.dumps([unseen, told()]))",
        libomp,
        libiomp5,
    )
    assert before == []
    assert codes(past) == [("this cell", ["OMP103"])]


def test_a_second_danger_of_the_same_code_is_told_and_the_first_not_again(
    libiomp5: str, libomp: str, tmp_path: Path
) -> None:
    """What two copies will do, and what a third will do once one of them has started."""
    copy = shutil.copy(libomp, tmp_path)
    first, same, second, again = seen(
        "intel = ctypes.CDLL(sys.argv[1]); _ctypes.dlopen(sys.argv[2], 0)\n"
        "guard.after_cell(); first = told()\n"
        "_ctypes.dlclose(_ctypes.dlopen('libutil.so.1', 0))\n"
        "guard.after_cell(); same = told()\n"
        "intel.omp_get_max_threads(); _ctypes.dlopen(sys.argv[3], 0)\n"
        "guard.after_cell(); second = told()\n"
        "guard.after_cell(); print(json.dumps([first, same, second, told()]))",
        libiomp5,
        libomp,
        str(copy),
    )
    assert codes(first) == codes(second) == [("this cell", ["OMP101"])]
    (one,), (other,) = ([title for _, title in each[0][1]] for each in (first, second))
    assert one.startswith("This kernel will die once both ")
    assert other.startswith("This kernel will die at the first call of")
    assert same == again == []


@pytest.mark.parametrize("started", ["", "started"])
def test_a_third_copy_is_told_by_its_own_name_and_once(
    libomp: str, tmp_path: Path, started: str
) -> None:
    """The files are called alike; what differs are their folders."""
    copies = []
    for name in ("forest", "solver", "river"):
        (tmp_path / name).mkdir()
        copies.append(shutil.copy(libomp, tmp_path / name / "libomp.so"))
    alarms, titles = seen(
        "first = ctypes.CDLL(sys.argv[1])\n"
        "if sys.argv[4]: first.omp_get_max_threads()\n"
        "for path in sys.argv[2:4]: ctypes.CDLL(path); guard.after_cell()\n"
        "titles = [each.title for each in guard._observer.take().libraries]\n"
        "print(json.dumps([told(), titles]))",
        *map(str, copies),
        started,
    )
    assert [what for what, _ in alarms] == [
        f"ctypes.CDLL({path!r})" for path in map(str, copies[1:])
    ]
    for name, (_, findings) in zip(("solver", "river"), alarms, strict=True):
        ((code, title),) = findings
        assert code == "OMP101"
        assert [each for each in ("forest", "solver", "river") if f"{each}/libomp.so" in title] == [
            name
        ]
    assert titles == [f"LLVM libomp ({name}/libomp.so)" for name in ("forest", "solver", "river")]


@pytest.fixture
def extension(gcc: str, tmp_path: Path, libiomp5: str) -> str:
    """The folder of a module, ext_intel, that is linked with a libiomp5 beside it."""
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        pytest.skip("no Python.h: extension modules cannot be built")
    return python_extension(gcc, tmp_path / "intel", "ext_intel", libiomp5)


def test_a_runtime_that_was_unloaded_is_told_of_when_it_comes_again(
    extension: str, libiomp5: str, libomp: str
) -> None:
    """What was loaded once is no reason to let a module pass that needs it."""
    loaded, kept, gone, alarms, back = seen(
        "llvm = ctypes.CDLL(sys.argv[1]); llvm.omp_get_max_threads()\n"
        "intel = ctypes.CDLL(sys.argv[2])\n"
        "ctypes.CDLL('libm.so.6')  # its prediction reads the names that are loaded by now\n"
        "loaded, kept = mapped(), 'libiomp5.so' in guard.foresight.names\n"
        "_ctypes.dlclose(intel._handle); gone = mapped()\n"
        "sys.path.insert(0, sys.argv[3]); told(); import ext_intel\n"
        "print(json.dumps([loaded, kept, gone, told(), mapped()]))",
        libomp,
        libiomp5,
        extension,
    )
    assert loaded == back == ["libiomp5.so", "libomp.so"]
    assert kept
    assert gone == ["libomp.so"]
    assert codes(alarms) == [("import ext_intel", ["OMP101"])]


def test_a_runtime_that_is_imported_itself_is_refused(
    libiomp5: str, libomp: str, tmp_path: Path
) -> None:
    """As walking through a package's modules does: Python takes any .so for a module.

    All that it needs is loaded, as for most modules; it is the file itself that matters. The
    import fails for want of an init function, and the runtime would stay mapped.
    """
    shutil.copy(libomp, tmp_path / "libomp.so")
    program = (
        "intel = ctypes.CDLL(sys.argv[1]); intel.omp_get_max_threads()\n"
        "sys.path.insert(0, sys.argv[2]); file = os.path.join(sys.argv[2], 'libomp.so')\n"
        "needed = [ctypes.CDLL(name)._name for name in read_object(file).dynamic.needed]\n"
        "ctypes.CDLL('libm.so.6'); known = set(needed) <= set(guard.foresight.names)\n"
        "guard.mode = sys.argv[3]; how = tried('libomp')\n"
        "print(json.dumps([known, how, told(), mapped()]))"
    )
    known, how, alarms, mapped = seen(program, libiomp5, str(tmp_path), "raise")
    assert known
    assert (how, alarms, mapped) == ("DuplicateRuntimeError", [], ["libiomp5.so"])
    known, how, alarms, mapped = seen(program, libiomp5, str(tmp_path), "warn")
    assert known
    assert (how, mapped) == ("ImportError", ["libiomp5.so", "libomp.so"])
    assert codes(alarms) == [("import libomp", ["OMP101"])]
