"""The parsers of the ground layer, on real text and on any text."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omp_magic.errors import LimitError, ParseError
from omp_magic.formats.elf import ElfFile, parse_elf
from omp_magic.formats.procfs import parse_environ, parse_maps, parse_stat
from omp_magic.knowledge.catalog import FAMILIES, family_of, mkl_layer_of, readers_of
from omp_magic.knowledge.envvars import is_true, parse_thread_list
from omp_magic.limits.spec import Amount, parse_limit

# From a real kernel with scikit-learn, one line each of file, heap and anonymous memory, and
# the library after `pip install -U scikit-learn`.
MAPS = """\
55d0c1a00000-55d0c1a21000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000010000 r--p 00000000 fe:00 1234        /e/libgomp-a34b3233.so.1.0.0
7f0000010000-7f0000020000 r-xp 00010000 fe:00 1234        /e/libgomp-a34b3233.so.1.0.0
7f0000020000-7f0000030000 rw-p 00000000 00:00 0\x20
7f0000030000-7f0000040000 r--p 00000000 fe:00 99    /e/~klearn/libgomp-e985bcbb.so.1.0.0 (deleted)
7f0000040000-7f0000050000 r--p 00000000 fe:00 77        /e/a b\\012c/libomp.so
not a line
"""


def test_maps() -> None:
    gomp, deleted, odd = parse_maps(MAPS)
    assert gomp.path == "/e/libgomp-a34b3233.so.1.0.0"
    assert (gomp.device, gomp.inode) == ("fe:00", 1234)
    assert gomp.starts == (0x7F0000000000, 0x7F0000010000)
    assert not gomp.deleted
    assert deleted.path == "/e/~klearn/libgomp-e985bcbb.so.1.0.0"
    assert deleted.deleted
    assert odd.path == "/e/a b\nc/libomp.so"
    assert odd.file_name == "libomp.so"


def test_stat_with_a_name_that_holds_parentheses() -> None:
    stat = parse_stat("12 (a) b (c) S " + " ".join(map(str, range(1, 50))))
    assert (stat.comm, stat.state) == ("a) b (c", "S")
    assert (stat.user_ticks, stat.system_ticks, stat.num_threads) == (11, 12, 17)
    for text in ("", "12 (a) S 1 2", "12 (a) S " + "x " * 50):
        with pytest.raises(ParseError):
            parse_stat(text)


def test_environ() -> None:
    assert parse_environ("A=1\0B=x=y\0A=2\0bad\0=z\0") == {"A": "1", "B": "x=y"}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("libgomp.so.1.0.0", "libgomp"),
        ("libgomp-a34b3233.so.1.0.0", "libgomp"),
        ("libomp.so.5", "libomp"),
        ("libomp-b8e5a5c2.so", "libomp"),
        ("libomp140.x86_64.dll", "libomp"),
        ("libiomp5.so", "libiomp5"),
        ("libiomp5md.dll", "libiomp5"),
        ("vcomp140.dll", "vcomp"),
        ("libscipy_openblas64_-32a4b2a6.so", "openblas"),
        ("libopenblasp-r0-59ffcd50.so", "openblas"),
        ("openblas.dll", "openblas"),
        ("libmkl_rt.so.3", "mkl"),
        ("mkl_rt.2.dll", "mkl"),
        ("libblis.so.4", "blis"),
    ],
)
def test_families_by_the_start_of_a_file_name(name: str, key: str) -> None:
    family = family_of(name)
    assert family is not None
    assert family.key == key


@pytest.mark.parametrize(
    "name",
    [
        "_compute.cpython-311-x86_64-linux-gnu.so",
        "_decomp_update.so",
        "libtorch_compute.so",
        "libomptarget.so",
        "libompd.so",
        "libiompstubs5.so",
        "libgomp-plugin-nvptx.so.1",
        "libmkl_core.so.3",
        "libcomposite.so",
        "",
    ],
)
def test_other_files_are_no_runtime(name: str) -> None:
    assert family_of(name) is None


def test_catalog_is_consistent() -> None:
    keys = [family.key for family in FAMILIES]
    assert len(keys) == len(set(keys))
    assert mkl_layer_of("libmkl_intel_thread.so.3") == "intel"
    assert mkl_layer_of("libmkl_rt.so.3") is None
    assert "openblas" in readers_of("OMP_NUM_THREADS")


def test_llvms_and_intels_openmp_are_kin_and_nothing_else_is() -> None:
    """These two end a process that has both: LLVM's kmp_runtime.cpp, Error #15."""
    kin: dict[str, set[str]] = {}
    for family in FAMILIES:
        kin.setdefault(family.kin, set()).add(family.key)
    assert kin.pop("llvm") == {"libiomp5", "libomp"}
    assert all(len(keys) == 1 for keys in kin.values())


