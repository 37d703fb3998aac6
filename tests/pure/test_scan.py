"""What a scan says of wheels and folders of three systems, small ones made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

from binaries import dylib, exporting_dll, importing_dll
from facts_for_tests import snapshot

from omp_magic.installed.wheels import Scanned, scan
from omp_magic.rules import judge
from omp_magic.views.scan import render_scan

ID, LOAD, RPATH = 0x0D, 0x0C, 0x8000001C
LLVM = b"\0__KMP_REGISTERED_LIB_%d\0"
INTEL = LLVM + b"libiomp5.dylib\0"


def wheel(folder: Path, **files: bytes) -> Path:
    """Make a wheel; ``__`` in a name stands for a slash, ``_`` for a dot."""
    path = folder / "x-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return path


def unpacked(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def codes(scanned: Scanned) -> list[str]:
    return [each.code for each in judge(snapshot(), coming=scanned.libraries)]


def test_a_second_copy_that_nothing_links_is_said_and_not_judged(tmp_path: Path) -> None:
    # As torch 1.13.1 for macOS x86_64 has it.
    linked = "functorch/.dylibs/libiomp5.dylib"
    path = wheel(
        tmp_path,
        torch__lib__libiomp5_dylib=dylib((ID, "@rpath/libiomp5.dylib")) + INTEL,
        torch__lib__libtorch_dylib=dylib((LOAD, f"@loader_path/../../{linked}")),
        **{"functorch__.dylibs__libiomp5_dylib": dylib((ID, "/DLC/f/libiomp5.dylib")) + INTEL},
    )
    found = scan(path)
    assert found.unlinked == ("torch/lib/libiomp5.dylib",)
    assert [each.path for each in found.libraries] == [linked]
    assert not codes(found)
    shown = " ".join(render_scan(found, ()).split())
    assert (
        "torch/lib/libiomp5.dylib, install name @rpath/libiomp5.dylib, "
        "registers in the environment, nothing in it links it"
    ) in shown
    assert "/DLC/f/libiomp5.dylib, registers in the environment ships" not in shown


def test_a_copy_that_nothing_links_is_judged_where_it_is_the_only_one(tmp_path: Path) -> None:
    found = scan(wheel(tmp_path, lib__libiomp5_dylib=dylib((ID, "@rpath/libiomp5.dylib")) + INTEL))
    assert found.unlinked == ("lib/libiomp5.dylib",)
    assert [each.family for each in found.libraries] == ["libiomp5"]


def test_on_windows_a_copy_that_nothing_links_is_opened_by_its_path(tmp_path: Path) -> None:
    # As torch 2.4.0 for Windows has it, which opens every DLL of its folder.
    path = wheel(
        tmp_path,
        torch__lib__libiomp5md_dll=exporting_dll("libiomp5md.dll", "") + INTEL,
        torch__lib__torch_dll=importing_dll("libomp140.x86_64.dll"),
    )
    found = scan(path)
    assert found.unlinked == ("torch/lib/libiomp5md.dll",)
    assert codes(found) == ["OMP101"]


def test_a_need_says_where_it_is_searched(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        lightgbm__lib_dylib=dylib(
            (LOAD, "@rpath/libomp.dylib"),
            (RPATH, "/opt/homebrew/opt/libomp/lib"),
            (RPATH, "/opt/x"),
        ),
    )
    (need,) = scan(path).needs
    assert need.rpaths == ("/opt/homebrew/opt/libomp/lib", "/opt/x")
    shown = " ".join(render_scan(scan(path), ()).split())
    assert "1 file, searched in /opt/homebrew/opt/libomp/lib, /opt/x" in shown


def test_where_copies_register_is_told(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        a__libomp_dylib=dylib() + LLVM,
        b__libomp_dylib=dylib() + LLVM + b"_shm_open\0/tmp/%sXXXXXX\0",
        c__libomp_dylib=dylib() + LLVM + b"_shm_open\0/dev/shm\0/tmp/%s\0",
        d__held_so=dylib() + LLVM + b"_shm_open\0/dev/shm\0/tmp/%s\0",
        e__libgomp_dylib=dylib(),
    )
    assert [(each.static, each.registers) for each in scan(path).ships] == [
        (False, "environment"),
        (False, "shared memory"),
        (False, "file"),
        (True, "environment"),
        (False, None),
    ]


def test_accelerate_is_the_systems_own_and_one_whatever_part_is_asked_for(tmp_path: Path) -> None:
    frameworks = "/System/Library/Frameworks/Accelerate.framework/Versions/A"
    path = wheel(
        tmp_path,
        a_so=dylib((LOAD, f"{frameworks}/Accelerate")),
        b_so=dylib((LOAD, f"{frameworks}/Frameworks/vecLib.framework/Versions/A/libBLAS.dylib")),
        c_so=dylib((LOAD, "/usr/lib/libblas.dylib")),
        d_so=dylib((LOAD, "/usr/lib/libSystem.B.dylib")),
    )
    found = scan(path)
    (need,) = found.needs
    assert (need.family, need.files) == ("accelerate", ("a.so", "b.so", "c.so"))
    assert need.everywhere
    (library,) = found.libraries
    assert (library.label, library.api, library.kin) == ("Apple Accelerate", "blas", "accelerate")
    assert "uses Apple Accelerate, the system's own: 3 files" in " ".join(
        render_scan(found, ()).split()
    )


def test_a_dll_that_only_forwards_is_no_copy(tmp_path: Path) -> None:
    path = wheel(
        tmp_path,
        bin__libiomp5md_dll=exporting_dll("libiomp5md.dll", "libomp.x", "libomp.#12"),
        bin__libomp_dll=exporting_dll("libomp.dll", "") + LLVM,
        bin__mkl_dll=importing_dll("libiomp5md.dll"),
    )
    found = scan(path)
    assert [each.path for each in found.ships] == ["bin/libomp.dll"]
    assert not found.needs
    assert not found.unlinked


def test_a_list_of_variables_is_no_runtime(tmp_path: Path) -> None:
    names = b"\0GOMP_CPU_AFFINITY\0GOMP_SPINCOUNT\0KMP_AFFINITY\0"  # as OpenVINO has them
    path = wheel(tmp_path, a_so=dylib() + names, b_dll=importing_dll(held=names))
    assert not scan(path).ships


def test_forms_of_one_file_for_several_processors_are_one_copy(tmp_path: Path) -> None:
    path = tmp_path / "faiss-1.7.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("_swigfaiss.so", "_swigfaiss_avx2.so", "_swigfaiss_avx512_spr.so"):
            archive.writestr(f"faiss/{name}", dylib() + LLVM)
    found = scan(path)
    assert len(found.ships) == 3
    assert [each.path for each in found.libraries] == ["faiss/_swigfaiss.so"]
    assert not codes(found)


def test_libraries_beside_a_folder_of_windows_are_found_and_what_they_need(tmp_path: Path) -> None:
    mangled = f"libomp-{'0' * 32}.dll"
    unpacked(
        tmp_path,
        {
            "pkg/_m.pyd": importing_dll(f"helper-{'1' * 32}.dll", "other.dll"),
            f"real_name.libs/Helper-{'1' * 32}.DLL": importing_dll(mangled),
            f"real_name.libs/{mangled}": exporting_dll(mangled, "") + LLVM,
            "other.libs/other.dll": importing_dll("vcomp140.dll"),
            "other.libs/vcomp140.dll": exporting_dll("vcomp140.dll", ""),
        },
    )
    found = scan(tmp_path / "pkg")
    assert [each.path for each in found.ships] == [f"../real_name.libs/{mangled}"]
    assert (found.binaries, found.needs, found.unlinked) == (1, (), ())
    # A folder of the package's own name is its own, whatever its files are called.
    unpacked(tmp_path, {"own/_m.pyd": importing_dll("vcomp140.dll")})
    assert [each.family for each in scan(tmp_path / "own").needs] == ["vcomp"]
    unpacked(tmp_path, {"own.libs/VCOMP140.dll": exporting_dll("vcomp140.dll", "")})
    assert [each.path for each in scan(tmp_path / "own").ships] == ["../own.libs/VCOMP140.dll"]


def test_libraries_beside_a_folder_of_macos_are_found(tmp_path: Path) -> None:
    unpacked(
        tmp_path,
        {
            "pkg/sub/a.so": dylib((LOAD, "@loader_path/../../.dylibs/libomp.dylib")),
            "pkg/b.so": dylib((LOAD, "@rpath/libiomp5.dylib"), (RPATH, "@loader_path/../lib")),
            ".dylibs/libomp.dylib": dylib((ID, "/DLC/libomp.dylib")) + LLVM,
            "lib/libiomp5.dylib": dylib((ID, "@rpath/libiomp5.dylib")) + INTEL,
        },
    )
    found = scan(tmp_path / "pkg")
    assert sorted(each.path for each in found.ships) == [
        "../.dylibs/libomp.dylib",
        "../lib/libiomp5.dylib",
    ]
    assert not found.needs
    assert not found.unlinked
