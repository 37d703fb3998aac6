"""What somebody says of another system and of its files: understood, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from binaries import X86_64, dylib, universal
from facts_for_tests import library
from madewheels import make_wheel
from memoryfiles import MemoryFiles

import omp_magic
from omp_magic.cli.main import main
from omp_magic.errors import RequestError
from omp_magic.facts.targets import TARGETS, parse_python, parse_target
from omp_magic.foreseen.systems import suited, systems_of
from omp_magic.foreseen.targets import target_of
from omp_magic.formats.binaries import Binary
from omp_magic.installed.layout import image_root_of, prefix_of, python_of, sites_in
from omp_magic.loader.here import this_target
from omp_magic.views.systems import short_of


@pytest.mark.parametrize("name", TARGETS)
def test_each_targets_own_name_is_understood(name: str) -> None:
    assert parse_target(name).name == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mac", "macos-arm64"),
        ("macOS", "macos-arm64"),
        ("apple silicon mac", "macos-arm64"),
        ("macos m2", "macos-arm64"),
        ("intel mac", "macos-x86_64"),
        ("osx-arm64", "macos-arm64"),
        ("osx-64", "macos-x86_64"),
        ("darwin-aarch64", "macos-arm64"),
        ("arm64-apple-darwin23", "macos-arm64"),
        ("macosx_14_0_arm64", "macos-arm64"),
        ("macosx_10_9_x86_64", "macos-x86_64"),
        ("win", "windows-x86_64"),
        ("win_amd64", "windows-x86_64"),
        ("win-64", "windows-x86_64"),
        ("Windows x64", "windows-x86_64"),
        ("linux", "linux-x86_64"),
        ("linux-64", "linux-x86_64"),
        ("linux-arm64", "linux-aarch64"),
        ("linux/amd64", "linux-x86_64"),
        ("manylinux_2_28_x86_64", "linux-x86_64"),
        ("manylinux2014_aarch64", "linux-aarch64"),
        ("x86_64-pc-windows-msvc", "windows-x86_64"),
        ("x86_64-unknown-linux-gnu", "linux-x86_64"),
    ],
)
def test_the_usual_other_names_are_understood(text: str, name: str) -> None:
    assert parse_target(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "beos",
        "macos-arm46",
        "macos-linux",
        "windows-arm64",
        "linux-x86_64-arm64",
        "arm64",
        "os",
    ],
)
def test_what_is_no_system_is_refused_with_all_that_are(text: str) -> None:
    with pytest.raises(RequestError, match="linux-aarch64, macos-arm64") as refused:
        parse_target(text)
    assert "\n" not in str(refused.value)
    assert "example: --target macos-arm64" in str(refused.value)


@pytest.mark.parametrize("text", ["", "2.7", "3", "3.12.1", "three", "3.123"])
def test_what_is_no_version_of_python_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--python 3\.12"):
        parse_python(text)


def test_a_target_has_what_is_said_of_it() -> None:
    target = target_of(
        "mac", python="3.10", environ={"A": "1"}, has=["macports-libomp"], lacks=["homebrew-libomp"]
    )
    assert (target.python, target.python_known, dict(target.environ)) == ((3, 10), True, {"A": "1"})
    assert target.has == {"macports-libomp"}
    assert target.lacks == {"homebrew-libomp"}
    here = this_target()
    assert target_of(None).local
    assert not target_of(None).named
    if here.name in TARGETS:
        assert target_of(here.name).local
        assert not target_of(here.name, lacks=["system-libgomp"]).local


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"has": ["brew"]}, "found 'brew'"),
        ({"lacks": ["homebrew-libopm"]}, "did you mean homebrew-libomp?"),
        ({"has": ["homebrew-libomp"], "lacks": ["homebrew-libomp"]}, "one of the two"),
        ({"python": "2.7"}, "found '2.7'"),
    ],
)
def test_what_is_said_wrongly_of_a_target_is_refused(facts: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError) as refused:
        target_of("mac", **facts)  # type: ignore[arg-type]  # a row of the table
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


LAYOUTS = {
    "a virtual environment": (
        ["venv/lib/python3.12/site-packages/numpy-2.0.dist-info/METADATA"],
        "/venv",
        ["/venv/lib/python3.12/site-packages"],
        (3, 12),
        "/venv",
    ),
    "its folder of packages": (
        ["venv/lib/python3.9/site-packages/numpy-2.0.dist-info/METADATA"],
        "/venv/lib/python3.9/site-packages/",
        ["/venv/lib/python3.9/site-packages"],
        (3, 9),
        "/venv",
    ),
    "one of Windows": (
        ["venv/Lib/site-packages/numpy/_core.cp311-win_amd64.pyd"],
        "/venv",
        ["/venv/Lib/site-packages"],
        (3, 11),
        "/venv",
    ),
    "conda's": (
        ["mamba/envs/x/lib/python3.13/site-packages/numpy/_core.cpython-313-darwin.so"],
        "/mamba/envs/x",
        ["/mamba/envs/x/lib/python3.13/site-packages"],
        (3, 13),
        "/mamba/envs/x",
    ),
    "an image of Debian": (
        [
            "image/etc/passwd",
            "image/usr/lib/x86_64-linux-gnu/libc.so.6",
            "image/usr/lib/python3/dist-packages/apt/__init__.py",
            "image/usr/local/lib/python3.11/site-packages/numpy-2.0.dist-info/METADATA",
        ],
        "/image",
        [
            "/image/usr/local/lib/python3.11/site-packages",
            "/image/usr/lib/python3/dist-packages",
        ],
        (3, 11),
        "/image/usr/local",
    ),
    "an image of miniconda": (
        [
            "image/etc/passwd",
            "image/usr/lib/os-release",
            "image/opt/conda/lib/python3.12/site-packages/numpy-2.0.dist-info/METADATA",
        ],
        "/image",
        ["/image/opt/conda/lib/python3.12/site-packages"],
        (3, 12),
        "/image/opt/conda",
    ),
    "a folder of pip --target": (
        ["deps/numpy-2.0.dist-info/METADATA", "deps/_cffi.cpython-310-darwin.so"],
        "/deps",
        ["/deps"],
        (3, 10),
        "/deps",
    ),
    "what is none": (["deps/readme"], "/deps", ["/deps"], None, "/deps"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_an_environment_is_found_in_its_folder(case: str) -> None:
    made, folder, sites, python, prefix = LAYOUTS[case]
    files = MemoryFiles({f"/{path}": b"" for path in made})
    found = sites_in(folder, files)
    assert list(found) == sites
    assert python_of(found[0], files) == python
    assert prefix_of(found[0]) == prefix
    assert image_root_of(found[0], files) == ("/image" if case.startswith("an image") else "")


def test_two_names_of_one_folder_of_packages_are_one() -> None:
    path = "/venv/lib/python3.12/site-packages/x-1.dist-info/METADATA"
    files = MemoryFiles({path: b""}, links={"/venv/lib64": "lib"})
    assert sites_in("/venv", files) == ("/venv/lib/python3.12/site-packages",)


def made(*machines: tuple[str, str]) -> MemoryFiles:
    """Make a folder of packages whose extension modules are for these systems, one each."""
    return MemoryFiles(
        {
            f"/s/p{number}/{'_c.pyd' if system == 'windows' else '_c.so'}": Binary(
                system=system, cpu=cpu
            )
            for number, (system, cpu) in enumerate(machines)
        }
        | {"/s/pure/__init__.py": b"", "/s/odd/_c.so": b"no machine code"}
    )


MAC, INTEL, LINUX = ("macos", "arm64"), ("macos", "x86_64"), ("linux", "x86_64")


def test_files_tell_which_system_they_are_for() -> None:
    assert systems_of(["/s"], made()) == ()
    assert systems_of(["/s"], made(LINUX, MAC, MAC)) == (MAC, LINUX)
    both = universal(dylib(), dylib(cpu=X86_64))
    assert set(systems_of(["/s"], MemoryFiles({"/s/a/c.so": both}))) == {MAC, INTEL}


def test_an_answer_for_files_of_another_system_is_none() -> None:
    """Nothing of a Mac's would be found on Linux: that would be a false all-clear."""
    mac = made(MAC, MAC)
    unnamed = suited(target_of(None, python="3.12"), ["/s"], mac)
    assert (unnamed.name, unnamed.local) == ("macos-arm64", False)
    assert suited(parse_target("mac"), ["/s"], mac).name == "macos-arm64"
    for name in ("linux", "windows", "macos-x86_64"):
        with pytest.raises(RequestError, match="macos-arm64, which the files in /s are for"):
            suited(parse_target(name), ["/s"], mac)
    assert suited(parse_target("win"), ["/s"], made()).name == "windows-x86_64"
    assert suited(parse_target("linux"), ["/s"], made(MAC, MAC, LINUX)).name == "linux-x86_64"
    assert suited(parse_target("linux"), ["/s"], made(("linux", "s390x"))).name == "linux-x86_64"


