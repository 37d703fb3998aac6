"""Windows' rules, each on a tree of files in memory that would lead elsewhere without it."""

from __future__ import annotations

from memoryfiles import MemoryFiles

from omp_magic.formats.binaries import Binary
from omp_magic.loader.images import Image
from omp_magic.loader.windows import SYSTEM32, Windows

SITE = "C:/env/Lib/site-packages"
TORCH = f"{SITE}/torch/lib"


def pe(*needed: str, cpu: str = "x86_64", delayed: tuple[str, ...] = ()) -> Binary:
    """Make what a DLL says."""
    return Binary(system="windows", cpu=cpu, needed=needed, delayed=delayed)


def forwarder(*forwards: str) -> Binary:
    """Make what a DLL says that has no code of its own."""
    return Binary(system="windows", cpu="x86_64", forwards=forwards, forwarder=True)


def tree(**files: Binary) -> MemoryFiles:
    """Make files by their path below SITE, with ``_`` for the last dot and ``__`` for a folder."""
    return MemoryFiles(
        {
            f"{SITE}/{name.replace('__', '/').replace('_', '.')}": binary
            for name, binary in files.items()
        },
        any_case=True,
    )


def paths(loader: Windows) -> list[str]:
    return [image.path.removeprefix(f"{SITE}/") for image in loader.loaded]


def runtime(name: str) -> bool:
    return "omp" in name


def test_a_full_path_is_one_module_in_whatever_case_and_two_paths_are_two() -> None:
    files = tree(torch__lib__libiomp5md_dll=pe(), ctranslate2__libiomp5md_dll=pe())
    loader = Windows(files, "x86_64", {})
    first = loader.load(f"{TORCH}/libiomp5md.dll")
    assert loader.load(f"{TORCH}/LIBIOMP5MD.DLL".replace("/", "\\")) is first
    assert loader.load(f"{TORCH}/libiomp5md") is first  # .dll is added
    loader.load(f"{SITE}/ctranslate2/libiomp5md.dll")
    assert paths(loader) == ["torch/lib/libiomp5md.dll", "ctranslate2/libiomp5md.dll"]


def test_one_file_at_two_paths_is_one_module() -> None:
    files = MemoryFiles(
        {"C:/a/omp.dll": pe()}, same={"C:/b/omp.dll": "C:/a/omp.dll"}, any_case=True
    )
    loader = Windows(files, "x86_64", {})
    assert loader.load("C:/a/omp.dll") is loader.load("C:/b/omp.dll")


def test_a_full_path_searches_nowhere_else() -> None:
    loader = Windows(tree(a__x_dll=pe(), b__y_dll=pe()), "x86_64", {}, folders=[f"{SITE}/a"])
    assert loader.load(f"{SITE}/b/x.dll") is None
    assert loader.missing[0][:3] == (f"{SITE}/b/x.dll", "", True)


def test_a_need_takes_the_first_loaded_module_of_its_name_before_the_one_beside_it() -> None:
    # Measured under Wine with two DLLs that each have their own libiomp5md.dll beside them.
    files = tree(
        torch__lib__libiomp5md_dll=pe(),
        ct2__libiomp5md_dll=pe(),
        ct2__ct2_dll=pe("LIBIOMP5MD.dll"),
        x__x_pyd=pe("libiomp5md"),
    )
    loader = Windows(files, "x86_64", {})
    first = loader.load(f"{TORCH}/libiomp5md.dll")
    loader.load(f"{SITE}/ct2/libiomp5md.dll")
    loader.load(f"{SITE}/ct2/ct2.dll")
    loader.load(f"{SITE}/x/x.pyd")
    assert paths(loader)[2:] == ["ct2/ct2.dll", "x/x.pyd"]
    assert all(each.needed == [first] for each in loader.loaded[2:])


