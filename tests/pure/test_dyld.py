"""dyld's rules, each on a tree of files in memory that would lead elsewhere without it."""

from __future__ import annotations

import posixpath

import pytest
from memoryfiles import MemoryFiles

from omp_magic.formats.binaries import Binary
from omp_magic.loader.dyld import ACCELERATE, Dyld
from omp_magic.loader.images import Image

TORCH = "/site/torch/lib/libtorch_cpu.dylib"
OMP = "/site/torch/lib/libomp.dylib"
BREW = "/opt/homebrew/opt/libomp/lib/libomp.dylib"
NEW, OLD = (14, 0), (13, 3)


def mach(
    *needed: str,
    name: str | None = None,
    rpaths: tuple[str, ...] = (),
    weak: tuple[str, ...] = (),
    cpu: str = "arm64",
    sdk: tuple[int, int] | None = NEW,
) -> Binary:
    """Make what a Mach-O file says."""
    facts = {"needed": (*needed, *weak), "weak": weak, "rpaths": rpaths, "sdk": sdk}
    return Binary(system="macos", cpu=cpu, name=name, **facts)  # type: ignore[arg-type]  # a row


def dyld(files: MemoryFiles, **environ: str) -> Dyld:
    return Dyld(files, "arm64", environ)


def paths(loader: Dyld) -> list[str]:
    return [image.path for image in loader.loaded]


def test_an_rpath_name_takes_a_loaded_image_of_that_install_name_before_any_file() -> None:
    # torch 2.4.0's own copy serves scikit-learn-like users that ask for @rpath/libomp.dylib.
    files = MemoryFiles(
        {
            OMP: mach(name="@rpath/libomp.dylib"),
            "/site/x/x.so": mach("@rpath/libomp.dylib", rpaths=("@loader_path",)),
            "/site/x/libomp.dylib": mach(name="/DLC/x/libomp.dylib"),
        }
    )
    loader = dyld(files)
    loader.load(OMP)
    loader.load("/site/x/x.so")
    assert paths(loader) == [OMP, "/site/x/x.so"]
    assert loader.loaded[1].needed == [loader.loaded[0]]


def test_an_expanded_path_takes_a_loaded_image_of_that_install_name() -> None:
    # torch 2.10.0's copy has Homebrew's path as its install name: lightgbm's rpath leads to it.
    brewed = MemoryFiles(
        {
            OMP: mach(name=BREW),
            BREW: mach(name=BREW),
            "/site/lightgbm/lib_lightgbm.dylib": mach(
                "@rpath/libomp.dylib", rpaths=("/opt/homebrew/opt/libomp/lib",)
            ),
        }
    )
    loader = dyld(brewed)
    loader.load(OMP)
    loader.load("/site/lightgbm/lib_lightgbm.dylib")
    assert paths(loader) == [OMP, "/site/lightgbm/lib_lightgbm.dylib"]
    loader = dyld(brewed)
    loader.load("/site/lightgbm/lib_lightgbm.dylib")
    loader.load(OMP)
    assert paths(loader) == ["/site/lightgbm/lib_lightgbm.dylib", BREW, OMP]


def test_an_install_name_is_compared_as_text_and_nothing_expanded_is_normalised() -> None:
    files = MemoryFiles(
        {
            OMP: mach(name="/site/b/libomp.dylib"),
            "/site/b/bin/b.so": mach("@loader_path/../libomp.dylib"),
            "/site/b/libomp.dylib": mach(name="/site/b/libomp.dylib"),
        }
    )
    loader = dyld(files)
    loader.load(OMP)
    loader.load("/site/b/bin/b.so")
    assert paths(loader) == [OMP, "/site/b/bin/b.so", "/site/b/libomp.dylib"]


def test_a_file_that_is_loaded_is_not_loaded_under_a_link_or_a_second_name() -> None:
    files = MemoryFiles(
        {
            OMP: mach(name="/DLC/libomp.dylib"),
            "/site/a.so": mach("/link/libomp.dylib"),
            "/site/b.so": mach("/site/hard.dylib"),
        },
        links={"/link": "/site/torch/lib"},
        same={"/site/hard.dylib": OMP},
    )
    loader = dyld(files)
    for path in (OMP, "/site/a.so", "/site/b.so"):
        assert loader.load(path) is not None
    assert paths(loader) == [OMP, "/site/a.so", "/site/b.so"]
    assert all(each.needed == [loader.loaded[0]] for each in loader.loaded[1:])


