"""Mapped and coming runtimes: which may be asked, which are pools, whose they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest
from facts_for_tests import library
from live import LINUX

from omp_magic.facts.libraries import Library
from omp_magic.formats.procfs import Mapped
from omp_magic.guard.coming import coming_libraries
from omp_magic.knowledge.catalog import BY_KEY
from omp_magic.machine import Machine
from omp_magic.machine.port.native import Native
from omp_magic.probes.runtimes.images import Image
from omp_magic.probes.runtimes.owners import Owner, Owners
from omp_magic.probes.runtimes.pools import pools_of
from omp_magic.probes.runtimes.replaced import PackageProbe
from omp_magic.probes.runtimes.startup import Startup


def image(family: str, **facts: Any) -> Image:
    given: dict[str, Any] = {
        "family": BY_KEY[family],
        "mapped": Mapped(f"/env/{family}.so", "fe:00", 7, (4096,), deleted=False),
        "soname": None,
        "version": None,
        "owner": Owner(),
        "layer": None,
        "getter": 4100,
        "setter": 4200,
        "base": 4096,
        "lender": None,
    }
    return Image(**{**given, **facts})


def test_mkl_on_intels_layer_is_asked_only_when_that_runtime_has_started() -> None:
    # Its getter passes the question on to libiomp5, and that would start it.
    intel, none = Startup(bases=frozenset({1 << 20})), Startup()
    assert not none.may_ask(image("mkl", layer="intel"))
    assert intel.may_ask(image("mkl", layer="intel"))
    assert none.may_ask(image("mkl", layer="gnu"))
    for startup in (intel, none):
        assert not startup.may_ask(image("mkl"))
        assert not startup.may_ask(image("mkl", layer="tbb", getter=None))


def test_threads_are_counted_once_and_only_where_somebody_calls_them() -> None:
    gomp, other = library("libgomp"), library("libgomp", idle=True, inode=9)
    assert [pool.family for pool in pools_of((gomp, other))] == ["libgomp"]
    for layer in ("openmp", "intel", "gnu"):
        lent = library("mkl", threading_layer=layer)
        assert [pool.family for pool in pools_of((gomp, lent))] == ["libgomp"]
    for own_layer in ("pthreads", "tbb", "sequential", None):
        own = library("openblas", threading_layer=own_layer)
        assert [pool.family for pool in pools_of((gomp, own))] == ["libgomp", "openblas"]


def coming(tmp_path: Path, present: Library, *names: str) -> dict[str, Library]:
    for name in names:
        (tmp_path / name).write_bytes(b"")
    machine = Machine(tmp_path, affinity=2)
    paths = [f"/{name}" for name in names]
    found = coming_libraries(paths, (present,), machine, Owners(machine))
    assert [each.inode for each in found] == [(tmp_path / name).stat().st_ino for name in names]
    return {each.family: each for each in found}


def test_a_runtime_that_comes_is_idle_where_another_one_answers_for_it(tmp_path: Path) -> None:
    names = ("libgomp.so.1", "libiomp5.so", "libopenblas.so.0")
    found = coming(tmp_path, library("libomp", serves=True), *names)
    assert {key: each.idle for key, each in found.items()} == {
        "libgomp": True, "libiomp5": True, "openblas": None,
    }  # fmt: skip
    assert {key: each.serves for key, each in found.items()} == {
        "libgomp": False, "libiomp5": False, "openblas": None,
    }  # fmt: skip
    # libgomp lacks the functions of LLVM's, so their users get their own.
    found = coming(tmp_path, library("libgomp", serves=True), *names)
    assert {key: each.idle for key, each in found.items()} == {
        "libgomp": True, "libiomp5": False, "openblas": None,
    }  # fmt: skip
    found = coming(tmp_path, library("libgomp"), *names)
    assert [each.idle for each in found.values()] == [False, False, None]


@pytest.mark.skipif(not LINUX, reason="conda's metadata are looked for by Linux paths here")
def test_conda_names_a_package_with_hyphens_and_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    (tmp_path / "conda-meta").mkdir()
    meta = tmp_path / "conda-meta" / "llvm-openmp-19.1.7-hb700be7_0.json"
    meta.write_text('{"files": ["lib/libomp.so", "lib/libompd.so"]}')
    (tmp_path / "conda-meta" / "history").write_text('"lib/libomp.so"')
    path = f"{tmp_path}/lib/libomp.so"
    assert Owners(Machine.here()).of([path]) == {path: Owner("llvm-openmp", "19.1.7")}


class Deleted:
    """A loader that knows files by the path they were loaded by."""

    def __init__(self, path: str) -> None:
        self.path = path

    def path_of(self, _address: int) -> str:
        return self.path


@pytest.mark.skipif(not LINUX, reason="replaced packages are found by /proc/self/maps")
def test_a_package_whose_files_are_gone_has_other_code_than_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "site-packages"
    (packages / "some").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    path = str(packages / "some" / "_native.so")
    probe = PackageProbe(Machine.here(), cast("Native", Deleted(path)))
    (found,) = probe.look((Mapped(path, "fe:00", 7, (4096,), deleted=True),))
    assert (found.name, found.installed) == ("some", None)
    assert (found.mapped_files, found.replaced_files, found.changed_files) == (1, 1, 1)
    assert found.paths == (path,)
