"""Wheels for other platforms, real ones from the index, and archives that mean harm."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from downloads import download
from facts_for_tests import snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live import LINUX
from places import CACHE

from omp_magic.errors import OmpMagicError, ParseError
from omp_magic.formats.macho import parse_macho
from omp_magic.formats.pe import parse_pe
from omp_magic.installed.wheels import ScanError, scan
from omp_magic.rules import judge

MAC = ("macosx_14_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64")
WINDOWS = ("win_amd64",)


def wheel(requirement: str, platforms: tuple[str, ...]) -> str:
    """Give a wheel of another platform, downloaded once; skip where there is no network."""
    name = requirement.partition("=")[0].replace("-", "_")
    folder = CACHE / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    family = platforms[0].partition("_")[0]
    pattern = f"{name}-*{family}*.whl"
    if not list(folder.glob(pattern)):
        with download(requirement, *platforms) as fetched:
            os.replace(fetched, folder / fetched.name)
    return str(max(folder.glob(pattern)))


def test_a_mac_wheel_ships_its_own_libomp() -> None:
    found = scan(wheel("scikit-learn==1.9.1", MAC))
    assert found.platforms == ("macos",)
    assert (found.name, found.version, found.kind) == ("scikit_learn", "1.9.1", "wheel")
    assert [(each.family, each.path) for each in found.ships] == [
        ("libomp", "sklearn/.dylibs/libomp.dylib")
    ]
    assert found.ships[0].name == "libomp.dylib"
    assert found.ships[0].initialized is False
    assert not found.needs
    assert found.binaries > 50


def test_a_mac_wheel_asks_for_a_libomp_from_elsewhere() -> None:
    found = scan(wheel("lightgbm==4.7.0", MAC))
    (need,) = found.needs
    assert (need.name, need.family, need.late) == ("@rpath/libomp.dylib", "libomp", False)
    assert need.files == ("lightgbm/lib/lib_lightgbm.dylib",)
    assert not found.ships
    assert [each.name for each in found.libraries] == ["libomp.dylib"]


def test_a_windows_wheel_ships_vcomp_and_another_asks_for_it() -> None:
    found = scan(wheel("scikit-learn==1.9.1", WINDOWS))
    assert found.platforms == ("windows",)
    assert [(e.family, e.path) for e in found.ships] == [("vcomp", "sklearn/.libs/vcomp140.dll")]
    assert not found.needs
    (need,) = scan(wheel("lightgbm==4.7.0", WINDOWS)).needs
    assert (need.name, need.family) == ("VCOMP140.DLL", "vcomp")


def test_two_runtimes_of_llvm_from_wheels_are_judged_before_they_are_installed() -> None:
    coming = [
        library
        for requirement in ("scikit-learn==1.9.1", "lightgbm==4.7.0")
        for library in scan(wheel(requirement, MAC)).libraries
    ]
    assert "OMP101" in [finding.code for finding in judge(snapshot(), coming=coming)]
    assert "OMP101" not in [finding.code for finding in judge(snapshot(), coming=coming[:1])]


def test_an_installed_folder_and_a_file_are_scanned_alike() -> None:
    if not LINUX:
        pytest.skip("looks for the Linux package's parts")
    spec = find_spec("faiss")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    found = scan(folder)
    assert (found.kind, found.platforms) == ("folder", ("linux",))
    assert "libgomp" in [each.family for each in found.ships]
    assert all(each.path.startswith("../faiss_cpu.libs/") for each in found.ships)
    one = next(folder.glob("_swigfaiss*.so"))
    single = scan(one)
    assert (single.kind, single.binaries) == ("file", 1)
    assert [need.family for need in single.needs if need.family == "libgomp"] == ["libgomp"]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (Path.exists, "No such file"),
        (lambda path: path.write_bytes(b"PK\3\4 no more"), "a broken archive"),
        (lambda path: path.write_bytes(b""), "a broken archive"),
    ],
)
def test_a_broken_wheel_is_one_clear_line(tmp_path: Path, make: object, found: str) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    assert callable(make)
    make(path)
    with pytest.raises(ScanError, match=found) as caught:
        scan(path)
    assert isinstance(caught.value, OmpMagicError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../x.so", "/x.so", "a/../../x.so", "C:x.dll"])
def test_a_name_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(ScanError, match="a member called"):
        scan(path)
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_that_is_no_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(b"\x7fELF, or so it says")
    with pytest.raises(ScanError, match="no machine code"):
        scan(path)


def test_a_bomb_is_passed_over_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    code = Path(sys.executable).resolve().read_bytes()[:1000]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.so", bytes(64 << 20))
        archive.writestr("odd\nname.so", code)
    found = scan(path)
    assert any(
        note.startswith("bomb.so is passed over") and "no machine code" in note
        for note in found.notes
    )
    assert not any("\n" in note for note in found.notes)
    assert found.binaries == 1


def test_a_member_that_lies_about_its_size_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.so", os.urandom(5000))
    data = path.read_bytes()
    at = data.rindex(b"PK\1\2") + 24
    for size in (5 << 20, 10, 0xFFFFFFF0):
        path.write_bytes(data[:at] + size.to_bytes(4, "little") + data[at + 4 :])
        found = scan(path)
        assert len(found.notes) == 1, found
        assert not found.ships


def test_a_runtime_under_another_name_is_found_by_its_install_name(tmp_path: Path) -> None:
    """LLVM's runtime from the Mac wheel; what is linked into a file is in tests/pure/test_scan."""
    source = wheel("scikit-learn==1.9.1", MAC)
    with zipfile.ZipFile(source) as archive:
        data = archive.read("sklearn/.dylibs/libomp.dylib")
    (tmp_path / "hidden.dylib").write_bytes(data)
    (held,) = scan(tmp_path).ships
    assert (held.family, held.static, held.path) == ("libomp", False, "hidden.dylib")
    assert (held.install_name, held.registers) == (
        "/DLC/sklearn/.dylibs/libomp.dylib",
        "environment",
    )


