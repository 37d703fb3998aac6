"""Files of machine code that tests make say what they were told, to our readers and to LIEF."""

from __future__ import annotations

import lief
import pytest
from machinecode import mach_o, pe, universal

from omp_magic.formats.binaries import parse_binary, parse_texts

MARK = b"__KMP_REGISTERED_LIB_"
NEEDED = ("@rpath/libomp.dylib", "/usr/lib/libSystem.B.dylib")
RPATHS = ("/opt/homebrew/opt/libomp/lib", "@loader_path/../lib")
DLLS = ("KERNEL32.dll", "VCOMP140.DLL")


def test_a_dylib_says_what_it_was_told() -> None:
    data = mach_o(
        "arm64", name="@rpath/libx.dylib", needed=NEEDED, weak=NEEDED[1:], rpaths=RPATHS,
        sdk=(14, 2), texts=(MARK, b"shm_open"), size_bytes=120_000,
    )  # fmt: skip
    (found,) = parse_binary(data)
    assert (found.system, found.cpu, found.name) == ("macos", "arm64", "@rpath/libx.dylib")
    assert (found.needed, found.weak, found.rpaths) == (NEEDED, NEEDED[1:], RPATHS)
    assert (found.sdk, found.size_bytes) == ((14, 2), 120_000)
    assert parse_texts(data) == (MARK.decode(), "shm_open")
    whole = lief.MachO.parse(list(data))  # its parts live no longer than it does
    assert whole is not None
    other = whole.at(0)
    assert other is not None
    assert [each.name for each in other.libraries] == ["@rpath/libx.dylib", *NEEDED]
    assert [each.path for each in other.rpaths] == [*RPATHS]
    assert other.header.file_type is lief.MachO.Header.FILE_TYPE.DYLIB


def test_a_bundle_has_no_name_of_its_own() -> None:
    (found,) = parse_binary(mach_o("x86_64", needed=NEEDED))
    assert (found.cpu, found.name, found.needed, found.rpaths) == ("x86_64", None, NEEDED, ())


def test_a_universal_file_has_a_part_for_each_processor() -> None:
    data = universal(mach_o("arm64", texts=(MARK,), size_bytes=5000), mach_o("x86_64", name="x"))
    assert [each.cpu for each in parse_binary(data)] == ["arm64", "x86_64"]
    assert parse_texts(data, "arm64") == (MARK.decode(),)
    assert parse_texts(data, "x86_64") == ()
    whole = lief.MachO.parse(list(data))
    assert whole is not None
    assert whole.size == 2


@pytest.mark.parametrize("forwarder", [False, True])
def test_a_dll_says_what_it_was_told(forwarder: bool) -> None:
    data = pe(
        "x86_64", name="libx.dll", needed=DLLS, delayed=("mkl_rt.dll",),
        forwards=("libomp.dll",), forwarder=forwarder, texts=(MARK,), size_bytes=120_000,
    )  # fmt: skip
    (found,) = parse_binary(data)
    assert (found.system, found.cpu, found.name) == ("windows", "x86_64", "libx.dll")
    assert (found.needed, found.delayed) == (DLLS, ("mkl_rt.dll",))
    assert (found.forwards, found.forwarder) == (("libomp.dll",), forwarder)
    assert (found.size_bytes, parse_texts(data)) == (120_000, (MARK.decode(),))
    other = lief.PE.parse(list(data))
    assert isinstance(other, lief.PE.Binary)
    assert [each.name for each in other.imports] == [*DLLS]
    assert [each.name for each in other.delay_imports] == ["mkl_rt.dll"]
    exports = other.get_export()
    assert exports is not None
    assert exports.name == "libx.dll"


def test_a_dll_that_exports_nothing_has_no_name() -> None:
    (found,) = parse_binary(pe("x86_64", needed=DLLS))
    assert (found.name, found.needed, found.forwarder) == (None, DLLS, False)
