"""What a dlopen would map, against what it then maps: real packages, and libraries made here."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from environments import POOLS, environment
from hypothesis import given, settings
from hypothesis import strategies as st
from live import LINUX, run_program
from places import ROOT, TESTS

from omp_magic.errors import ParseError
from omp_magic.loader.dlopens import UnknownLoaderError
from omp_magic.loader.files import Disk
from omp_magic.loader.glibc import Glibc
from omp_magic.loader.imports import LoaderModel, predict_dlopen
from omp_magic.loader.sharedobjects import WrongMachineError, read_object
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here

GLIBC = LINUX and native_here().global_symbol("gnu_get_libc_version") is not None
pytestmark = pytest.mark.skipif(not GLIBC, reason="follows glibc's loader: Linux with glibc only")
MODEL = LoaderModel(Machine.here(), native_here() if LINUX else None)
WATCHED = TESTS / "watched.py"

STEPS = """
import ctypes, json, os, sys
from omp_magic.machine import Machine
from omp_magic.machine.here import native_here
from omp_magic.loader.imports import LoaderModel
class Info(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("name", ctypes.c_char_p)]
def loaded():
    "Names in the loader's own order, by another way than the model's."
    names = []
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
    look = kind(lambda info, size, data: names.append(os.fsdecode(info[0].name)) or 0)
    ctypes.PyDLL(None).dl_iterate_phdr(look, None)
    return names
def step(name):
    if name.startswith("!"):
        return exec(name[1:])
    told = model.predict(name)
    before, error = loaded(), None
    try:
        handles[name] = ctypes.CDLL(name)
    except OSError as failed:
        error = str(failed)
    new = [os.path.realpath(each) for each in loaded() if each not in before]
    return [list(told.new), told.missing, told.known, new, error]
