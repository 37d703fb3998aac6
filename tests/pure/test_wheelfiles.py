"""Wheels as one tree of files; hostile ones among them."""

from __future__ import annotations

import mmap
import os
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from madewheels import make_wheel

from omp_magic.errors import ParseError
from omp_magic.facts.targets import parse_target
from omp_magic.formats.binaries import Binary
from omp_magic.installed.modules import Installed
from omp_magic.loader.files import Disk, Files
from omp_magic.requirements import filefacts, members
from omp_magic.requirements.members import Member, members_of
from omp_magic.requirements.pins import RequirementsError
from omp_magic.requirements.shelf import is_whole
from omp_magic.requirements.wheelfiles import WheelFiles, wheel_files

MAC, LINUX, WINDOWS = map(parse_target, ("macos-arm64", "linux-x86_64", "windows-x86_64"))
SITE = "/target/lib/python3.12/site-packages"


def a_library(needed: bytes = b"libomp.dylib") -> bytes:
    """Give a Mach-O file for arm64 that needs one library."""
    command = struct.pack("<6I", 0xC, 24 + len(needed) + 1, 24, 0, 0, 0) + needed + b"\0"
    head = struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 1, len(command), 0, 0)
    return head + command + b"__KMP_REGISTERED_LIB_\0" + b"\0" * 64


def test_files_lie_where_pip_would_put_them(tmp_path: Path) -> None:
    mkl = {
        "mkl-1.0.data/data/lib/libmkl_rt.so.2": b"x",
        "mkl-1.0.data/data/Library/bin/mkl_rt.2.dll": b"x",
        "mkl-1.0.data/platlib/mkl/core.so": b"x",
        "mkl-1.0.data/scripts/mkl-tool": b"#!python",
        "mkl-1.0.data/headers/mkl.h": b"",
    }
    wheels = [
        make_wheel(tmp_path, "mkl", mkl, tag="py3-none-win_amd64"),
        make_wheel(tmp_path, "a-b", {"a_b/__init__.py": b"import mkl", "a_b/Sub/x.py": b""}),
    ]
    files: Files = WheelFiles(wheels, LINUX)
    assert files.read("/target/lib/libmkl_rt.so.2", 10) == b"x"
    assert files.is_file(f"{SITE}/mkl/core.so")
    assert files.is_file("/target/bin/mkl-tool")
    assert sorted(files.names(SITE)) == ["a_b", "a_b-1.0.dist-info", "mkl", "mkl-1.0.dist-info"]
    assert sorted(files.names("/target")) == ["Library", "bin", "include", "lib"]
    assert files.is_folder("/")
    assert files.is_folder(f"{SITE}/a_b/Sub/")
    assert not files.is_folder(f"{SITE}/A_B")
    assert files.read(f"{SITE}/a_b/../a_b/__init__.py", 6) == b"import"
    assert files.stamp(f"{SITE}/none") is None
    assert files.identity(f"{SITE}/none") is None
    with pytest.raises(OSError, match="no such file"):
        files.read(f"{SITE}/none", 1)
    record = files.read(f"{SITE}/mkl-1.0.dist-info/RECORD", 1 << 20).decode()
    assert "\n../../libmkl_rt.so.2,,\n" in "\n" + record
    assert "mkl/core.so,," in record
    places = [
        f"{SITE}/{each}" for each in ("mkl/core.so", "a_b/Sub/x.py", "a_b/__init__.py", "a_b")
    ]
    assert len({files.identity(each) for each in places}) == 4

    windows = WheelFiles(wheels, WINDOWS)
    assert windows.site == "/target/Lib/site-packages"
    assert windows.is_file("/target/library/BIN/MKL_RT.2.DLL")
    assert windows.real("/TARGET/library/bin/MKL_RT.2.dll") == "/target/Library/bin/mkl_rt.2.dll"
    assert windows.is_file("/target/Scripts/mkl-tool")
    assert "../../lib/libmkl_rt.so.2" in list(wheel_files(wheels[0], WINDOWS))


def test_a_later_wheel_writes_over_an_earlier_one(tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "one", {"same.py": b"1"})
    two = make_wheel(tmp_path, "two", {"same.py": b"22"})
    assert WheelFiles([one, two], LINUX).read(f"{SITE}/same.py", 9) == b"22"


