"""Files of three systems, small ones made here: every form that their headers may have."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from binaries import (
    ARM64,
    DELAYED_SINCE_VC7,
    X86_64,
    dll,
    dylib,
    exporting_dll,
    shared_object,
    universal,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from memoryfiles import MemoryFiles

from omp_magic.errors import ParseError
from omp_magic.formats.binaries import MARKS, Binary, parse_binary, parse_texts
from omp_magic.formats.elf import ElfFile, parse_constants, parse_elf
from omp_magic.formats.macho import MachO, parse_macho
from omp_magic.formats.pe import PortableExecutable, parse_pe
from omp_magic.loader.files import Disk
from omp_magic.loader.glibc import Glibc, beside

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
    weak = (needed[1],)
    assert parse_macho(file) == (MachO("arm64", "libme.dylib", needed, weak=weak),)


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


@pytest.mark.parametrize(
    ("cpu", "variant", "name"),
    [
        (ARM64, 2, "arm64e"),
        (ARM64, 0x80000002, "arm64e"),
        (X86_64, 8, "x86_64h"),
        (X86_64, 3, "x86_64"),
    ],
)
def test_the_newer_form_of_a_processor_is_one_of_its_own(cpu: int, variant: int, name: str) -> None:
    # The highest bit says how pointers are signed (CPU_SUBTYPE_PTRAUTH_ABI).
    assert parse_macho(dylib(cpu=cpu, variant=variant))[0].cpu == name


@pytest.mark.parametrize(("flags", "weak"), [(0, ()), (1, ("liby.dylib",)), (4, ())])
def test_a_load_command_may_say_in_flags_that_it_may_be_missing(
    flags: int, weak: tuple[str, ...]
) -> None:
    text = b"liby.dylib".ljust(20, b"\0")
    command = struct.pack("<7I", LOAD, 48, 28, 0x1A741800, 0, 0, flags) + text
    assert parse_macho(dylib(more=command, count=1))[0].weak == weak
    # An ordinary command has a date there, and its text begins before the flags.
    ordinary = struct.pack("<7I", LOAD, 48, 24, 0x1A741800, 0, 0, 0x646C7879) + text
    assert not parse_macho(dylib(more=ordinary, count=1))[0].weak


@pytest.mark.parametrize(
    "command",
    [
        struct.pack("<6I", 0x32, 24, 1, 11 << 16, 14 << 16 | 2 << 8, 0),
        struct.pack("<4I", 0x24, 16, 10 << 16, 14 << 16 | 2 << 8),
    ],
)
def test_the_sdk_of_a_dylib_is_read(command: bytes) -> None:
    assert parse_macho(dylib(more=command, count=1))[0].sdk == (14, 2)


def test_parts_of_a_file_that_overlap_are_refused() -> None:
    part = dylib((ID, "libme.dylib"))
    file = bytearray(universal(part))
    struct.pack_into(">Q", file, 8 + 32 + 8, 8 + 2 * 32)  # the second part where the first is
    with pytest.raises(ParseError):
        parse_macho(bytes(file))


@pytest.mark.parametrize(
    ("exports", "forwards", "whole"),
    [
        (("libomp.omp_get_num_threads", "libomp.#12", "-"), ("libomp.dll",), True),
        (("a.x", "", "b.#3"), ("a.dll", "b.dll"), False),
        (("with.dot.ocx.x",), ("with.dot.ocx",), True),
        (("",), (), False),
        ((), (), False),
        (("nothing",), (), False),
    ],
)
def test_a_dll_says_where_its_exports_are_forwarded(
    exports: tuple[str, ...], forwards: tuple[str, ...], whole: bool
) -> None:
    found = parse_pe(exporting_dll("libiomp5md.dll", *exports))
    assert (found.name, found.forwards, found.forwarder) == ("libiomp5md.dll", forwards, whole)


def test_a_file_of_any_system_gives_one_kind_of_answer() -> None:
    elf = shared_object(entries=(NEEDED, RPATH, RUNPATH))
    assert parse_binary(elf) == (
        Binary(
            system="linux",
            cpu="x86_64",
            name="libx.so",
            needed=("liby.so",),
            rpath="/r",
            runpath="$ORIGIN",
            size_bytes=len(elf),
        ),
    )
    both = universal(
        dylib((ID, "libme.dylib"), (LOAD_WEAK, "libomp.dylib"), (0x8000001C, "@loader_path")),
        dylib((LOAD, "libz.dylib"), cpu=X86_64),
    )
    assert parse_binary(both) == (
        Binary(
            system="macos",
            cpu="arm64",
            name="libme.dylib",
            needed=("libomp.dylib",),
            weak=("libomp.dylib",),
            rpaths=("@loader_path",),
            size_bytes=len(both),
        ),
        Binary(system="macos", cpu="x86_64", needed=("libz.dylib",), size_bytes=len(both)),
    )
    windows = dll(wide=True, attributes=DELAYED_SINCE_VC7)
    assert parse_binary(windows) == (
        Binary(
            system="windows",
            cpu="x86_64",
            needed=("one.dll",),
            delayed=("two.dll",),
            folds_case=True,
            size_bytes=len(windows),
        ),
    )
    forwards = exporting_dll("libiomp5md.dll", "libomp.x")
    assert parse_binary(forwards)[0].forwards == ("libomp.dll",)
    assert parse_binary(forwards)[0].forwarder


@pytest.mark.parametrize("file", [shared_object(), dylib(), exporting_dll("x.dll")])
def test_texts_are_those_of_a_runtime_and_of_nothing_else(file: bytes) -> None:
    assert parse_texts(file) == ()
    assert parse_texts(file + b"\0libiomp5\0shm_open\0") == ()
    held = b"\0__KMP_REGISTERED_LIB_%d\0/dev/shm\0libiomp5.so\0"
    assert parse_texts(file + held) == ("__KMP_REGISTERED_LIB_", "libiomp5", "/dev/shm")
    every = file + b"\0".join(MARKS)
    assert parse_texts(every) == tuple(mark.decode() for mark in MARKS)


def test_texts_are_those_of_the_part_for_the_processor() -> None:
    held = b"__KMP_REGISTERED_LIB_"
    both = universal(dylib() + held, dylib(cpu=X86_64))
    assert parse_texts(both, "arm64") == parse_texts(both) == (held.decode(),)
    assert parse_texts(both, "x86_64") == parse_texts(both, "ppc") == ()


@pytest.mark.parametrize("file", [b"", b"MZ", b"#!/bin/sh\n", b"\x7fELF", b"\xcf\xfa\xed\xfe"])
def test_what_is_no_machine_code_is_refused_in_one_line(file: bytes) -> None:
    for parse in (parse_binary, parse_texts):
        with pytest.raises(ParseError) as caught:
            parse(file)
        assert "\n" not in str(caught.value)


WHOLE = (
    shared_object(entries=(NEEDED, RPATH, RUNPATH)),
    shared_object(wide=False, order=">", entries=(NEEDED,)),
    dylib((ID, "libme.dylib"), (LOAD, "libomp.dylib"), (0x8000001C, "@loader_path")),
    universal(dylib((LOAD, "a")), dylib((LOAD, "b"), cpu=X86_64)),
    dll(wide=True, attributes=DELAYED_SINCE_VC7),
    exporting_dll("me.dll", "libomp.x", "", "-"),
)
BYTES = st.tuples(st.integers(0, 1 << 16), st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WHOLE), st.lists(BYTES, max_size=12), st.integers(0, 1 << 16))
def test_no_changed_or_cut_file_does_more_than_fail(
    file: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    changed = bytearray(file)
    for place, value in changes:
        changed[place % len(changed)] = value
    data = bytes(changed[: length % (len(changed) + 1) or None])
    for parse in (parse_binary, parse_texts):
        try:
            found = parse(data)
        except ParseError:
            continue
        assert len(found) <= 64


def test_sections_that_are_all_the_whole_file_are_searched_once() -> None:
    # 4,000 sections of one mebibyte each that begin at the same place: 4 GB to search, or one.
    names = b"\0.rodata\0"
    head = 64
    rows = 4000
    table = head + rows * 64
    size = table + len(names) + (1 << 20)
    header = struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, 0, size, 0, 0, 0, 0)
    strings = struct.pack("<IIQQQQIIQQ", 1, 3, 0, 0, table, len(names), 0, 0, 0, 0)
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    elf = ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, head, 0, 64, 0, 0, 64, rows, rows - 1
    )
    file = (elf + header * (rows - 1) + strings + names).ljust(size, b"x")
    assert parse_constants(file) == ((0, size),)


def test_no_file_says_more_than_a_loader_would_read() -> None:
    # One long text that thousands of entries share would be thousands of texts.
    with pytest.raises(ParseError):
        parse_elf(shared_object(entries=(NEEDED,) * 5000))
    many = exporting_dll("x.dll", *(f"dll{number}.f" for number in range(6000)))
    assert len(parse_pe(many).forwards) == 4096
    with pytest.raises(ParseError):
        parse_macho(dylib(more=bytes(2 << 20)))


def test_files_in_memory_answer_as_files_of_a_disk_do() -> None:
    part = dylib((ID, "libme.dylib")) + b"__KMP_REGISTERED_LIB_"
    files = MemoryFiles({"/a/libme.dylib": part}, links={"/b": "a", "/loop": "/loop"})
    assert files.binaries("/b/libme.dylib") == parse_binary(part)
    assert files.texts("/b/libme.dylib") == ("__KMP_REGISTERED_LIB_",)
    assert files.real("/b/libme.dylib") == "/a/libme.dylib"
    assert files.names("/b") == ("libme.dylib",)
    assert files.is_folder("/b")
    assert not files.is_file("/loop")
    assert files.identity("/b/libme.dylib") == files.identity("/a/libme.dylib")
    assert files.stamp("/a/libme.dylib") == (1, len(part))
    assert files.stamp("/none") is None


def test_a_runpath_silences_the_rpath_beside_it(tmp_path: Path) -> None:
    (tmp_path / "liby.so").write_bytes(b"")
    asks = Binary(system="linux", cpu="x86_64", rpath="/nowhere", runpath="$ORIGIN")
    assert beside("liby.so", f"{tmp_path}/libx.so", asks, Disk()) == f"{tmp_path}/liby.so"
    silenced = Binary(system="linux", cpu="x86_64", rpath="$ORIGIN", runpath="/no")
    assert beside("liby.so", f"{tmp_path}/libx.so", silenced, Disk()) is None


def test_a_file_that_comes_under_a_second_name_is_one_library(tmp_path: Path) -> None:
    (tmp_path / "first.so").write_bytes(shared_object())
    os.link(tmp_path / "first.so", tmp_path / "second.so")
    objects = Glibc(Disk(), {})
    first = objects.load(f"{tmp_path}/first.so")
    assert first is not None
    assert objects.load(f"{tmp_path}/second.so") is first
    assert objects.loaded == [first]
