"""What a library is called: its distribution, its users, or what tells its path from another."""

from __future__ import annotations

from typing import Any

import pytest
from facts_for_tests import library, setting, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from omp_magic.facts.libraries import Library, named_apart
from omp_magic.facts.names import Called, places_of, used_by
from omp_magic.formats.binaries import Binary
from omp_magic.formats.procfs import Mapped
from omp_magic.knowledge.readings import readings_of
from omp_magic.probes.runtimes.owners import Owner
from omp_magic.probes.runtimes.pools import pools_of
from omp_magic.probes.runtimes.users import users_of
from omp_magic.rules import judge
from omp_magic.views.words import from_of


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        (("/a/libomp.so",), ("",)),
        (("/a/libomp.so", "/a/libiomp5.so"), ("", "")),
        (("/e/forest/libomp.so", "/e/solver/libomp.so"), ("forest/libomp.so", "solver/libomp.so")),
        # Three copies, two of them in folders of one name.
        (
            ("/x/a/lib/libomp.so", "/x/b/lib/libomp.so", "/x/c/libomp.so"),
            ("a/…/libomp.so", "b/…/libomp.so", "c/libomp.so"),
        ),
        # They differ only at the root, or one path ends as the other.
        (("/libomp.so", "/b/libomp.so"), ("/libomp.so", "b/libomp.so")),
        (("/a/libomp.so", "/b/a/libomp.so"), ("/a/libomp.so", "b/…/libomp.so")),
        (
            (r"C:\env\forest\libomp.dll", r"C:\env\solver\libomp.dll"),
            (r"forest\libomp.dll", r"solver\libomp.dll"),
        ),
        # With the middle left out two of them would be one.
        (
            ("/1/d/e/m/x.so", "/2/d/f/m/x.so", "/3/e/m/x.so"),
            ("d/…/x.so", "f/…/x.so", "3/…/x.so"),
        ),
    ],
)
def test_places(paths: tuple[str, ...], places: tuple[str, ...]) -> None:
    assert places_of([Called("openmp", None, path) for path in paths]) == places


def test_two_copies_of_one_distribution_are_told_apart() -> None:
    called = [Called("openmp", "both", f"/s/both/{part}/libomp.so") for part in ("x", "y")]
    assert places_of(called) == ("x/libomp.so", "y/libomp.so")
    assert places_of([*called, Called("blas", "both", "/s/both/libopenblas.so")])[2] == ""


def test_one_path_at_two_times_is_told_apart() -> None:
    called = [Called("openmp", "x", "/s/libomp.so", (), inode) for inode in (7, 8)]
    assert places_of(called) == ("libomp.so, inode 7", "libomp.so, inode 8")
    assert places_of([Called("openmp", "x", "/s/libomp.so")] * 2) == (
        "libomp.so, number 1", "libomp.so, number 2",
    )  # fmt: skip


_PARTS = st.lists(st.sampled_from(["a", "b", "lib"]), max_size=5)


@settings(deadline=None)
@given(st.lists(_PARTS, min_size=2, max_size=6), st.sampled_from([None, "pkg"]))
def test_no_two_of_one_api_have_one_name(folders: list[list[str]], owner: str | None) -> None:
    copies = tuple(
        library("libomp", path="/".join(["", *parts, "libomp.so"]), owner=owner, inode=index)
        for index, parts in enumerate(folders)
    )
    titles = [each.title for each in named_apart(copies)]
    assert len(set(titles)) == len(titles)


def test_users_in_words() -> None:
    assert used_by(("a",)) == "used by a"
    assert used_by(("a", "b")) == "used by a and b"
    assert used_by(("a", "b", "c", "d", "e")) == "used by a, b, c and 2 more"


def copies(*folders: str, **facts: Any) -> tuple[Library, ...]:
    given = {"num_threads": None, "initialized": False, **facts}
    return tuple(library("libomp", path=f"/env/{each}/libomp.so", **given) for each in folders)


SYSTEM = library(
    "libgomp", path="/usr/lib/libgomp.so.1", soname="libgomp.so.1", users=("lightgbm",), workers=1
)
WHEELS = library("libgomp", soname="libgomp-1.so", owner="scikit-learn")