def test_machine_code_is_read_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path, "mac", {"mac/lib.dylib": a_library(), "mac/x.so": b"no code"})
    cache = tmp_path / "cache"
    path = f"{SITE}/mac/lib.dylib"

    def asked() -> tuple[Binary, ...]:
        files = WheelFiles([wheel], MAC, cache=os.fspath(cache))
        assert files.texts(path) == files.texts(path, "arm64") == ("__KMP_REGISTERED_LIB_",)
        assert files.texts(f"{SITE}/mac/x.so") == ()
        with pytest.raises(ParseError):
            files.binaries(f"{SITE}/mac/x.so")
        return files.binaries(path)

    (found,) = asked()
    assert (found.system, found.cpu, found.needed) == ("macos", "arm64", ("libomp.dylib",))
    (kept,) = cache.glob("facts/*/*.jsonl")
    assert len(kept.read_text().splitlines()) == 2

    def never(_: object) -> filefacts.FileFacts:
        raise AssertionError("it was read again")

    monkeypatch.setattr(filefacts, "read_facts", never)
    assert asked() == (found,)
    # What else stands in the file is passed over: a line that was cut off, another reader's.
    kept.write_text(
        '{"name": "mac/li\n[[[[\n{"name": 1, "size": 1, "crc": "x"}\n' + kept.read_text()
    )
    assert asked() == (found,)
    monkeypatch.undo()
    kept.write_text(kept.read_text().replace("needed", "wanted"))
    assert asked() == (found,)


def test_another_file_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    cache = os.fspath(tmp_path / "cache")
    for name in (b"libomp.dylib", b"libgomp.dylib"):
        wheel = make_wheel(tmp_path, "mac", {"mac/lib.dylib": a_library(name)})
        (found,) = WheelFiles([wheel], MAC, cache=cache).binaries(f"{SITE}/mac/lib.dylib")
        assert found.needed == (name.decode(),)


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wheel = make_wheel(tmp_path, "mac", {"mac/lib.dylib": a_library()})
    files = WheelFiles([wheel], MAC, cache=os.fspath(tmp_path / "file" / "cache"))
    assert files.binaries(f"{SITE}/mac/lib.dylib")


def test_no_more_of_a_member_is_read_than_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path, "big", {"big/data.bin": os.urandom(5 << 20)})
    files = WheelFiles([wheel], LINUX)
    given = 0
    pieces = Member._pieces

    def counted(self: Member) -> object:
        nonlocal given
        for piece in pieces(self):
            given += len(piece)
            yield piece

    monkeypatch.setattr(Member, "_pieces", counted)
    assert len(files.read(f"{SITE}/big/data.bin", 1000)) == 1000
    assert 0 < given <= 1 << 20


def test_a_large_member_is_mapped_and_searched_in_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "_IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(members, "_WINDOW_BYTES", mmap.PAGESIZE)
    data = bytearray(os.urandom(5 * mmap.PAGESIZE))
    data[mmap.PAGESIZE - 3 : mmap.PAGESIZE + 3] = b"needle"
    wheel = make_wheel(tmp_path, "big", {"big/x.so": bytes(data)})
    member = next(each for each in members_of(wheel) if each.name == "big/x.so")
    with member.mapped(os.fspath(tmp_path)) as found:
        assert isinstance(found, mmap.mmap)
        assert found.find(b"needle") == data.find(b"needle")
        assert found.find(b"needle", mmap.PAGESIZE) == -1
        assert found.find(b"needle", 0, mmap.PAGESIZE) == -1
        assert found.find(b"needle", 7, mmap.PAGESIZE + 3) == mmap.PAGESIZE - 3
        assert found[:] == data
    files = WheelFiles([wheel], LINUX)
    assert files.holds(f"{SITE}/big/x.so", b"needle")
    assert not files.holds(f"{SITE}/big/x.so", b"needle", b"thread!")
    assert not files.holds(f"{SITE}/none", b"needle")