def test_needs_of_needs_are_searched_where_the_load_began() -> None:
    files = tree(
        pkg__m_pyd=pe("deep.dll"),
        pkg__one_dll=pe(),
        libs__deep_dll=pe("one.dll"),
        libs__one_dll=pe(),
    )
    loader = Windows(files, "x86_64", {}, folders=[f"{SITE}/libs"])
    loader.load(f"{SITE}/pkg/m.pyd")
    assert paths(loader) == ["pkg/m.pyd", "libs/deep.dll", "pkg/one.dll"]


def test_each_place_of_the_search_is_looked_at_in_its_turn() -> None:
    places = (f"{SITE}/pkg", "C:/env", f"{SITE}/pkg.libs", SYSTEM32)
    for number, expected in enumerate(places):
        files = {f"{folder}/vcomp140.dll": pe() for folder in places[number:]}
        files[f"{SITE}/pkg/m.pyd"] = pe("VCOMP140.DLL")
        loader = Windows(
            MemoryFiles(files, any_case=True),
            "x86_64",
            {},
            program_folder="C:/env",
            folders=[f"{SITE}/pkg.libs"],
        )
        loader.load(f"{SITE}/pkg/m.pyd")
        assert loader.loaded[1].path == f"{expected}/vcomp140.dll"


def test_the_folder_of_a_need_is_not_searched_but_that_of_the_load() -> None:
    files = tree(
        pkg__m_pyd=pe("libopenblas.dll"), libs__libopenblas_dll=pe("omp.dll"), libs__omp_dll=pe()
    )
    loader = Windows(files, "x86_64", {}, matters=runtime)
    assert loader.load(f"{SITE}/libs/libopenblas.dll") is not None
    loader = Windows(files, "x86_64", {}, matters=runtime)
    assert loader.load(f"{SITE}/pkg/m.pyd") is not None  # libopenblas is taken for the system's
    assert paths(loader) == ["pkg/m.pyd"]


def test_a_bare_name_has_no_folder_of_its_own() -> None:
    files = tree(a__vcomp140_dll=pe(), a__m_pyd=pe())
    loader = Windows(files, "x86_64", {}, matters=runtime)
    by = loader.load(f"{SITE}/a/m.pyd")
    assert loader.load("vcomp140.dll", by) is None
    assert loader.missing == [("vcomp140.dll", f"{SITE}/a/m.pyd", True, "")]
    loader.open_folders([f"{SITE}/a"])
    assert loader.load("vcomp140", by) is not None


def test_what_nobody_has_is_the_systems_unless_it_matters() -> None:
    files = tree(
        a__m_pyd=pe("KERNEL32.dll", "api-ms-win-crt-heap-l1-1-0.dll", "MYSTERY.dll", "python3.dll"),
        b__m_pyd=pe("helper.dll", "libomp140.x86_64.dll"),
        b__helper_dll=pe(),
    )
    loader = Windows(files, "x86_64", {}, matters=runtime)
    assert loader.load(f"{SITE}/a/m.pyd") is not None
    assert loader.missing == [("MYSTERY.dll", f"{SITE}/a/m.pyd", False, "")]
    for _ in range(2):
        assert loader.load(f"{SITE}/b/m.pyd") is None
    assert paths(loader) == ["a/m.pyd"]
    assert loader.missing[1:] == [("libomp140.x86_64.dll", f"{SITE}/b/m.pyd", True, "")]
    # What was taken back is not found by its name any more.
    assert loader.load("helper.dll") is None


def test_an_api_set_is_no_file() -> None:
    files = tree(a__m_pyd=pe("api-ms-win-core-x.dll"))
    both = MemoryFiles(
        {f"{SITE}/a/m.pyd": pe("api-ms-win-core-x.dll"), f"{SITE}/a/api-ms-win-core-x.dll": pe()},
        any_case=True,
    )
    for each in (files, both):
        loader = Windows(each, "x86_64", {})
        loader.load(f"{SITE}/a/m.pyd")
        assert paths(loader) == ["a/m.pyd"]