def test_an_image_is_known_by_its_path_with_links_followed() -> None:
    files = MemoryFiles(
        {
            "/cache/x.so": mach("@loader_path/liby.dylib"),
            "/cache/liby.dylib": mach(),
            "/site/liby.dylib": mach(),
        },
        links={"/site/x.so": "/cache/x.so"},
    )
    loader = dyld(files)
    loader.load("/site/x.so")
    assert paths(loader) == ["/cache/x.so", "/cache/liby.dylib"]


def test_rpaths_are_those_of_the_requester_then_of_what_led_to_it_then_of_the_program() -> None:
    files = MemoryFiles(
        {
            "/p/bin/python3": mach(rpaths=("@executable_path/../lib",)),
            "/p/lib/lib1.dylib": mach(),
            "/p/lib/lib2.dylib": mach(),
            "/p/lib/lib3.dylib": mach(),
            "/s/top.so": mach("@loader_path/sub/mid.dylib", rpaths=("@loader_path/own",)),
            "/s/own/lib1.dylib": mach(),
            "/s/own/lib2.dylib": mach(),
            "/s/sub/mid.dylib": mach(
                *(f"@rpath/lib{number}.dylib" for number in (1, 2, 3)), rpaths=("@loader_path/in",)
            ),
            "/s/sub/in/lib1.dylib": mach(),
        }
    )
    loader = Dyld(files, "arm64", {}, program="/p/bin/python3")
    assert loader.load("/s/top.so") is not None
    assert paths(loader)[2:] == ["/s/sub/in/lib1.dylib", "/s/own/lib2.dylib", "/p/lib/lib3.dylib"]
    # Whoever did not lead to it does not lend its rpaths.
    loader = Dyld(files, "arm64", {}, program="/p/bin/python3")
    assert loader.load("/s/sub/mid.dylib") is not None
    assert paths(loader)[2] == "/p/lib/lib2.dylib"


def test_needs_are_mapped_level_by_level_image_by_image() -> None:
    files = MemoryFiles(
        {
            "/top": mach("/a", "/b"),
            "/a": mach("/a1", "/b"),
            "/a1": mach("/deep"),
            "/b": mach("/b1"),
            "/b1": mach(),
            "/deep": mach(),
        }
    )
    loader = dyld(files)
    loader.load("/top")
    assert paths(loader) == ["/top", "/a", "/b", "/a1", "/deep", "/b1"]


@pytest.mark.parametrize("asked", ["/site/dlopened/libomp.dylib", "@rpath/libomp.dylib"])
def test_the_library_path_comes_first_by_the_last_part_of_any_name(asked: str) -> None:
    files = MemoryFiles(
        {
            "/mine/libomp.dylib": mach(),
            "/site/dlopened/libomp.dylib": mach(),
            "/site/x.so": mach(asked, rpaths=("/site/dlopened",)),
        }
    )
    loader = dyld(files, DYLD_LIBRARY_PATH="/none:/mine")
    loader.load("/site/x.so")
    assert paths(loader) == ["/site/x.so", "/mine/libomp.dylib"]
    found = loader.load("/site/dlopened/libomp.dylib")  # dlopen with a full path too
    assert found is loader.loaded[1]


def test_the_library_path_does_not_move_what_is_loaded_by_its_full_path() -> None:
    files = MemoryFiles({"/a.dylib": mach(), "/x.so": mach("/a.dylib"), "/mine/a.dylib": mach()})
    loader = Dyld(
        files,
        "arm64",
        {"DYLD_LIBRARY_PATH": "/mine"},
        present=[Image("/a.dylib", (1, 1), mach())],
    )
    loader.load("/x.so")
    assert paths(loader) == ["/x.so"]


def test_a_framework_is_looked_for_in_the_framework_path() -> None:
    wanted = "Foo.framework/Versions/A/Foo"
    files = MemoryFiles(
        {
            f"/mine/{wanted}": mach(),
            "/mine/Foo": mach(),
            f"/site/{wanted}": mach(),
            "/site/x.so": mach(f"/site/{wanted}"),
        }
    )
    loader = dyld(files, DYLD_LIBRARY_PATH="/mine")
    loader.load("/site/x.so")
    assert paths(loader)[1] == f"/site/{wanted}"
    loader = dyld(files, DYLD_FRAMEWORK_PATH="/mine")
    loader.load("/site/x.so")
    assert paths(loader)[1] == f"/mine/{wanted}"