@pytest.mark.parametrize("platforms", [MAC, WINDOWS], ids=["mac", "windows"])
def test_the_readers_say_what_lief_says(platforms: tuple[str, ...]) -> None:
    lief = pytest.importorskip("lief")
    with zipfile.ZipFile(wheel("scikit-learn==1.9.1", platforms)) as archive:
        names = [n for n in archive.namelist() if n.endswith((".so", ".dylib", ".pyd", ".dll"))]
        assert len(names) > 50
        for name in names:
            data = archive.read(name)
            if platforms is WINDOWS:
                dll = parse_pe(data)
                theirs = lief.PE.parse(list(data))
                assert list(dll.needed) == [each.name for each in theirs.imports]
                assert list(dll.delayed) == [each.name for each in theirs.delay_imports]
                continue
            file = lief.MachO.parse(list(data))  # its parts die with it, and then the process
            for ours, part in zip(parse_macho(data), file, strict=True):
                own = lief.MachO.LoadCommand.TYPE.ID_DYLIB
                loads = [each for each in part.libraries if each.command != own]
                assert list(ours.needed) == [each.name for each in loads]
                assert list(ours.rpaths) == [each.path for each in part.rpaths]


def _member(platforms: tuple[str, ...], ending: str) -> bytes:
    with zipfile.ZipFile(wheel("lightgbm==4.7.0", platforms)) as archive:
        name = next(n for n in archive.namelist() if n.endswith(ending))
        return archive.read(name)


@pytest.fixture(scope="module")
def macho() -> bytes:
    return _member(MAC, ".dylib")


@pytest.fixture(scope="module")
def dll() -> bytes:
    return _member(WINDOWS, ".dll")


_CHANGES = st.lists(
    st.tuples(st.integers(0, 8192), st.binary(min_size=1, max_size=8)), min_size=1, max_size=12
)
_FUZZ = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _changed(data: bytes, changes: list[tuple[int, bytes]], length: int) -> bytes:
    made = bytearray(data)
    for at, new in changes:
        made[at : at + len(new)] = new
    return bytes(made[: len(made) * length // 100])


@_FUZZ
@given(changes=_CHANGES, length=st.integers(0, 100))
def test_a_changed_macho_file_is_read_or_refused(
    macho: bytes, changes: list[tuple[int, bytes]], length: int
) -> None:
    try:
        parts = parse_macho(_changed(macho, changes, length))
    except ParseError:
        return
    assert all(isinstance(name, str) for part in parts for name in part.needed)


@_FUZZ
@given(changes=_CHANGES, length=st.integers(0, 100))
def test_a_changed_dll_is_read_or_refused(
    dll: bytes, changes: list[tuple[int, bytes]], length: int
) -> None:
    try:
        found = parse_pe(_changed(dll, changes, length))
    except ParseError:
        return
    assert all(isinstance(name, str) for name in found.needed + found.delayed)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"MZ", b"\xca\xfe\xba\xbe\0\0\0\2", b"\xcf\xfa\xed\xfe"):
        for parse in (parse_macho, parse_pe):
            try:
                parse(start + data)
            except ParseError as error:
                assert "\n" not in str(error)  # noqa: PT017 - both ends are right, one has a text


def test_a_file_for_two_processors_has_two_parts(macho: bytes) -> None:
    """Made here, as <mach-o/fat.h> says: no wheel that is small has both."""
    place = 4096
    head = bytes.fromhex("cafebabe00000002")
    for number in range(2):
        offset = place + number * len(macho)
        fields = (0x0100000C, 0, offset, len(macho), 12)
        head += b"".join(each.to_bytes(4, "big") for each in fields)
    both = head.ljust(place, b"\0") + macho + macho
    assert parse_macho(both) == parse_macho(macho) * 2
    with pytest.raises(ParseError):
        parse_macho(both[:-1])


def test_scanning_leaves_nothing_behind(tmp_path: Path) -> None:
    copy = shutil.copy(wheel("lightgbm==4.7.0", WINDOWS), tmp_path)
    scan(copy)
    assert os.listdir(tmp_path) == [Path(copy).name]
