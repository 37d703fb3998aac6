"""What is told of an extension module by a glance at its file, against the loader itself."""

from __future__ import annotations

import json
import os
import random
import sysconfig
from pathlib import Path

import pytest
from live import LINUX, run_python

if LINUX:
    from omp_magic.loader.needed import C_LIBRARY, glance
    from omp_magic.loader.sharedobjects import read_object

pytestmark = pytest.mark.skipif(not LINUX, reason="follows glibc's loader: Linux only")
FOLDERS = [Path(sysconfig.get_path(name)) for name in ("platlib", "platstdlib")]
OBJECTS = sorted(
    {str(path) for folder in FOLDERS for path in folder.rglob("*.so") if path.is_file()}
)


def test_a_glance_tells_what_the_long_way_tells() -> None:
    assert len(OBJECTS) > 100
    for path in OBJECTS:
        try:
            whole = read_object(path)
        except ValueError:
            continue
        seen = glance(path)
        assert (seen.identity, seen.soname) == (whole.identity, whole.dynamic.soname), path
        beyond = [each for each in whole.dynamic.needed if os.fsencode(each) not in C_LIBRARY]
        assert list(seen.needed) == beyond, path


def test_a_broken_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    """The long way is then gone; no other error may come out of the hooks."""
    chance = random.Random(14)
    data = Path(min(OBJECTS, key=lambda path: os.stat(path).st_size)).read_bytes()
    place = tmp_path / "broken.so"
    for number in range(300):
        broken = bytearray(data[: chance.randrange(len(data))] if number % 2 else data)
        for _ in range(20 if number % 3 else 0):
            if broken:
                broken[chance.randrange(min(4096, len(broken)))] = chance.randrange(256)
        place.write_bytes(broken)
        try:
            glance(str(place))
        except (OSError, ValueError):
            continue


IMPORTED = """
import ctypes, json, os, sys
from importlib.machinery import ExtensionFileLoader
from omp_magic.guard.foresight import Foresight
from omp_magic.loader.imports import LoaderModel
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
class Info(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("name", ctypes.c_char_p)]
def loaded():
    names = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
    look = kind(lambda info, size, data: names.append(os.fsdecode(info[0].name)) or 0)
    ctypes.PyDLL(None).dl_iterate_phdr(look, None)
    return names
foresight, wrong, alone = Foresight(Machine.here(), native_here()), [], 0
create = ExtensionFileLoader.create_module
def created(self, spec):
    global alone
    only, before = foresight._brings_only_itself(spec.origin), loaded()
    told = None if only else foresight._model.predict(spec.origin).new
    made = create(self, spec)
    new = [each for each in loaded() if each not in before]
    alone += only
    if only and [each for each in new if "/libm." not in each] != [spec.origin]:
        wrong.append([spec.name, new])
    if told is not None and list(map(os.path.realpath, new)) != list(told):
        wrong.append([spec.name, new, told])
    return made
ExtensionFileLoader.create_module = created
import sklearn.cluster
foresight._model._loaded.settle()
fresh = LoaderModel(Machine.here(), native_here())
kept = foresight._model
print(json.dumps([wrong, alone, set(kept.names) >= set(fresh.names)]))
"""


def test_what_is_let_pass_maps_nothing_but_itself() -> None:
    ended = run_python(IMPORTED)
    assert ended.code == 0, ended.err
    wrong, alone, known = json.loads(ended.out)
    assert wrong == []
    assert alone > 100
    assert known


HOOKED = """
import json, sys
from omp_magic.hooks.loads import Hooks
from omp_magic.hooks.watcher import Watcher
told, hooks = [], Hooks()
class Outer(Watcher):
    def before_import(self, name): told.append(["begin", name])
    def after_import(self, name): told.append(["end", name])
class Inner(Watcher):
    sources = {"email"}
    def before_source(self, name): told.append(["run", name])
    def after_source(self, name): told.append(["ran", name])
class Broken(Watcher):
    def before_import(self, name): raise ValueError("ours")
class Idle(Watcher):
    pass
outer, inner, broken, idle = Outer(), Inner(), Broken(), Idle()
def given():
    them = list(told)
    told.clear()
    return them
"""


def seen(code: str) -> list[list[list[str]]]:
    ended = run_python(HOOKED + code)
    assert ended.code == 0, ended.err
    found: list[list[list[str]]] = json.loads(ended.out.strip().split("\n")[-1])
    return found


def test_the_outermost_import_is_told_once_with_all_that_it_brings() -> None:
    first, again, failed, thread, gone = seen(
        "hooks.add(broken); hooks.add(outer)\n"
        "import mailbox; first = given()\n"
        "import mailbox; again = given()\n"
        "import os, tempfile, threading, zipapp; folder = tempfile.mkdtemp()\n"
        "sys.path.insert(0, folder)\n"
        "open(folder + '/fails.py', 'w').write('import csv, poplib; 1 / 0'); given()\n"
        "try:\n    import fails\nexcept ZeroDivisionError:\n    pass\n"
        "failed = given()\n"
        "open(folder + '/starts.py', 'w').write('import threading\\n'\n"
        "    'def run(): import imaplib\\n'\n"
        "    't = threading.Thread(target=run); t.start(); t.join()\\n')\n"
        "import starts; thread = given()\n"
        "hooks.remove(outer); hooks.remove(broken); import plistlib; gone = given()\n"
        "print(json.dumps([first, again, failed, thread, gone]))"
    )
    assert first == [["begin", "mailbox"], ["end", "mailbox"]]
    assert again == gone == []
    assert failed == [["begin", "fails"], ["end", "fails"]]
    assert thread == [
        ["begin", "starts"], ["begin", "imaplib"], ["end", "imaplib"], ["end", "starts"],
    ]  # fmt: skip


def test_a_watcher_is_told_of_the_packages_that_it_names() -> None:
    some, others, late = seen(
        "import string\nhooks.add(idle); hooks.add(inner)\n"
        "import email.iterators; some = given()\n"
        "import plistlib; others = given()\n"
        "inner.sources = {'mailcap', 'netrc'}; import netrc; late = given()\n"
        "print(json.dumps([some, others, late]))"
    )
    assert some[0] == ["run", "email"]
    assert ["ran", "email.iterators"] in some
    assert others == []
    assert late == [["run", "netrc"], ["ran", "netrc"]]
