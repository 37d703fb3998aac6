"""What differs from system to system stands in tables: each has a row for every system."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from memoryfiles import MemoryFiles

from omp_magic.facts.targets import SYSTEMS, TARGETS, Target, parse_target
from omp_magic.formats.binaries import Binary
from omp_magic.installed import bundled, cures, modules, openers, question, sources
from omp_magic.installed.foreign import Site
from omp_magic.knowledge import manners, registration, remedies
from omp_magic.knowledge.elsewhere import ELSEWHERE, known_at
from omp_magic.knowledge.registration import ENVIRONMENT, FILE, SHARED_MEMORY, registers_on
from omp_magic.machine.python import caches
from omp_magic.requirements import tags, wheelfiles
from omp_magic.views import systems

BY_SYSTEM: dict[str, Mapping[str, Any]] = {
    "manners": manners._MANNERS,
    "registries": registration.REGISTRIES,
    "remedies": remedies.CURES,
    "suffixes of libraries": openers._SUFFIXES,
    "words of openers": sources._OPENERS,
    "lines of shared objects": modules._SHARED,
    "MKL's runtimes": question._MKL_RUNTIMES,
    "places of tools that repair": bundled._PLACES,
    "names in tags": tags._PLATFORMS,
    "caches": caches._PLACES,
    "names for people": systems._SYSTEMS,
}


@pytest.mark.parametrize("name", BY_SYSTEM)
def test_a_table_has_a_row_for_every_system(name: str) -> None:
    assert BY_SYSTEM[name].keys() == set(SYSTEMS)


def test_tables_by_other_names_have_every_row_that_is_asked_for() -> None:
    assert {parse_target(each).os_name for each in TARGETS} == wheelfiles._SCHEMES.keys()
    assert {kind for row in remedies.CURES.values() for kind in row} == cures._WAYS.keys()
    assert {each.system for each in ELSEWHERE} == set(SYSTEMS)


PYTHONS = {
    "linux-x86_64": ("linux", "posix", "Linux", "x86_64", ".cpython-311-x86_64-linux-gnu.so"),
    "linux-aarch64": ("linux", "posix", "Linux", "aarch64", ".cpython-311-aarch64-linux-gnu.so"),
    "macos-arm64": ("darwin", "posix", "Darwin", "arm64", ".cpython-311-darwin.so"),
    "macos-x86_64": ("darwin", "posix", "Darwin", "x86_64", ".cpython-311-darwin.so"),
    "windows-x86_64": ("win32", "nt", "Windows", "AMD64", ".cp311-win_amd64.pyd"),
}
"""As CPython 3.11 of these systems says them."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_targets_python_says_what_it_says_there(name: str) -> None:
    target = parse_target(name, python=(3, 11))
    said = (target.sys_platform, target.os_name, target.platform_system)
    assert (*said, target.platform_machine, target.extension_suffixes[0]) == PYTHONS[name]
    assert all(target.is_called(each) for each in said)
    assert not any(target.is_called(each) for each in ("cygwin", "emscripten"))
    assert target.is_called("no system at all") is None
    assert target.folds_case == (target.sys_platform != "linux")
    others = {word for row in PYTHONS.values() for word in row[:3]} - set(said)
    assert not any(target.is_called(each) for each in others)


OLD, NEW, NEWEST = ("__KMP",), ("__KMP", "shm_open"), ("__KMP", "shm_open", "/dev/shm")


@pytest.mark.parametrize(
    ("system", "texts", "place"),
    [
        ("linux", OLD, ENVIRONMENT),
        ("linux", NEW, SHARED_MEMORY),
        ("linux", NEWEST, SHARED_MEMORY),  # which has a /dev/shm
        ("macos", OLD, ENVIRONMENT),
        ("macos", NEW, SHARED_MEMORY),
        ("macos", NEWEST, FILE),
        ("windows", OLD, ENVIRONMENT),
        ("windows", NEWEST, ENVIRONMENT),
    ],
)
def test_where_a_copy_registers(system: str, texts: Collection[str], place: str) -> None:
    assert registers_on(system, texts, static=False) == place
    assert registers_on(system, texts, static=True) == ENVIRONMENT


def test_a_check_tells_the_place_that_a_scan_tells() -> None:
    """A file below /tmp was told of Intel's newest runtime on Linux, where there is a /dev/shm."""
    target = Target(system="linux", cpu="x86_64")
    site = "/v/lib/python3.12/site-packages"
    extension = f"{site}/mine{target.extension_suffixes[0]}"
    needs = Binary(system="linux", cpu="x86_64", needed=("libiomp5.so",), runpath="$ORIGIN")
    runtime = Binary(system="linux", cpu="x86_64", name="libiomp5.so")
    files = MemoryFiles(
        {extension: needs, f"{site}/libiomp5.so": runtime}, texts={f"{site}/libiomp5.so": NEWEST}
    )
    (found,) = Site([site], target, files).may_load(["mine"]).libraries
    assert (found.path, found.registers) == (f"{site}/libiomp5.so", SHARED_MEMORY)


def test_what_a_system_may_have_is_known_by_its_path() -> None:
    told = {each.path: known_at(each.path) for each in ELSEWHERE}
    assert {path: row.short for path, row in told.items() if row is not None} == {
        "/opt/homebrew/opt/libomp/lib/libomp.dylib": ("Homebrew's", ""),
        "/usr/local/opt/libomp/lib/libomp.dylib": ("Homebrew's", ""),
        "/opt/local/lib/libomp/libomp.dylib": ("MacPorts'", ""),
        "C:/Windows/System32/vcomp140.dll": ("", "vcomp140"),
        "C:/Windows/System32/libomp140.x86_64.dll": ("", "libomp140"),
    }
    assert told["/usr/lib64/libgomp.so.1"] is None