def _written(path: Path, *rows: tuple[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in rows:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return os.fspath(path)


@pytest.mark.parametrize(
    "name", ["../out.py", "/etc/x", "a/../../b", "C:/x.py", "..\\x", "a/..\\..\\b"]
)
def test_names_that_lead_out_refuse_the_wheel(tmp_path: Path, name: str) -> None:
    wheel = _written(tmp_path / "a-1-py3-none-any.whl", (name, b""))
    files = WheelFiles([wheel], LINUX)
    assert not files.names("/")
    (gap,) = files.unknown
    assert "accepted: names that stay inside" in gap.why
    assert "\n" not in gap.why


def test_bombs_and_members_that_lie_are_not_unpacked(tmp_path: Path) -> None:
    zeros = _written(tmp_path / "z-1-py3-none-any.whl", ("z.so", bytes(64 << 20)))
    files = WheelFiles([zeros], LINUX)
    with pytest.raises(OSError, match="no machine code"):
        files.read(f"{SITE}/z.so", 10)
    assert files.texts(f"{SITE}/z.so") == ()
    honest = Path(_written(tmp_path / "l-1-py3-none-any.whl", ("l.so", os.urandom(5000))))
    size = struct.pack("<I", 5000)
    for lie in (4000, 6000):  # the directory says another size than what is packed
        honest_bytes = honest.read_bytes()
        at = honest_bytes.rfind(size)
        lying = tmp_path / f"l{lie}-1-py3-none-any.whl"
        lying.write_bytes(honest_bytes[:at] + struct.pack("<I", lie) + honest_bytes[at + 4 :])
        with pytest.raises(OSError, match="broken"):
            WheelFiles([os.fspath(lying)], LINUX).binaries(f"{SITE}/l.so")


def test_wheels_that_are_cut_are_told(tmp_path: Path) -> None:
    whole = Path(make_wheel(tmp_path, "a"))
    assert is_whole(os.fspath(whole))
    half = tmp_path / "half-1-py3-none-any.whl"
    half.write_bytes(whole.read_bytes()[40:])
    assert not is_whole(os.fspath(half))
    half.write_bytes(whole.read_bytes()[:-30])
    assert not is_whole(os.fspath(half))
    files = WheelFiles([os.fspath(whole), os.fspath(half), os.fspath(tmp_path / "none.whl")], LINUX)
    assert files.is_file(f"{SITE}/a/__init__.py")
    assert [gap.what for gap in files.unknown] == ["half-1-py3-none-any.whl", "none.whl"]


def test_a_name_that_stands_twice_is_the_later_one(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        wheel = _written(tmp_path / "a-1-py3-none-any.whl", ("a.py", b"1"), ("a.py", b"22"))
    assert WheelFiles([wheel], LINUX).read(f"{SITE}/a.py", 5) == b"22"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_wheel_ends_the_process(tmp_path: Path, data: st.DataObject) -> None:
    whole = Path(
        make_wheel(tmp_path, "a", {"a/x.dylib": a_library(), "a/y.py": b"import os\n" * 50})
    )
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from([0, 1, 255, 0x50, data.draw(st.integers(0, 255))]))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    broken = tmp_path / "broken-1-py3-none-any.whl"
    broken.write_bytes(content)
    is_whole(os.fspath(broken))
    files = WheelFiles([os.fspath(broken)], MAC)
    for path in list(files._files):
        for ask in (files.binaries, files.texts, lambda path: files.read(path, 100)):
            try:
                ask(path)
            except (OSError, ParseError):
                continue
    try:
        members_of(os.fspath(broken))
    except RequirementsError as error:
        assert files.unknown[0].why == str(error)  # noqa: PT017 - many have no error


def test_installed_finds_modules_by_the_record_that_is_given(tmp_path: Path) -> None:
    """The same RECORD on a disk tells `Installed` whose a library is."""
    mkl = {"mkl-1.0.data/data/lib/libmkl_rt.so.2": b"x", "mklx/__init__.py": b""}
    files = WheelFiles([make_wheel(tmp_path / "w", "mkl", mkl)], LINUX)
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    for key in files._files:
        out = tmp_path / key.removeprefix("/target/")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(files.read(key, 1 << 20))
    installed = Installed([site.as_posix()], Disk(), LINUX)
    (dist,) = installed.owners("mklx", site.as_posix())
    assert (installed.title(dist), dist.version) == ("mkl", "1.0")
    assert installed.binaries(dist) == ((tmp_path / "lib" / "libmkl_rt.so.2").as_posix(),)