WRONG = {
    "no system": (["torch", "--target", "macos-arm46"], "did you mean macos-arm64?"),
    "an empty system": (["torch", "--target", ""], "accepted: linux-x86_64"),
    "systems of commas": (["torch", "--target", ","], "accepted: linux-x86_64"),
    "one system of two": (["torch", "--target", "mac,beos"], "found 'beos'"),
    "an empty folder's name": (["torch", "--site", ""], "a path after --site"),
    "a folder that is a file": (["torch", "--site", "{file}"], "a folder: site-packages"),
    "another system's files": (
        ["torch", "--site", "{mac}", "--target", "windows"],
        "accepted: macos-arm64",
    ),
    "a folder and requirements": (
        ["torch", "--site", "{empty}", "--requirements", "r.txt"],
        "one place",
    ),
    "requirements that are not there": (
        ["--requirements", "{empty}/r.txt", "--target", "mac"],
        "no such file",
    ),
    "requirements without a name": (["--requirements", ""], "a path after --requirements"),
    "wheels that are not there": (
        ["torch", "--wheels", "{empty}/w", "--target", "mac"],
        "no such folder",
    ),
    "no wheels in a folder": (["torch", "--wheels", "{empty}"], "a folder with wheels in it"),
    "no modules": (["--target", "mac"], "found 'no modules'"),
    "no module's name": (
        ["torch>=2", "--target", "mac", "--site", "{mac}"],
        "as import takes them",
    ),
    "a distribution's name": (
        ["scikit-learn", "--target", "mac", "--site", "{mac}"],
        "example: omp-magic check sklearn",
    ),
    "no Python": (["torch", "--site", "{mac}", "--python", "2.7"], "example: --python 3.12"),
    "a variable without a value": (["torch", "--site", "{mac}", "--env", "KMP"], "NAME=VALUE"),
    "a value without a variable": (["torch", "--site", "{mac}", "--env", "=1"], "NAME=VALUE"),
    "two words of a variable": (["torch", "--site", "{mac}", "--env", "A B=1"], "NAME=VALUE"),
    "nothing that a system has": (["torch", "--site", "{mac}", "--has", "brew"], "homebrew-libomp"),
    "both had and lacked": (
        [
            *("torch", "--target", "mac", "--has", "homebrew-libomp"),
            *("--lacks", "homebrew-libomp"),
        ],
        "one of the two",
    ),
    "another system's": (
        ["torch", "--target", "mac", "--lacks", "system32-vcomp140"],
        "for macos-arm64: homebrew-libomp, macports-libomp",
    ),
    "a trial": (["torch", "--target", "mac", "--run"], "for this process alone"),
    "versions of no wheels": (["torch", "--site", "{mac}", "--versions"], "where wheels are taken"),
    "a cache of no wheels": (["torch", "--cache", "{empty}"], "where wheels are taken"),
    "nothing to fetch": (["torch", "--no-fetch"], "where wheels are taken"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_followed_is_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, told = WRONG[case]
    mac, empty = tmp_path / "site", tmp_path / "empty"
    (mac / "torch").mkdir(parents=True)
    (mac / "torch" / "_C.so").write_bytes(dylib())
    empty.mkdir()
    file = tmp_path / "file"
    file.write_text("")
    paths = {"mac": str(mac), "empty": str(empty), "file": str(file)}
    assert main(["check", *(each.format(**paths) for each in words)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert said.err.startswith("omp-magic check: ")
    assert said.err.count("\n") == 1
    assert "example: " in said.err


def test_a_target_is_taken_once_and_each_has_its_own_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(tmp_path, "pkg")
    words = ["check", "pkg", "--wheels", str(tmp_path), "--target", "mac,macos-arm64,osx-arm64"]
    assert main([*words, "--json"]) == 0
    assert capsys.readouterr().out.count('"target"') == 1
    words = ["--target", "windows", "--lacks", "system32-vcomp140", "--json"]
    assert main(["check", "pkg", "--wheels", str(tmp_path), "--target", "mac", *words]) == 0
    assert capsys.readouterr().out.count('"target"') == 2


def test_python_code_is_told_the_same(tmp_path: Path) -> None:
    make_wheel(tmp_path, "pkg")
    assert omp_magic.check(wheels=tmp_path, target="mac").modules == ("pkg",)
    assert omp_magic.check("pkg", wheels=tmp_path, target=parse_target("win")).whole
    assert omp_magic.check("json", env={"KMP_DUPLICATE_LIB_OK": "TRUE"}).target is not None
    for facts in ({"run": True}, {"python": "2.7"}, {"site": "", "target": "mac"}):
        with pytest.raises(RequestError):
            omp_magic.check("pkg", **{"target": "mac", **facts})  # type: ignore[arg-type]  # a row


def test_of_two_copies_of_one_name_each_is_somebodys() -> None:
    system = library("vcomp", owner=None, path="C:/Windows/System32/vcomp140.dll")
    own = library("vcomp", owner="scikit-learn", path="/s/sklearn/.libs/vcomp140.dll")
    assert short_of([(system, False)]) == "vcomp140"
    assert short_of([(system, False), (own, True)]) == "the system's, own vcomp140"
