"""What macOS gives as bytes: headers of loaded images, the arguments of a process, image paths."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from macargs import procargs
from places import DATA

from omp_magic.errors import ParseError
from omp_magic.formats.macho import loaded_header_bytes, parse_loaded
from omp_magic.formats.procargs import parse_procargs
from omp_magic.knowledge.accelerate import accelerate_of, is_part_of_accelerate

RECORDED: list[dict[str, Any]] = json.loads((DATA / "macos" / "headers.json").read_text("utf-8"))[
    "headers"
]


def header_of(recorded: dict[str, Any]) -> bytes:
    return zlib.decompress(base64.b64decode(recorded["header"]))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each["wheel"][:20])
def test_the_segments_of_a_real_library_are_those_that_lief_sees(recorded: dict[str, Any]) -> None:
    header = header_of(recorded)
    assert loaded_header_bytes(header[:32]) == len(header)
    loaded = parse_loaded(header)
    assert not loaded.in_cache
    assert [
        (each.name, each.address, each.memory_bytes, each.writable, each.executable)
        for each in loaded.segments
    ] == [
        # A library's __TEXT is at 0; SG_READ_ONLY is 0x10.
        (name, address, size, bool(allowed & 2) and not flags & 0x10, bool(allowed & 4))
        for name, address, size, allowed, flags in recorded["segments"]
    ]


def image(*segments: tuple[str, int, int, int], flags: int = 0, magic: int = 0xFEEDFACF) -> bytes:
    """Lay out a header with segments (name, address, size, protection): <mach-o/loader.h>."""
    commands = b"".join(
        struct.pack("<II16sQQQQ4I", 0x19, 72, name.encode(), at, size, 0, 0, 7, allowed, 0, 0)
        for name, at, size, allowed in segments
    )
    numbers = 0x0100000C, 0, 6, len(segments), len(commands), flags, 0
    return struct.pack("<8I", magic, *numbers) + commands


def test_an_image_of_the_shared_cache_does_not_have_the_link_data_that_all_share() -> None:
    cached = image(
        ("__TEXT", 0x1_8000_0000, 0x4000, 5),
        ("__DATA", 0x1_F000_0000, 0x1000, 3),
        ("__LINKEDIT", 0x2_4000_0000, 0x1000_0000, 1),
        flags=0x8000_0000,
    )
    loaded = parse_loaded(cached)
    assert loaded.in_cache
    found = [(each.name, each.address) for each in loaded.segments]
    assert found == [("__TEXT", 0), ("__DATA", 0x7000_0000)]


def test_what_a_program_keeps_free_at_its_beginning_is_no_segment_of_it() -> None:
    program = image(("__PAGEZERO", 0, 1 << 32, 0), ("__TEXT", 1 << 32, 0x4000, 5))
    (text,) = parse_loaded(program).segments
    assert (text.name, text.address, text.executable) == ("__TEXT", 0, True)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\xcf\xfa\xed\xfe",
        image(("__TEXT", 0, 1, 5), magic=0xFEEDFACE),
        image(("__DATA", 0, 1, 3)),
        image(("__TEXT", 0, 1, 5))[:60],
        header_of(RECORDED[0])[:1000],
        image(("__TEXT", 0, 1, 5)).replace(
            struct.pack("<II", 0x19, 72), struct.pack("<II", 0x19, 80)
        ),
        struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 1, 1 << 30, 0, 0),
    ],
    ids=[
        "nothing",
        "magic",
        "32 bits",
        "no text",
        "cut",
        "cut in a real one",
        "too long",
        "endless",
    ],
)
def test_a_header_that_is_none_is_refused(broken: bytes) -> None:
    with pytest.raises(ParseError):
        parse_loaded(broken)


@given(st.lists(st.tuples(st.integers(0, 2047), st.binary(min_size=1, max_size=8)), max_size=8))
def test_a_changed_header_is_read_or_refused(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(header_of(RECORDED[0]))
    for at, piece in changes:
        data[at : at + len(piece)] = piece
    with contextlib.suppress(ParseError):
        parse_loaded(bytes(data))


APPLE = [
    b"pfz=0x7ffffff12000",
    b"stack_guard=0x1f",
    b"ptr_munge=",
    b"main_stack=",
    b"th_port=0x103",
]
"""As exec_add_apple_strings begins; libSystem has wiped two of them (libpthread, pthread.c)."""


@pytest.mark.parametrize("length", range(1, 17))
def test_the_environment_ends_where_the_kernels_own_texts_begin(length: int) -> None:
    """Only where it does not end on a whole pointer are there zeros between."""
    environ = [b"HOME=/Users/me", b"X=" + b"y" * length]
    data = procargs(b"/usr/bin/python3", [b"python3", b"-c", b"pass"], environ, APPLE)
    found = parse_procargs(data)
    assert found.path == "/usr/bin/python3"
    assert found.arguments == ("python3", "-c", "pass")
    assert found.environ == {"HOME": "/Users/me", "X": "y" * length}


def test_what_stands_behind_the_environment_is_none_of_it() -> None:
    found = parse_procargs(procargs(b"/p", [b"p"], [b"A=1234"], [b"key_of_later=1"]))
    assert found.environ == {"A": "1234"}


def test_a_variable_that_is_cut_off_is_not_told() -> None:
    data = procargs(b"/p", [b"p"], [b"A=1", b"OMP_NUM_THREADS=16"], [])
    assert parse_procargs(data[: data.index(b"6")]).environ == {"A": "1"}


def test_of_two_variables_the_first_counts_and_what_is_none_is_passed_over() -> None:
    environ = [b"A=1", b"none", b"A=2", b"B=c=d", "K=ü".encode(), b"\xff=\xfe"]
    found = parse_procargs(procargs(b"/p", [b"p"], environ, [])).environ
    assert found == {"A": "1", "B": "c=d", "K": "ü", "\udcff": "\udcfe"}


def test_arguments_without_their_environment_are_read() -> None:
    """So the kernel gives those of another process (sysctl_procargsx, omit_env_vars)."""
    found = parse_procargs(procargs(b"/p", [b"p", b"-x"], [], []))
    assert (found.arguments, dict(found.environ)) == (("p", "-x"), {})


@pytest.mark.parametrize(
    "broken",
    [b"", b"\1\0", struct.pack("<i", -1) + b"/p\0", struct.pack("<i", 9) + b"/p\0p\0"],
    ids=["nothing", "half a number", "negative", "fewer than it says"],
)
def test_arguments_that_are_not_there_are_refused(broken: bytes) -> None:
    with pytest.raises(ParseError):
        parse_procargs(broken)


@given(st.binary(max_size=200))
def test_any_bytes_are_arguments_or_refused(data: bytes) -> None:
    with contextlib.suppress(ParseError):
        parse_procargs(data)


FRAMEWORK = "/System/Library/Frameworks/Accelerate.framework/Versions/A"
VECLIB = f"{FRAMEWORK}/Frameworks/vecLib.framework/Versions/A"
VIMAGE = f"{FRAMEWORK}/Frameworks/vImage.framework/Versions/A"
IMAGES = [
    # The images of a process with Accelerate, in the order of a crash report: kovidgoyal/kitty#1699
    # (macOS 10.14), as in pydata/numexpr#306 and MacEnhance/MacForge#27 (macOS 10.15).
    f"{FRAMEWORK}/Accelerate",
    f"{VIMAGE}/Libraries/libCGInterfaces.dylib",
    f"{VIMAGE}/vImage",
    f"{VECLIB}/libBLAS.dylib",
    f"{VECLIB}/libBNNS.dylib",
    f"{VECLIB}/libLAPACK.dylib",
    f"{VECLIB}/libLinearAlgebra.dylib",
    f"{VECLIB}/libQuadrature.dylib",
    f"{VECLIB}/libSparse.dylib",
    f"{VECLIB}/libSparseBLAS.dylib",
    f"{VECLIB}/libvDSP.dylib",
    f"{VECLIB}/libvMisc.dylib",
    f"{VECLIB}/vecLib",
]
OTHERS = ["/usr/lib/libSystem.B.dylib", "/env/lib/libblas.3.dylib", "/home/Accelerate.framework/x"]


def test_the_many_images_of_accelerate_are_one_library() -> None:
    assert accelerate_of(OTHERS + IMAGES) == f"{VECLIB}/libBLAS.dylib"
    assert all(map(is_part_of_accelerate, IMAGES))
    assert not any(map(is_part_of_accelerate, OTHERS))


def test_a_process_that_links_its_blas_alone_has_accelerate() -> None:
    """As conda-forge's libblas does: joblib/threadpoolctl#166."""
    assert accelerate_of([*OTHERS, IMAGES[3]]) == IMAGES[3]


def test_without_a_blas_there_is_none() -> None:
    assert accelerate_of(OTHERS) is None
    assert accelerate_of([*OTHERS, *IMAGES[1:3]]) is None