def test_only_a_binary_of_an_older_sdk_falls_back_to_usr_local_lib() -> None:
    def tree(sdk: tuple[int, int] | None) -> MemoryFiles:
        files = {
            "/usr/local/lib/libomp.dylib": mach(),
            "/else/libomp.dylib": mach(),
            "/site/omppool.so": mach("@rpath/libomp.dylib", sdk=sdk),
        }
        return MemoryFiles(files)

    for sdk in (OLD, None):
        loader = dyld(tree(sdk))
        assert loader.load("/site/omppool.so") is not None
        assert paths(loader)[1] == "/usr/local/lib/libomp.dylib"
    loader = dyld(tree(NEW))
    assert loader.load("/site/omppool.so") is None
    loader = dyld(tree(NEW), DYLD_FALLBACK_LIBRARY_PATH="/else")
    assert loader.load("/site/omppool.so") is not None
    assert paths(loader)[1] == "/else/libomp.dylib"
    # dlopen of a name with folders has no fallback.
    assert loader.load("/nowhere/libomp.dylib") is None


def test_a_bare_name_in_dlopen_is_a_loaded_rpath_name_else_one_by_rpath_else_of_the_system() -> (
    None
):
    files = MemoryFiles(
        {
            OMP: mach(name="@rpath/libomp.dylib"),
            "/site/x.so": mach(rpaths=("@loader_path/lib",)),
            "/site/lib/liby.dylib": mach(),
        }
    )
    loader = dyld(files)
    assert loader.load("libomp.dylib") is None
    loader.load(OMP)
    assert loader.load("libomp.dylib") is loader.loaded[0]
    caller = loader.load("/site/x.so")
    assert loader.load("liby.dylib") is None
    assert (found := loader.load("liby.dylib", caller)) is not None
    assert found.path == "/site/lib/liby.dylib"
    assert loader.load("libSystem.B.dylib") is not None
    assert loader.load("libxyz.dylib") is None
    assert [each.name for each in loader.missing if not each.by] == [
        "libomp.dylib",
        "liby.dylib",
        "libxyz.dylib",
    ]


def test_inserted_libraries_come_before_all_others() -> None:
    files = MemoryFiles({"/i.dylib": mach(name="@rpath/libomp.dylib"), OMP: mach()})
    loader = dyld(files, DYLD_INSERT_LIBRARIES="/i.dylib")
    assert paths(loader) == ["/i.dylib"]
    assert loader.load("libomp.dylib") is loader.loaded[0]


def test_the_systems_own_is_never_missing_and_accelerate_alone_is_an_image() -> None:
    files = MemoryFiles(
        {
            "/site/a.so": mach("/usr/lib/libSystem.B.dylib", "/usr/lib/libblas.dylib"),
            "/site/b.so": mach(
                "/System/Library/Frameworks/Accelerate.framework/Versions/A/Frameworks/"
                "vecLib.framework/Versions/A/vecLib",
                "/System/Library/Frameworks/Metal.framework/Versions/A/Metal",
            ),
            "/site/c.so": mach("@rpath/libswiftCore.dylib", rpaths=("/usr/lib/swift",)),
            "/site/d.so": mach("@rpath/libomp.dylib", rpaths=("/usr/lib",), sdk=OLD),
        }
    )
    loader = dyld(files)
    for name in "abc":
        assert loader.load(f"/site/{name}.so") is not None
    assert paths(loader) == ["/site/a.so", ACCELERATE, "/site/b.so", "/site/c.so"]
    assert loader.loaded[0].needed == loader.loaded[2].needed == [loader.loaded[1]]
    assert not loader.missing
    assert loader.load("/site/d.so") is None  # macOS has no libomp


def test_a_failed_load_leaves_nothing_behind_and_says_once_what_it_lacks() -> None:
    files = MemoryFiles(
        {
            "/site/keep.so": mach(),
            "/site/x.so": mach("/site/keep.so", "/site/y.dylib"),
            "/site/y.dylib": mach("@rpath/libomp.dylib", name="@rpath/liby.dylib"),
            "/site/z.so": mach("@rpath/liby.dylib", rpaths=("/own",)),
            "/own/liby.dylib": mach(),
        }
    )
    loader = dyld(files)
    loader.load("/site/keep.so")
    for _ in range(2):
        assert loader.load("/site/x.so") is None
        assert paths(loader) == ["/site/keep.so"]
    assert [each[:3] for each in loader.missing] == [("@rpath/libomp.dylib", "/site/y.dylib", True)]
    # Neither its name nor its file is known any more.
    assert loader.load("/site/z.so") is not None
    assert paths(loader) == ["/site/keep.so", "/site/z.so", "/own/liby.dylib"]


