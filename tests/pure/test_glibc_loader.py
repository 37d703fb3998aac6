"""glibc's rules, each on a tree of files in memory that would lead elsewhere without it."""

from __future__ import annotations

import pytest
from memoryfiles import MemoryFiles

from omp_magic.formats.binaries import Binary
from omp_magic.loader.glibc import Glibc, beside


def so(
    *needed: str,
    name: str | None = None,
    rpath: str | None = None,
    runpath: str | None = None,
    cpu: str = "x86_64",
) -> Binary:
    """Make what a shared object says."""
    return Binary(system="linux", cpu=cpu, name=name, needed=needed, rpath=rpath, runpath=runpath)


def paths(loader: Glibc) -> list[str]:
    return [image.path for image in loader.loaded]


def test_a_name_that_is_loaded_is_not_searched_and_one_file_is_one_library() -> None:
    files = MemoryFiles(
        {
            "/a/libgomp-1.so": so(name="libgomp.so.1"),
            "/b/b.so": so("libgomp.so.1", runpath="$ORIGIN"),
            "/b/libgomp.so.1": so(name="libgomp.so.1"),
            "/c/c.so": so("libother.so", runpath="${ORIGIN}"),
        },
        same={"/c/libother.so": "/a/libgomp-1.so"},
    )
    loader = Glibc(files, {})
    for path in ("/a/libgomp-1.so", "/b/b.so", "/c/c.so"):
        assert loader.load(path) is not None
    assert paths(loader) == ["/a/libgomp-1.so", "/b/b.so", "/c/c.so"]
    assert all(each.needed == [loader.loaded[0]] for each in loader.loaded[1:])
    assert paths(Glibc(files, {}, (("libgomp.so.1", "/gone"),))) == []


@pytest.mark.parametrize(
    ("needer", "expected"),
    [
        (so("liby.so", rpath="/rpath"), "/rpath"),
        (so("liby.so", runpath="/runpath"), "/env"),
        (so("liby.so", rpath="/rpath", runpath="/runpath"), "/env"),
    ],
)
def test_an_rpath_is_before_the_variable_and_a_runpath_behind_it(
    needer: Binary, expected: str
) -> None:
    every = {f"{folder}/liby.so": so() for folder in ("/rpath", "/env", "/runpath", "/usr/lib")}
    loader = Glibc(MemoryFiles({"/x.so": needer, **every}), {"LD_LIBRARY_PATH": "/env"})
    loader.load("/x.so")
    assert paths(loader)[1] == f"{expected}/liby.so"


def test_the_rpath_of_what_led_to_a_library_counts_and_its_runpath_does_not() -> None:
    def tree(top: Binary, runpath: str | None) -> MemoryFiles:
        return MemoryFiles(
            {
                "/t/top.so": top,
                "/t/l/mid.so": so("liby.so", runpath=runpath),
                "/t/l/liby.so": so(),
                "/usr/lib/liby.so": so(),
            }
        )

    both = so("mid.so", rpath="$ORIGIN/l", runpath="/none:$ORIGIN/l")
    for top, runpath, expected in (
        (so("mid.so", rpath="$ORIGIN/l"), None, "/t/l/liby.so"),
        (so("mid.so", runpath="$ORIGIN/l"), None, "/usr/lib/liby.so"),
        (both, None, "/usr/lib/liby.so"),  # a DT_RUNPATH silences the DT_RPATH beside it
        (so("mid.so", rpath="$ORIGIN/l"), "/none", "/usr/lib/liby.so"),  # and those before it
    ):
        loader = Glibc(tree(top, runpath), {})
        loader.load("/t/top.so")
        assert paths(loader)[2] == expected


def test_files_for_another_processor_are_passed_over() -> None:
    files = MemoryFiles(
        {
            "/x.so": so("liby.so", runpath="/a:/b", cpu="aarch64"),
            "/a/liby.so": so(),
            "/b/liby.so": so(cpu="aarch64"),
            "/usr/lib/aarch64-linux-gnu/libz9.so": so(cpu="aarch64"),
        }
    )
    loader = Glibc(files, {}, cpu="aarch64")
    loader.load("/x.so")
    loader.load("libz9.so")
    assert paths(loader) == ["/x.so", "/b/liby.so", "/usr/lib/aarch64-linux-gnu/libz9.so"]
    assert Glibc(files, {}, cpu="x86_64").load("/x.so") is None


def test_an_unpacked_image_has_its_own_folders() -> None:
    files = MemoryFiles(
        {
            "/image/site/x.so": so("liby.so", "libz9.so", "libv.so", runpath="/opt/lib"),
            "/image/opt/lib/liby.so": so(),
            "/image/usr/lib/libz9.so": so(),
            "/image/env/libv.so": so(),
            "/opt/lib/liby.so": so(),
            "/usr/lib/libz9.so": so(),
            "/env/libv.so": so(),
        }
    )
    loader = Glibc(files, {"LD_LIBRARY_PATH": "/env"}, root="/image")
    loader.load("/image/site/x.so")
    assert paths(loader)[1:] == [
        "/image/opt/lib/liby.so",
        "/image/usr/lib/libz9.so",
        "/image/env/libv.so",
    ]


def test_what_is_missing_is_told_and_fails_a_load_only_where_it_matters() -> None:
    files = MemoryFiles({"/x.so": so("libomp.so", "libc.so.6", "libq.so"), "/y.so": so("/x.so")})
    loader = Glibc(files, {})
    assert loader.load("/y.so") is not None
    assert loader.load("/none.so") is None
    assert [each[:3] for each in loader.missing] == [
        ("libomp.so", "/x.so", False),
        ("libq.so", "/x.so", False),
        ("/none.so", "", True),
    ]
    loader = Glibc(files, {}, matters=lambda name: name == "libq.so")
    assert loader.load("/y.so") is None
    assert not loader.loaded
    assert loader.load("/x.so") is None


def test_a_library_beside_its_requester_is_found_by_its_own_path() -> None:
    files = MemoryFiles({"/a/liby.so": so()})
    assert beside("liby.so", "/a/x.so", so(rpath="/no", runpath="$ORIGIN"), files) == "/a/liby.so"
    assert beside("liby.so", "/a/x.so", so(rpath="$ORIGIN", runpath="/no"), files) is None