handles = {}
model = LoaderModel(Machine.here(), native_here())
print(json.dumps([done for done in map(step, sys.argv[1:]) if done is not None]))
"""


def steps(*names: str | Path, **env: str) -> list[list[str]]:
    """Load things in a child; each must map what was told before. Give the names of the new.

    What begins with ``!`` is run there instead. A load that fails gives its missing library.
    """
    command = [sys.executable, "-c", STEPS, *map(str, names)]
    ended = run_program(command, 120, {"PYTHONPATH": str(ROOT), **env})
    assert ended.code == 0, ended.err
    seen = []
    for told, missing, known, new, error in json.loads(ended.out):
        assert known
        assert told == new
        assert (missing is None) == (error is None), (missing, error)
        seen.append(
            ["!", os.path.basename(missing)] if missing else [os.path.basename(n) for n in new]
        )
    return seen


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Give a function that builds a library, by its path below the test's folder."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc to build libraries with")
    source = tmp_path / "part.c"

    def make(
        name: str, *needed: Path, soname: str = "", rpath: str = "", runpath: str = ""
    ) -> Path:
        made = tmp_path / name
        made.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(f"int f_{abs(hash(name))}(void) {{ return 1; }}")
        options = [f"-Wl,-soname,{soname}"] if soname else []
        if rpath or runpath:
            tags = "--disable-new-dtags" if rpath else "--enable-new-dtags"
            options += [f"-Wl,{tags},-rpath,{rpath or runpath}"]
        for each in needed:
            options += [f"-L{each.parent}", f"-l:{each.name}"]
        flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--no-as-needed"]
        command = [gcc, *flags, str(source), "-o", str(made), *options]
        subprocess.run(command, check=True)
        return made

    return make


def test_dependencies_are_told_in_the_order_of_loading(build: Build) -> None:
    last = build("a/last.so")
    left = build("a/left.so", last, runpath="$ORIGIN")
    right = build("a/right.so", runpath="$ORIGIN")
    top = build("top.so", left, right, runpath="${ORIGIN}/../" + f"{left.parent.parent.name}/a")
    assert steps(top, top) == [["top.so", "left.so", "right.so", "last.so"], []]


def test_an_rpath_counts_for_what_is_below_and_a_runpath_does_not(build: Build) -> None:
    leaf = build("a/leaf.so")
    middle = build("a/middle.so", leaf)
    old = build("old.so", middle, rpath="$ORIGIN/a")
    new = build("new.so", middle, runpath="$ORIGIN/a")
    assert steps(old) == [["old.so", "middle.so", "leaf.so"]]
    assert steps(new) == [["!", "leaf.so"]]
    # What failed is unmapped again, and what is loaded already is found without a path.
    assert steps(new, leaf, new) == [["!", "leaf.so"], ["leaf.so"], ["!", "leaf.so"]]
    assert steps(old, new) == [["old.so", "middle.so", "leaf.so"], ["new.so"]]


def test_a_runpath_silences_the_rpaths_above(build: Build) -> None:
    leaf = build("a/leaf.so")
    middle = build("a/middle.so", leaf, runpath="$ORIGIN/nowhere")
    top = build("top.so", middle, rpath="$ORIGIN/a")
    assert steps(top) == [["!", "leaf.so"]]


def test_the_rpath_of_who_calls_dlopen_counts_for_what_it_asks_for_and_no_further(
    build: Build, gcc: str, tmp_path: Path
) -> None:
    leaf = build("a/leaf.so")
    build("a/middle.so", leaf)
    source, caller = tmp_path / "caller.c", tmp_path / "caller.so"
    source.write_text(
        "void *dlopen(const char *, int);\n"
        "void *open_it(const char *name) { return dlopen(name, 2); }\n"
    )
    flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/a"]
    subprocess.run([gcc, *flags, str(source), "-o", str(caller)], check=True)
    ask = (
        f"!caller = ctypes.CDLL({str(caller)!r})\n"
        "caller.open_it.restype = ctypes.c_void_p\n"
        "def opened(name, caller=caller):\n"
        f"    told = model.predict(name, {str(caller)!r})\n"
        "    before, handle = loaded(), caller.open_it(name.encode())\n"
        "    assert bool(handle) == (told.missing is None), (told, handle)\n"
        "    assert list(told.new) == [each for each in loaded() if each not in before], told\n"
    )
    assert steps(f"{ask}opened('middle.so'); opened('leaf.so'); opened('middle.so')") == []


def test_an_equal_soname_is_used_again(build: Build) -> None:
    mine = build("mine/leaf.so", soname="leaf.so")
    theirs = build("theirs/other.so", soname="leaf.so")
    top = build("top.so", mine, runpath="$ORIGIN/mine")
    assert steps(theirs, top) == [["other.so"], ["top.so"]]
    assert steps(top, theirs) == [["top.so", "leaf.so"], ["other.so"]]


def test_links_of_a_loaded_file_are_the_same_library(build: Build, tmp_path: Path) -> None:
    leaf = build("leaf.so")
    hard, soft = tmp_path / "hard.so", tmp_path / "b" / "soft.so"
    soft.parent.mkdir()
    os.link(leaf, hard)
    soft.symlink_to(leaf)
    finds = build("finds.so", soft, runpath="$ORIGIN/b")
    knows = build("knows.so", soft)
    assert steps(leaf, hard, soft) == [["leaf.so"], [], []]
    # Found by a search, the name is remembered, and serves one who could not have found it.
    assert steps(leaf, knows, finds, knows) == [
        ["leaf.so"], ["!", "soft.so"], ["finds.so"], ["knows.so"],
    ]  # fmt: skip
    assert steps(soft, leaf) == [["leaf.so"], []]


def test_folders_by_processor_come_first(build: Build) -> None:
    plain = build("a/leaf.so")
    top = build("top.so", plain, runpath="$ORIGIN/a")
    # Those before 2.37 first, by rising preference: each one must win over the last.
    names = ["avx512_1", "x86_64", "haswell", "tls", "tls/x86_64", "glibc-hwcaps/x86-64-v2"]
    for number, folder in enumerate(names):
        build(f"a/{folder}/leaf.so")
        told = steps(top)
        assert told == [["top.so", "leaf.so"]], (number, folder)


def test_names_of_the_cache_and_of_the_default_folders() -> None:
    cached = ["libgomp.so.1", "libstdc++.so.6", "libgcc_s.so.1", "libresolv.so.2"]
    told = steps(*cached, "libno-such-library.so.9")
    assert told[-1] == ["!", "libno-such-library.so.9"]
    assert sum(map(len, told[:-1])) >= 1


def test_the_library_path_is_that_of_the_start(build: Build) -> None:
    leaf = build("a/leaf.so")
    top = build("top.so", leaf)
    late = f"!os.environ['LD_LIBRARY_PATH'] = {str(leaf.parent)!r}"
    assert steps(late, top, "leaf.so") == [["!", "leaf.so"], ["!", "leaf.so"]]
    found = {"LD_LIBRARY_PATH": f"/nowhere;{leaf.parent}"}
    assert steps(top, **found) == [["top.so", "leaf.so"]]
    assert steps("leaf.so", top, **found) == [["leaf.so"], ["top.so"]]


def test_the_library_path_comes_after_an_rpath_and_before_a_runpath(
    build: Build, tmp_path: Path
) -> None:
    """The order of ld.so(8); the two files of one name are told apart by what a link leads to."""
    own = build("own/leaf.so")
    theirs = build("real/theirs.so")
    link = tmp_path / "theirs" / "leaf.so"
    link.parent.mkdir()
    link.symlink_to(theirs)
    old = build("old.so", own, rpath="$ORIGIN/own")
    new = build("new.so", own, runpath="$ORIGIN/own")
    found = {"LD_LIBRARY_PATH": str(link.parent)}
    assert steps(old, **found) == [["old.so", "leaf.so"]]
    assert steps(new, **found) == [["new.so", "theirs.so"]]
    assert steps(new) == [["new.so", "leaf.so"]]
    # The model of what is only installed, and not loaded, has the same order.
    for top, leaf in ((old, own), (new, link)):
        process = Glibc(Disk(), found)
        assert process.load(str(top)) is not None
        assert [each.path for each in process.loaded] == [str(top), str(leaf)]


def test_another_machines_files_are_passed_over(build: Build) -> None:
    leaf = build("good/leaf.so")
    top = build("top.so", leaf, runpath="$ORIGIN/bad:$ORIGIN/good")
    for place, value in ((18, 0xB7), (4, 1)):  # e_machine: ARM; the class: 32 bits
        data = bytearray(leaf.read_bytes())
        data[place] = value
        bad = leaf.parent.parent / "bad" / "leaf.so"
        bad.parent.mkdir(exist_ok=True)
        bad.write_bytes(data)
        assert steps(top) == [["top.so", "leaf.so"]]
        assert steps(bad) == [["!", "leaf.so"]]


@pytest.mark.parametrize("kind", ["text", "empty", "folder", "cut", "object"])
def test_what_cannot_be_loaded_ends_the_search(build: Build, kind: str) -> None:
    leaf = build("good/leaf.so")
    top = build("top.so", leaf, runpath="$ORIGIN/bad:$ORIGIN/good")
    bad = leaf.parent.parent / "bad" / "leaf.so"
    if kind == "folder":
        bad.mkdir(parents=True)
    else:
        data = bytearray(leaf.read_bytes())
        data[16] = 1 if kind == "object" else 3  # ET_REL
        bad.parent.mkdir()
        bad.write_bytes(
            {"text": b"no library" * 9, "empty": b"", "cut": bytes(data[:70])}.get(
                kind, bytes(data)
            )
        )
    assert steps(bad, top) == [["!", "leaf.so"], ["!", "leaf.so"]]


def test_executables_are_refused_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    assert steps(os.path.realpath(sys.executable))[0][0] == "!"
    os.mkfifo(tmp_path / "pipe.so")
    model = LoaderModel(Machine.here(), native_here())
    assert model.predict(str(tmp_path / "pipe.so")).missing == str(tmp_path / "pipe.so")
    for odd in ("", None, "a\0b", "/", "x" * 5000, "/proc/self/mem", os.fspath(tmp_path)):
        told = model.predict(odd)
        assert told.new == ()
        assert (odd in ("", None)) == (told.known and told.missing is None)


@settings(deadline=None, max_examples=200)
@given(noise=st.binary(min_size=1, max_size=40), data=st.data())
def test_any_damage_is_an_error_of_ours(noise: bytes, data: st.DataObject) -> None:
    ours = Path(sysconfig.get_path("platlib"), "numpy").rglob("*.so")
    whole = bytearray(min(ours, key=os.path.getsize).read_bytes())
    at = data.draw(st.one_of(st.integers(0, 700), st.integers(0, len(whole))))
    whole[at : at + len(noise)] = noise
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(whole)
        file.flush()
        with suppress(ParseError, WrongMachineError, OSError):
            read_object(file.name)
        told = MODEL.predict(file.name)
    assert told.known
    assert told.new or told.missing


def test_libraries_that_need_each_other(build: Build) -> None:
    build("a/two.so")
    one = build("a/one.so", build("a/two.so"), runpath="$ORIGIN")
    build("a/two.so", one, runpath="$ORIGIN")
    assert steps(one) == [["one.so", "two.so"]]


def test_a_replaced_file_is_another_library_and_its_path_is_not(
    build: Build, tmp_path: Path
) -> None:
    first, second = build("lib.so"), build("new/lib.so")
    link = tmp_path / "link.so"
    link.symlink_to(first)
    replace = f"!os.replace({str(second)!r}, {str(first)!r})"
    # The path is a name that the loader knows; by a link it finds the new file.
    assert steps(first, replace, first, link) == [["lib.so"], [], ["lib.so"]]


def test_what_was_unloaded_is_new_again(build: Build) -> None:
    leaf = build("leaf.so")
    top = build("top.so", leaf, runpath="$ORIGIN")
    close = f"!import _ctypes; _ctypes.dlclose(handles[{str(top)!r}]._handle)"
    both = ["top.so", "leaf.so"]
    assert steps(top, leaf, close, top) == [both, [], ["top.so"]]
    assert steps(top, close, leaf, top) == [both, ["leaf.so"], ["top.so"]]


def test_another_file_at_an_unloaded_ones_path_and_address_is_read_anew(
    build: Build, tmp_path: Path
) -> None:
    path, other = build("lib.so", soname="one.so"), tmp_path / "other.so"
    other.write_bytes(path.read_bytes().replace(b"one.so", b"two.so"))
    swap = (
        f"!import _ctypes; _ctypes.dlclose(handles[{str(path)!r}]._handle)\n"
        f"os.replace({str(other)!r}, {str(path)!r}); handles['two'] = ctypes.CDLL({str(path)!r})"
    )
    look = "!model.predict('libno-such-library.so.9')"  # so that the first one is known by then
    told = steps(path, look, swap, "two.so", "one.so")
    assert told == [["lib.so"], [], ["!", "one.so"]]


def test_loads_that_nobody_told_of_are_seen(build: Build) -> None:
    one, two, three = build("one.so"), build("two.so"), build("three.so", soname="name.so")
    # Told and not loaded, and another one loaded instead: the counters look as expected.
    told = f"!model.predict({str(one)!r}); ctypes.CDLL({str(two)!r})"
    assert steps(told, two, one, three, "name.so") == [[], ["one.so"], ["three.so"], []]


def test_the_path_that_the_kernel_shows_is_told(build: Build, tmp_path: Path) -> None:
    leaf = build("real/leaf.so")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert predict_dlopen(str(tmp_path / "link" / ".." / "real" / "leaf.so")) == (str(leaf),)
    assert predict_dlopen(tmp_path / "link" / "leaf.so") == (str(leaf),)
    assert predict_dlopen("libc.so.6") == ()


def test_a_relative_path_begins_at_the_current_folder(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = build("leaf.so")
    top = build("top.so", leaf, runpath="$ORIGIN")
    monkeypatch.chdir(tmp_path)
    assert predict_dlopen("./top.so") == (str(top), str(leaf))


def test_telling_changes_nothing(build: Build) -> None:
    leaf = build("leaf.so")
    native = native_here()
    model = LoaderModel(Machine.here(), native)
    before = native.loader_changes(), os.listdir("/proc/self/fd")
    assert model.predict(leaf).new == (str(leaf),)
    assert model.predict("leaf.so").missing == "leaf.so"
    assert (native.loader_changes(), os.listdir("/proc/self/fd")) == before


def test_other_machines_are_not_known(tmp_path: Path) -> None:
    model = LoaderModel(Machine(tmp_path), native_here())
    told = model.predict("libc.so.6")
    assert (told.known, told.new) == (False, ())
    assert told.why is not None
    assert not LoaderModel(Machine.here(), None).predict("libc.so.6").known
    with pytest.raises(UnknownLoaderError, match="running process"):
        predict_dlopen("libc.so.6", Machine(tmp_path))


def watched(python: str, modules: tuple[str, ...]) -> dict[str, Any]:
    """Import modules in a child that tells before each load, and looks after it."""
    env = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    ended = run_program([python, str(WATCHED), *modules], 120, env)
    assert ended.code == 0, ended.err
    seen: dict[str, Any] = json.loads(ended.out.strip().split("\n")[-1])
    assert not seen["failed"]
    return seen


HERE = ("numpy", "scipy.linalg", "sklearn.cluster", "faiss")
WITH_TORCH = ("sklearn.cluster", "faiss", "xgboost", "numba.np.ufunc.omppool", "cv2")


def all_told(python: str, modules: tuple[str, ...]) -> None:
    seen = watched(python, modules)
    assert (seen["wrong"], seen["missed"], seen["unknown"]) == ([], [], [])
    assert seen["objects"] >= seen["loads"] > 5


# In a row and in its reverse each comes before each; the pairs alone are as many programs again.
@pytest.mark.parametrize("row", [HERE, HERE[::-1]], ids="+".join)
def test_every_load_is_told_exactly(row: tuple[str, ...]) -> None:
    all_told(sys.executable, row)


@pytest.mark.parametrize(
    "row", [("torch", *WITH_TORCH), (*WITH_TORCH[::-1], "torch")], ids=["first", "last"]
)
def test_every_load_beside_torch_is_told_exactly(row: tuple[str, ...]) -> None:
    all_told(environment("pools", POOLS), row)


@pytest.mark.thorough
@pytest.mark.parametrize("pair", list(itertools.permutations(HERE, 2)), ids="+".join)
def test_every_load_of_two_packages_is_told_exactly(pair: tuple[str, str]) -> None:
    all_told(sys.executable, pair)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "pair",
    [pair for each in WITH_TORCH for pair in ((each, "torch"), ("torch", each))],
    ids="+".join,
)
def test_every_load_of_a_pair_with_torch_is_told_exactly(pair: tuple[str, str]) -> None:
    all_told(environment("pools", POOLS), pair)