def test_a_need_that_may_be_missing_does_no_harm_unless_its_own_needs_are() -> None:
    files = MemoryFiles(
        {
            "/site/a.so": mach(weak=("@rpath/libomp.dylib",)),
            "/site/b.so": mach(weak=("/site/c.dylib",)),
            "/site/c.dylib": mach("/none.dylib"),
        }
    )
    loader = dyld(files)
    assert loader.load("/site/a.so") is not None
    assert [each[:3] for each in loader.missing] == [("@rpath/libomp.dylib", "/site/a.so", False)]
    assert loader.load("/site/b.so") is None
    assert paths(loader) == ["/site/a.so"]


def test_what_does_not_matter_may_be_missing() -> None:
    files = MemoryFiles({"/site/a.so": mach("@rpath/libgfortran.dylib", "@rpath/libomp.dylib")})
    loader = Dyld(files, "arm64", {}, matters=lambda name: "omp" in name)
    assert loader.load("/site/a.so") is None
    assert [each.fatal for each in loader.missing] == [False, True]


def test_of_a_file_for_several_processors_that_of_the_process_is_mapped() -> None:
    both = (mach("/intel.dylib", cpu="x86_64"), mach("/arm.dylib"))
    files = MemoryFiles(
        {
            "/both.dylib": both,
            "/arm.dylib": mach(),
            "/intel.dylib": mach(cpu="x86_64"),
            "/new.dylib": mach(cpu="x86_64h"),
            "/e.dylib": mach(cpu="arm64e"),
            "/linux.so": Binary(system="linux", cpu="aarch64"),
        }
    )
    loader = dyld(files)
    loader.load("/both.dylib")
    assert paths(loader) == ["/both.dylib", "/arm.dylib"]
    for path in ("/intel.dylib", "/e.dylib", "/linux.so"):
        assert loader.load(path) is None
    assert [each.why for each in loader.missing] == [
        "it is for x86_64, not for arm64",
        "it is for arm64e, not for arm64",
        "it is a file for linux",
    ]
    assert all(each.fatal for each in loader.missing)
    loader = Dyld(files, "x86_64", {})
    for path in ("/both.dylib", "/new.dylib"):
        assert loader.load(path) is not None


def test_a_file_that_cannot_be_mapped_is_passed_over_for_the_next_place() -> None:
    files = MemoryFiles(
        {
            "/a/liby.dylib": mach(cpu="x86_64"),
            "/b/liby.dylib": b"not at all",
            "/c/liby.dylib": mach(),
            "/x.so": mach("@rpath/liby.dylib", rpaths=("/a", "/b", "/c")),
        }
    )
    loader = dyld(files)
    loader.load("/x.so")
    assert paths(loader) == ["/x.so", "/c/liby.dylib"]


def test_what_is_present_is_matched_and_not_loaded_again() -> None:
    files = MemoryFiles({OMP: mach(name="@rpath/libomp.dylib"), TORCH: mach("@rpath/libomp.dylib")})
    there = Image(OMP, files.identity(OMP) or (0, 0), mach(name="@rpath/libomp.dylib"))
    loader = Dyld(files, "arm64", {}, present=[there])
    loader.load(TORCH)
    assert paths(loader) == [TORCH]
    assert loader.loaded[0].needed == [there]
    assert loader.load(OMP) is there


def test_loops_of_needs_rpaths_and_links_end() -> None:
    many = tuple(f"@loader_path/{number}" for number in range(5000))
    files = MemoryFiles(
        {
            "/a.so": mach("/b.dylib", "@rpath/none.dylib", rpaths=("@rpath/x", *many)),
            "/b.dylib": mach("/a.so", "/b.dylib", "/c.dylib"),
            "/d.so": mach("/b.dylib"),
        },
        links={"/c.dylib": "/e.dylib", "/e.dylib": "/c.dylib"},
    )
    loader = dyld(files)
    assert loader.load("/a.so") is None
    loader = Dyld(files, "arm64", {}, matters=lambda _: False)
    assert loader.load("/a.so") is not None
    assert paths(loader) == ["/a.so", "/b.dylib"]
    assert {posixpath.basename(each.name) for each in loader.missing} == {
        "none.dylib",
        "c.dylib",
    }