def test_delay_imports_are_seen_and_not_loaded() -> None:
    files = tree(mkl__mkl_dll=pe(delayed=("libiomp5md.dll",)), mkl__libiomp5md_dll=pe())
    loader = Windows(files, "x86_64", {}, matters=runtime)
    loader.load(f"{SITE}/mkl/mkl.dll")
    assert paths(loader) == ["mkl/mkl.dll"]
    assert loader.loaded[0].binary.delayed == ("libiomp5md.dll",)


def test_a_dll_that_only_forwards_maps_where_it_leads() -> None:
    # conda-forge's libiomp5md.dll (threadpoolctl#203).
    files = tree(
        x__x_pyd=pe("libiomp5md.dll"),
        x__libiomp5md_dll=forwarder("libomp.dll"),
        x__libomp_dll=pe(),
    )
    loader = Windows(files, "x86_64", {}, matters=runtime)
    loader.load(f"{SITE}/x/x.pyd")
    assert paths(loader) == ["x/x.pyd", "x/libiomp5md.dll", "x/libomp.dll"]
    assert loader.loaded[1].needed == [loader.loaded[2]]
    assert Windows(files, "x86_64", {}, matters=runtime).load(f"{SITE}/x/libiomp5md.dll")
    partly = tree(
        x__x_dll=Binary(system="windows", cpu="x86_64", forwards=("y.dll",)), x__y_dll=pe()
    )
    loader = Windows(partly, "x86_64", {})
    loader.load(f"{SITE}/x/x.dll")
    assert paths(loader) == ["x/x.dll"]


def test_a_file_for_another_processor_is_passed_over_and_fatal_where_it_is_all_there_is() -> None:
    files = tree(
        a__m_pyd=pe("y.dll"), a__y_dll=pe(cpu="arm64"), b__y_dll=pe(), c__m_pyd=pe(cpu="arm64")
    )
    loader = Windows(files, "x86_64", {}, folders=[f"{SITE}/b"])
    loader.load(f"{SITE}/a/m.pyd")
    assert paths(loader) == ["a/m.pyd", "b/y.dll"]
    loader = Windows(files, "x86_64", {})
    assert loader.load(f"{SITE}/a/m.pyd") is None
    assert loader.load(f"{SITE}/c/m.pyd") is None
    assert {each.why for each in loader.missing} == {"it is for arm64, not for x86_64"}
    assert all(each.fatal for each in loader.missing)
    assert not loader.loaded


def test_needs_are_mapped_level_by_level() -> None:
    files = tree(
        t_dll=pe("a.dll", "b.dll"),
        a_dll=pe("c.dll", "t.dll"),
        b_dll=pe("a.dll", "d.dll"),
        c_dll=pe(),
        d_dll=pe(),
    )
    loader = Windows(files, "x86_64", {})
    loader.load(f"{SITE}/t.dll")
    assert paths(loader) == ["t.dll", "a.dll", "b.dll", "c.dll", "d.dll"]


def test_what_is_present_is_taken_by_its_name() -> None:
    files = tree(x__x_pyd=pe("libiomp5md.dll"), x__libiomp5md_dll=pe())
    there = Image("C:/other/libiomp5md.dll", (9, 9), pe())
    loader = Windows(files, "x86_64", {}, present=[there])
    loader.load(f"{SITE}/x/x.pyd")
    assert paths(loader) == ["x/x.pyd"]
    assert loader.loaded[0].needed == [there]


def test_a_name_is_found_in_whatever_case_on_a_system_that_tells_them_apart() -> None:
    # A site of Windows that lies on a Linux machine.
    files = MemoryFiles({"/site/x.pyd": pe("VCOMP140.DLL"), "/site/vcomp140.dll": pe()})
    loader = Windows(files, "x86_64", {}, matters=runtime)
    assert loader.load("/site/X.pyd") is not None
    assert [image.path for image in loader.loaded] == ["/site/x.pyd", "/site/vcomp140.dll"]