def test_thread_lists() -> None:
    assert parse_thread_list("X", "4") == (4,)
    assert parse_thread_list("X", " 4, 2 ") == (4, 2)
    for text in ("", "0", "4,", "-1", "two", "4 2", "1e3", "\u0664"):
        with pytest.raises(ParseError, match="X: found"):
            parse_thread_list("X", text)
    assert is_true("TRUE")
    assert is_true("1 ")
    assert not is_true(" 1")
    assert not is_true("false")
    assert not is_true(None)


class NumpysOwn:
    """An integer that is no int, as NumPy's are (operator.index)."""

    def __index__(self) -> int:
        return 3


def test_limits() -> None:
    assert parse_limit(2).amounts == (("", Amount(2)),)
    assert parse_limit("auto").amounts == (("", Amount(1, auto=True)),)
    assert parse_limit("auto/4").amounts == (("", Amount(4, auto=True)),)
    assert parse_limit("blas=1 openmp=auto/2").amounts == (
        ("blas", Amount(1)),
        ("openmp", Amount(2, auto=True)),
    )
    assert parse_limit({"mkl": 1, "libgomp": "auto"}).text == "mkl=1 libgomp=auto"
    assert parse_limit("libgomp-a34b3233.so.1.0.0=2").amounts[0][0] == "libgomp-a34b3233.so.1.0.0"
    assert parse_limit(NumpysOwn()).text == "3"
    assert Amount(4, auto=True).threads(2) == 1
    assert Amount(2, auto=True).threads(8) == 4


@pytest.mark.parametrize(
    "spec",
    ["", "0", "-1", "1e6", "blas=", "foo=2", "auto/0", "auto2", "auto/", "2 3", "blas=1 blas=2",
     "=2", "9999999999", True, None, 1.5, {"blas": 0}, {}],
)  # fmt: skip
def test_wrong_limits(spec: Any) -> None:
    with pytest.raises(LimitError, match=r"found .*accepted: .*example: "):
        parse_limit(spec)


@pytest.mark.parametrize(
    ("spec", "found"), [("1 # one", "'#'"), ("auto / 2", "'/'"), ("1 off", "'off'")]
)
def test_a_wrong_word_is_named_before_a_second_number(spec: str, found: str) -> None:
    with pytest.raises(LimitError, match=f"found {found}; accepted: N "):
        parse_limit(spec)
    with pytest.raises(LimitError, match="found '2 3'; accepted: each name once, one number for"):
        parse_limit("2 3")


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_no_limit_text_raises_anything_else(text: str) -> None:
    try:
        assert parse_limit(text).amounts
    except LimitError as error:
        assert "\n" not in str(error)  # noqa: PT017 - the point is that nothing else is raised


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_proc_text_raises_anything_but_our_own_error(text: str) -> None:
    parse_maps(text)
    parse_maps(f"1-2 r--p 0 0:1 3 /{text}")
    parse_environ(text)
    with contextlib.suppress(ParseError):
        parse_stat(text)


def small_elf() -> bytearray:
    """Make the smallest file with a dynamic section: two program headers and two strings."""
    strings = b"\0libx.so\0liby.so\0"
    table = 64 + 2 * 56
    dynamic = table + len(strings)
    entries = [(14, 1), (1, 9), (5, table), (0, 0)]
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = dynamic + 16 * len(entries)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    points = struct.pack("<IIQQQQQQ", 2, 4, dynamic, dynamic, 0, 64, 64, 8)
    return bytearray(
        header + load + points + strings + b"".join(struct.pack("<qQ", *e) for e in entries)
    )


def test_small_elf() -> None:
    assert parse_elf(bytes(small_elf())) == ElfFile(soname="libx.so", needed=("liby.so",))
    for text in (b"", b"\x7fELF", b"#!/bin/sh", b"\x7fELF\x07\x01" + bytes(100)):
        with pytest.raises(ParseError):
            parse_elf(text)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_no_bytes_raise_anything_but_our_own_error(data: st.DataObject) -> None:
    file = small_elf()
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)))
    for candidate in (bytes(file), bytes(file[:cut]), data.draw(st.binary())):
        with contextlib.suppress(ParseError):
            parse_elf(candidate)
