"""Files of three systems, small ones made here: every form that their headers may have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from binaries import DELAYED_SINCE_VC7, dll, dylib, shared_object, universal

from omp_magic.formats.elf import ElfFile, parse_elf
from omp_magic.formats.macho import MachO, parse_macho
from omp_magic.formats.pe import PortableExecutable, parse_pe
from omp_magic.loader.objects import Objects, Reader, beside

NEEDED, RPATH, RUNPATH = (1, 9), (15, 17), (29, 20)
ID, LOAD, LOAD_WEAK, REEXPORT, LAZY, UPWARD = 0x0D, 0x0C, 0x80000018, 0x8000001F, 0x20, 0x80000023


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [True, False])
def test_an_elf_file_of_any_class_and_byte_order_is_read(wide: bool, order: str) -> None:
    file = shared_object(wide=wide, order=order, entries=(NEEDED, RPATH, RUNPATH))
    assert parse_elf(file) == ElfFile("libx.so", ("liby.so",), "/r", "$ORIGIN")


@pytest.mark.parametrize("moved", [0, 0x2000])
def test_texts_are_found_where_the_file_has_them_and_not_where_memory_has_them(moved: int) -> None:
    # patchelf, with which auditwheel mends wheels, moves the texts into a segment of their own.
    file = shared_object(moved=moved, entries=(NEEDED,))
    assert parse_elf(file) == ElfFile("libx.so", ("liby.so",))


def test_every_way_of_a_dylib_to_need_another_counts() -> None:
    ways = (LOAD, LOAD_WEAK, REEXPORT, LAZY, UPWARD)
    needed = tuple(f"lib{way:x}.dylib" for way in ways)
    file = dylib((ID, "libme.dylib"), *zip(ways, needed, strict=True))
    assert parse_macho(file) == (MachO("arm64", "libme.dylib", needed),)


def test_a_dylib_for_two_processors_may_have_offsets_of_64_bits() -> None:
    part = dylib((ID, "libme.dylib"), (LOAD, "libomp.dylib"))
    assert parse_macho(universal(part)) == parse_macho(part) * 2


@pytest.mark.parametrize(
    ("wide", "attributes", "cpu"),
    [(True, DELAYED_SINCE_VC7, "x86_64"), (False, DELAYED_SINCE_VC7, "x86"), (False, 0, "x86")],
)
def test_a_dll_of_any_width_and_age_names_what_it_needs(
    wide: bool, attributes: int, cpu: str
) -> None:
    file = dll(wide=wide, attributes=attributes)
    assert parse_pe(file) == PortableExecutable(cpu, None, ("one.dll",), ("two.dll",))


def test_a_runpath_silences_the_rpath_beside_it(tmp_path: Path) -> None:
    (tmp_path / "liby.so").write_bytes(b"")
    elf = ElfFile(rpath="/nowhere", runpath="$ORIGIN")
    assert beside("liby.so", f"{tmp_path}/libx.so", elf) == f"{tmp_path}/liby.so"
    assert beside("liby.so", f"{tmp_path}/libx.so", ElfFile(rpath="$ORIGIN", runpath="/no")) is None


def test_a_file_that_comes_under_a_second_name_is_one_library(tmp_path: Path) -> None:
    (tmp_path / "first.so").write_bytes(shared_object())
    os.link(tmp_path / "first.so", tmp_path / "second.so")
    objects = Objects(Reader(), {})
    first = objects.load(f"{tmp_path}/first.so")
    assert first is not None
    assert objects.load(f"{tmp_path}/second.so") is first
    assert objects.loaded == [first]