def test_the_systems_runtime_is_called_by_who_uses_it_wherever_it_is_named() -> None:
    libraries = (SYSTEM, WHEELS)
    pool = pools_of(libraries)[0]
    assert pool.name == "GNU libgomp (the system, used by lightgbm)"
    assert from_of(SYSTEM) == "the system, used by lightgbm"
    (reading, _) = readings_of({"OMP_NUM_THREADS": "2"}, {}, libraries)["OMP_NUM_THREADS"]
    assert reading.reader == pool.name
    found = {each.code: each for each in judge(snapshot(libraries=libraries, start_method="fork"))}
    for code in ("OMP105", "OMP204"):
        assert (
            "libgomp.so.1 of the system (used by lightgbm)" in found[code].title + found[code].why
        )
    assert any("used by lightgbm" in line for line in found["OMP105"].evidence)
    assert snapshot(libraries=libraries).to_dict()["libraries"][0]["users"] == ["lightgbm"]


def test_a_guard_names_the_copy_that_is_being_loaded() -> None:
    first, second, third = copies("forest", "solver", "river")
    (waiting,) = (each for each in judge(snapshot(libraries=(first, second)), (third,)))
    assert waiting.title.startswith("This kernel will die once river/libomp.so and another ")
    started = copies("forest", initialized=True)[0]
    (fatal,) = judge(snapshot(libraries=(started, second)), (third,))
    assert fatal.title == "This kernel will die at the first call of river/libomp.so"
    for each in ("forest", "solver", "river"):
        assert f"{each}/libomp.so" in fatal.remedies[-2]
    (both,) = judge(snapshot(libraries=(started, second, third)))
    assert "solver/libomp.so or river/libomp.so" in both.title
    masked = (setting("KMP_DUPLICATE_LIB_OK", "TRUE"),)
    found = judge(snapshot(libraries=(started, second), environment=masked), (third,))
    assert any("3 LLVM-family OpenMP runtimes with river/libomp.so" in f.title for f in found)


def file(path: str, start: int) -> Mapped:
    return Mapped(path, "fe:00", start, (start,), deleted=False)


def test_users_are_those_whose_needed_leads_to_that_very_copy() -> None:
    gomp, other = file("/usr/lib/libgomp.so.1", 1), file("/env/x.libs/libgomp-9.so", 2)
    blas = file("/usr/lib/libopenblas.so.0", 3)
    needs = {
        1: Binary(system="linux", cpu="x86_64", name="libgomp.so.1"),
        2: Binary(system="linux", cpu="x86_64", name="libgomp-9.so"),
        3: Binary(system="linux", cpu="x86_64", name="libopenblas.so.0", needed=("libgomp.so.1",)),
        4: Binary(system="linux", cpu="x86_64", needed=("libgomp.so.1", "libc.so.6")),
        5: Binary(system="linux", cpu="x86_64", needed=("libgomp-9.so",)),
        6: Binary(system="linux", cpu="x86_64", needed=("libopenblas.so.0",)),
        7: Binary(system="linux", cpu="x86_64", needed=("libgomp.so.1",)),
    }
    mapped = [
        gomp, other, blas, file("/env/lightgbm/lib_lightgbm.so", 4), file("/env/x/a.so", 5),
        file("/env/y/b.so", 6), file("/home/me/_core.cpython-311-x86_64-linux-gnu.so", 7),
    ]  # fmt: skip
    owners = {"lightgbm": Owner("lightgbm"), "x": Owner("x"), "y": Owner("y")}

    def ask(paths: Any) -> dict[str, Owner]:
        return {path: owners.get(path.split("/")[2], Owner()) for path in paths}

    def asked(*orphans: Mapped, of: list[Mapped]) -> dict[int, tuple[str, ...]]:
        def read(each: Mapped) -> Binary:
            return needs[each.starts[0]]

        return users_of(orphans, of, {}, read, ask, bound=lambda _: {})

    # Through the system's OpenBLAS, too; a file of no distribution counts where nothing else does.
    assert asked(gomp, of=mapped) == {1: ("lightgbm", "y")}
    assert asked(gomp, of=[gomp, mapped[6]]) == {1: ("_core",)}
    assert asked(gomp, of=[gomp, other]) == {}
