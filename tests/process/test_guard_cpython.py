"""CPython's own tests of importing, with the guard in place and without; and hard situations."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from live import LINUX, run_python

pytestmark = [
    pytest.mark.skipif(not LINUX, reason="predictions are made on Linux only"),
    pytest.mark.timeout(600),
]

INSTALL = """
import sys
def guarded():
    import ctypes
    from omp_magic.guard.guard import Guard
    from omp_magic.hooks.loads import LOADS
    from omp_magic.machine import Machine
    from omp_magic.probes.observe import Observer
    alarms = []
    guard = Guard(Observer(Machine.here()), alarms.append)
    LOADS.add(guard)
    return guard, LOADS, alarms
"""
SUITE = (
    INSTALL
    + """
import io, json, unittest
if sys.argv[2] == "guarded":
    guard, _, alarms = guarded()
stream = io.StringIO()
suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])
result = unittest.TextTestRunner(stream=stream, verbosity=0).run(suite)
def names(pairs): return sorted(str(pair[0]) for pair in pairs)
print(json.dumps([result.testsRun, names(result.failures), names(result.errors),
                  names(result.skipped), sys.argv[2] == "bare" or guard.loads > 0]))
"""
)


@pytest.mark.parametrize(
    "name",
    # The import statement's tests are those of what it calls, and take an eighth of the time.
    [pytest.param("test.test_importlib", marks=pytest.mark.thorough), "test.test_import"],
)
def test_cpythons_own_tests_of_importing_give_the_same(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"this Python is without {name}")
    seen = []
    for how in ("bare", "guarded"):
        ended = run_python(SUITE, name, how, timeout=400)
        assert ended.code == 0, ended.err[-2000:]
        assert "not watched" not in ended.err
        seen.append(json.loads(ended.out.strip().split("\n")[-1]))
    bare, guarded = seen
    assert bare[0] > 50
    assert guarded == bare


def test_threads_that_import_at_once() -> None:
    """Of modules that do not import one another: NumPy's cycles fail at times without us, too."""
    modules = ["sqlite3", "bz2", "lzma", "zoneinfo", "decimal", "ssl", "cmath", "array", "mmap"]
    ended = run_python(
        INSTALL + "import numpy\nguard, hooks, alarms = guarded()\n"
        "import importlib, threading\n"
        "errors = []\n"
        "def load(name):\n"
        "    try: importlib.import_module(name)\n"
        "    except BaseException as error: errors.append(repr(error))\n"
        "def load_libraries():\n"
        "    for name in ('libm.so.6', 'libdl.so.2', 'libutil.so.1') * 20: ctypes.CDLL(name)\n"
        "import ctypes\n"
        f"threads = [threading.Thread(target=load, args=(name,)) for name in {modules!r} * 2]\n"
        "threads += [threading.Thread(target=load_libraries) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(errors, alarms, guard.loads > 240)",
        timeout=120,
    )
    assert ended.code == 0, ended.err
    assert ended.out.strip() == "[] [] True"
    assert "not watched" not in ended.err


def test_broken_files_and_folders_fail_as_they_do_without_the_guard(tmp_path: Path) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    (tmp_path / f"no_elf{suffix}").write_bytes(b"this is no shared object")
    (tmp_path / f"empty{suffix}").write_bytes(b"")
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"dangling{suffix}").symlink_to(tmp_path / "nowhere")
    code = (
        "import ctypes, importlib, json, zipfile\n"
        f"sys.path[:0] = [{str(tmp_path)!r}, {str(tmp_path / 'z.zip')!r}]\n"
        f"zipfile.ZipFile({str(tmp_path / 'z.zip')!r}, 'w').writestr('zipped.py', 'x = 1')\n"
        "def tried(load, *arguments):\n"
        "    try: return str(type(load(*arguments)))\n"
        "    except BaseException as error: return f'{type(error).__name__}: {error}'\n"
        "seen = [tried(importlib.import_module, name) for name in\n"
        "        ('no_elf', 'empty', 'folder', 'dangling', 'zipped', 'never')]\n"
        "seen += [tried(ctypes.CDLL, name) for name in\n"
        f"         ('libnever.so', {str(tmp_path)!r}, 'libc.so.6', '', 'x' * 5000)]\n"
        "print(json.dumps(seen))"
    )
    bare = run_python(INSTALL + code)
    guarded = run_python(INSTALL + "guard, hooks, alarms = guarded()\n" + code)
    assert bare.code == guarded.code == 0, guarded.err
    assert json.loads(guarded.out) == json.loads(bare.out)
    assert "not watched" not in guarded.err


def test_an_import_in_a_subinterpreter() -> None:
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    ended = run_python(
        INSTALL + f"guard, hooks, alarms = guarded()\nimport {name} as interpreters\n"
        "one = interpreters.create()\n"
        "interpreters.run_string(one, 'import math, zlib; print(math.pi > 3)')\n"
        "interpreters.destroy(one); print('done')"
    )
    assert (ended.code, ended.out.split()) == (0, ["True", "done"]), ended.err


def test_a_child_forked_while_another_thread_is_being_watched_imports() -> None:
    ended = run_python(
        INSTALL + "import os, threading\nguard, hooks, alarms = guarded()\n"
        "held, forked = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with guard._own_lock(): held.set(); forked.wait()\n"
        "thread = threading.Thread(target=hold); thread.start(); held.wait()\n"
        "pid = os.fork()\n"  # in the child the lock is held for ever
        "if not pid:\n"
        "    import _zoneinfo, _bz2, bz2\n"
        "    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); forked.set(); thread.join()",
        timeout=60,
    )
    assert (ended.code, ended.out.strip()) == (0, "7"), ended.err
