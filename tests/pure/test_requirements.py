"""Files of requirements of all kinds, for five targets; and what means harm."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omp_magic.facts.targets import TARGETS, Target, parse_target
from omp_magic.requirements.lines import parse_lines
from omp_magic.requirements.pins import Offered, RequirementsError, Wanted, shown
from omp_magic.requirements.reading import read_requirements
from omp_magic.requirements.tags import best, platforms_of, why_none
from omp_magic.requirements.toplevels import top_levels

MAC, LINUX, WINDOWS = map(parse_target, ("macos-arm64", "linux-x86_64", "windows-x86_64"))


def read(folder: Path, name: str, text: str, target: Target = LINUX) -> Wanted:
    path = folder / name
    path.write_text(textwrap.dedent(text), "utf-8")
    return read_requirements(path, target)


def names(wanted: Wanted) -> list[str]:
    return [pin.name for pin in wanted.pins]


def whys(wanted: Wanted) -> str:
    return "\n".join(f"{gap.what}: {gap.why}" for gap in wanted.unknown)


REQUIREMENTS = """\
    # compiled by hand
    --index-url https://user:secret@pypi.example/simple
    numpy==2.1.0 \\
        --hash=sha256:aa \\
        --hash=sha256:bb
        # via -r in.txt
    Scikit_Learn[tests] >= 1.4, < 2 ; python_version >= "3.8"   # why not
        # via
        #   -r in.txt
        #   other
    torch==2.3.0; sys_platform == "darwin" and platform_machine == "arm64"
    colorama==0.4.6 ; sys_platform == 'win32'
        # via tqdm
    -r more.txt
    -c limits.txt
    -e ./mine
    git+https://github.com/a/b@main
    faiss @ https://x.example/faiss_cpu-1.8.0-cp312-cp312-win_amd64.whl#sha256=00
    ./wheels/lightgbm-4.5.0-py3-none-any.whl
    thing @ https://x.example/thing-1.0.tar.gz
    --strange
    nonsense ==== 3
    """


@pytest.mark.parametrize("target", TARGETS)
def test_markers_of_requirements_are_the_targets(tmp_path: Path, target: str) -> None:
    (tmp_path / "more.txt").write_text("six==1.16.0\n-r requirements.txt\n-r none.txt\n")
    (tmp_path / "limits.txt").write_text("scikit-learn<1.6\nabsent==1\n")
    wanted = read(tmp_path, "requirements.txt", REQUIREMENTS, parse_target(target))
    expected = ["numpy", "scikit-learn"]
    expected += ["torch"] if target == "macos-arm64" else []
    expected += ["colorama"] if target == "windows-x86_64" else []
    assert names(wanted) == [*expected, "six", "faiss", "lightgbm"]
    assert wanted.direct == ("numpy", "scikit-learn")
    numpy, sklearn = wanted.pins[:2]
    assert (numpy.version, numpy.hashes) == ("2.1.0", ("sha256:aa", "sha256:bb"))
    assert (sklearn.version, sklearn.extras) == (None, frozenset(["tests"]))
    assert numpy.where.endswith("requirements.txt:3")
    assert dict(wanted.limits) == {"scikit-learn": "<1.6", "absent": "==1"}
    assert wanted.options == ("--index-url https://user:secret@pypi.example/simple",)
    assert "secret" not in repr(wanted)
    assert not wanted.locked
    told = whys(wanted)
    for what in (
        "./mine: installed",
        "git+https",
        "none.txt: the included",
        "thing @",
        "--strange",
    ):
        assert what in told
    assert "nonsense ==== 3" in told
    assert len(wanted.unknown) == 6
    (faiss,) = next(pin for pin in wanted.pins if pin.name == "faiss").files
    assert (faiss.name, faiss.direct) == ("faiss_cpu-1.8.0-cp312-cp312-win_amd64.whl", True)
    (local,) = wanted.pins[-1].files
    assert local.path == str(tmp_path / "./wheels/lightgbm-4.5.0-py3-none-any.whl")


def test_what_is_pinned_with_hashes_is_locked(tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", "numpy==2.1.0 --hash=sha256:aa\n").locked
    assert not read(tmp_path, "a.txt", "numpy==2.1.0\n").locked
    assert not read(tmp_path, "a.txt", "numpy==2.* --hash=sha256:aa\n").locked
    assert read(tmp_path, "a.txt", "six==1 # via -r in.txt\n").direct == ("six",)


def test_versions_that_exclude_each_other_are_told(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("numpy<2")
    wanted = read(tmp_path, "a.txt", "-c c.txt\nnumpy==2.1.0\n")
    assert whys(wanted) == "numpy: no version fits ==2.1.0,<2"


def test_a_file_of_powershell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes("numpy==2.1.0\r\nsix==1.16\r\n".encode("utf-16"))
    assert names(read_requirements(path, LINUX)) == ["numpy", "six"]


def test_continued_lines_keep_their_number() -> None:
    lines = list(parse_lines("a==1 \\\n  --hash sha256:x\n\nb==2\\\n"))
    assert [(line.number, line.text) for line in lines] == [(1, "a==1"), (4, "b==2")]
    assert lines[0].hashes == ("sha256:x",)


UV = """\
    version = 1
    requires-python = ">=3.9"
    resolution-markers = ["sys_platform == 'darwin'", "sys_platform != 'darwin'"]
    [[package]]
    name = "mine"
    version = "0.1"
    source = { virtual = "." }
    dependencies = [
        { name = "torch", version = "2.3.0", marker = "sys_platform == 'darwin'" },
        { name = "torch", version = "2.3.0+cpu", source = { registry = "https://y" } },
        { name = "circle", extra = ["fast"] },
    ]
    [package.dev-dependencies]
    dev = [{ name = "pytest" }]
    [[package]]
    name = "torch"
    version = "2.3.0"
    source = { registry = "https://x" }
    resolution-markers = ["sys_platform == 'darwin'"]
    wheels = [
        { url = "https://x/TORCH_MAC", size = 61, hash = "sha256:11" },
    ]
    [[package]]
    name = "torch"
    version = "2.3.0+cpu"
    source = { registry = "https://y" }
    resolution-markers = ["sys_platform != 'darwin'"]
    wheels = [
        { url = "https://y/torch-2.3.0%2Bcpu-cp312-cp312-linux_x86_64.whl", hash = "sha256:22" },
        { url = "https://y/torch-2.3.0%2Bcpu-cp312-cp312-win_amd64.whl", hash = "sha256:33" },
    ]
    [[package]]
    name = "circle"
    version = "1"
    source = { registry = "https://x" }
    dependencies = [{ name = "back" }, { name = "winonly", marker = "sys_platform == 'win32'" }]
    sdist = { url = "https://x/circle-1.tar.gz", hash = "sha256:44", size = 5 }
    [package.optional-dependencies]
    fast = [{ name = "speed" }]
    slow = [{ name = "snail" }]
    [[package]]
    name = "back"
    version = "1"
    source = { registry = "https://x" }
    dependencies = [{ name = "circle" }]
    [[package]]
    name = "winonly"
    version = "1"
    source = { registry = "https://x" }
    [[package]]
    name = "speed"
    version = "1"
    source = { git = "https://github.com/a/speed?rev=1#2" }
    [[package]]
    name = "snail"
    version = "1"
    source = { registry = "https://x" }
    [[package]]
    name = "pytest"
    version = "8"
    source = { registry = "https://x" }
    """.replace("TORCH_MAC", "torch-2.3.0-cp312-none-macosx_11_0_arm64.whl")


def test_uv_lock_is_followed_from_its_roots(tmp_path: Path) -> None:
    wanted = read(tmp_path, "uv.lock", UV, MAC)
    assert [pin.title for pin in wanted.pins] == ["torch 2.3.0", "circle 1", "back 1", "pytest 8"]
    assert wanted.direct == ("torch", "circle", "pytest")
    assert whys(wanted) == "speed: from a repository: no wheel to look into"
    assert wanted.unknown[0].where == f"{tmp_path / 'uv.lock'}:50"
    assert wanted.pins[0].files == (
        Offered(
            name="torch-2.3.0-cp312-none-macosx_11_0_arm64.whl",
            url="https://x/torch-2.3.0-cp312-none-macosx_11_0_arm64.whl",
            size_bytes=61,
            sha256="11",
        ),
    )
    assert "only a source distribution" in why_none(wanted.pins[1].files, MAC)
    windows = read(tmp_path, "uv.lock", UV, WINDOWS)
    assert names(windows) == ["torch", "circle", "back", "winonly", "pytest"]
    found = best(windows.pins[0].files, WINDOWS)
    assert found is not None
    assert found.name == "torch-2.3.0+cpu-cp312-cp312-win_amd64.whl"
    assert best(windows.pins[0].files, parse_target("linux-aarch64")) is None
    other = read(tmp_path, "uv.lock", UV, parse_target("linux-x86_64", python=(3, 8)))
    assert "it is for Python >=3.9" in whys(other)


PYLOCK = """\
    lock-version = "1.0"
    created-by = "made"
    default-groups = ["dev"]
    [[packages]]
    name = "numpy"
    version = "2.1.0"
    [[packages.wheels]]
    name = "numpy-2.1.0-cp312-cp312-win_amd64.whl"
    url = "https://x/a.whl"
    size = 10
    [packages.wheels.hashes]
    sha256 = "ab"
    [[packages]]
    name = "tools"
    version = "1"
    marker = "'dev' in dependency_groups and sys_platform == 'win32'"
    [[packages]]
    name = "extra"
    version = "1"
    marker = "'gpu' in extras"
    [[packages]]
    name = "folder"
    directory = { path = "." }
    [[packages]]
    name = "one"
    version = "1"
    marker = "sys_platform = 3"
    dependencies = [{ name = "numpy" }]
    """


def test_pylock_toml(tmp_path: Path) -> None:
    wanted = read(tmp_path, "pylock.work.toml", PYLOCK, WINDOWS)
    assert wanted.kind == "pylock.toml"
    assert names(wanted) == ["numpy", "tools", "one"]
    assert wanted.direct == ("tools", "one")
    assert wanted.pins[0].files[0].sha256 == "ab"
    assert "taken as true" in whys(wanted)
    assert "folder: from a folder" in whys(wanted)
    assert names(read(tmp_path, "pylock.toml", PYLOCK, MAC)) == ["numpy", "one"]
    with pytest.raises(RequirementsError, match="lock-version 2"):
        read(tmp_path, "pylock.toml", PYLOCK.replace('"1.0"', '"2.0"'))


POETRY = """\
    [[package]]
    name = "app"
    version = "1"
    optional = false
    python-versions = "*"
    files = [{file = "app-1-py3-none-any.whl", hash = "sha256:aa"}]
    [package.dependencies]
    colorama = {version = "*", markers = "sys_platform == \\"win32\\""}
    Ring_A = "*"
    gpu = {version = "*", optional = true}
    [package.extras]
    fast = ["gpu (>=1)"]
    [[package]]
    name = "colorama"
    version = "0.4"
    optional = false
    [[package]]
    name = "ring-a"
    version = "1"
    optional = false
    [package.dependencies]
    ring-b = [{version = "<2", markers = "os_name == 'nt'"}, {version = ">1"}]
    [[package]]
    name = "ring-b"
    version = "1"
    optional = false
    [package.dependencies]
    ring-a = "*"
    [[package]]
    name = "gpu"
    version = "1"
    optional = true
    [[package]]
    name = "marked"
    version = "1"
    optional = false
    markers = "platform_system == 'Darwin'"
    [[package]]
    name = "lonely-a"
    version = "1"
    optional = false
    [package.dependencies]
    lonely-b = "*"
    [[package]]
    name = "lonely-b"
    version = "1"
    optional = false
    [package.dependencies]
    lonely-a = "*"
    [metadata]
    lock-version = "2.1"
    python-versions = ">=3.9"
    [metadata.files]
    colorama = [{file = "colorama-0.4-py3-none-any.whl", hash = "sha256:cc"}]
    """


def test_poetry_lock_without_and_with_its_project(tmp_path: Path) -> None:
    wanted = read(tmp_path, "poetry.lock", POETRY, MAC)
    assert names(wanted) == ["app", "ring-a", "ring-b", "marked", "lonely-a", "lonely-b"]
    assert wanted.direct == ("app", "marked")
    windows = read(tmp_path, "poetry.lock", POETRY, WINDOWS)
    assert names(windows) == ["app", "colorama", "ring-a", "ring-b", "lonely-a", "lonely-b"]
    assert windows.pins[1].files[0].sha256 == "cc"
    project = '[tool.poetry.dependencies]\npython = "^3.9"\nApp = {extras = ["fast"]}\n'
    (tmp_path / "pyproject.toml").write_text(project)
    wanted = read(tmp_path, "poetry.lock", POETRY, MAC)
    assert wanted.direct == ("app",)
    assert "lonely-a" not in names(wanted)


PIXI = """\
    version: 6
    environments:
      default:
        channels: [{url: https://conda.anaconda.org/conda-forge/}]
        packages:
          linux-64:
          - conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.12.1-h0_0.conda
          - conda: https://conda.anaconda.org/conda-forge/linux-64/llvm-openmp-19.1-h0_0.conda
          - pypi: https://x/torch-2.3.0-cp312-cp312-manylinux1_x86_64.whl
          - pypi: https://x/six-1.16.tar.gz
          osx-arm64:
          - pypi: https://x/torch-2.3.0-cp312-none-macosx_11_0_arm64.whl
    packages:
    - pypi: https://x/torch-2.3.0-cp312-cp312-manylinux1_x86_64.whl
      name: torch
      version: 2.3.0
      sha256: ab
      requires_dist: ["six>=1"]
    """


def test_pixi_lock_gives_the_part_of_the_index(tmp_path: Path) -> None:
    wanted = read(tmp_path, "pixi.lock", PIXI)
    assert [pin.title for pin in wanted.pins] == ["torch 2.3.0"]
    assert wanted.pins[0].files[0].sha256 == "ab"
    told = whys(wanted)
    assert "2 packages of conda: only wheels are read" in told
    assert "not known: llvm-openmp, python" in told
    assert wanted.python == "==3.12.*"
    assert "six-1.16.tar.gz: a source distribution" in told
    assert names(read(tmp_path, "pixi.lock", PIXI, MAC)) == ["torch"]
    with pytest.raises(RequirementsError, match="nothing for win-64"):
        read(tmp_path, "pixi.lock", PIXI, WINDOWS)


def test_environment_yml_gives_the_part_for_pip(tmp_path: Path) -> None:
    text = """\
        name: a
        dependencies:
          - python=3.12
          - pip
          - mkl=2024
          - pip:
            - torch==2.3.0 ; sys_platform == 'linux'
            - -r more.txt
        """
    (tmp_path / "more.txt").write_text("six")
    wanted = read(tmp_path, "environment.yml", text)
    assert names(wanted) == ["torch", "six"]
    assert not wanted.locked
    assert "mkl=2024" in whys(wanted)
    assert wanted.python == "==3.12.*"
    assert "it is for Python ==3.11.*" in whys(
        read(tmp_path, "a.yml", text.replace("3.12", "3.11"))
    )
    assert names(read(tmp_path, "environment.yml", text, MAC)) == ["six"]


def test_the_best_wheel_is_pips() -> None:
    def chosen(target: str, *files: str, python: tuple[int, int] = (3, 12)) -> str | None:
        found = best(
            (Offered(name=f"a-1-{each}.whl") for each in files), parse_target(target, python=python)
        )
        return found.name[4:-4] if found else None

    mac = ("cp312-cp312-macosx_11_0_arm64", "cp312-cp312-macosx_14_0_arm64")
    assert chosen("macos-arm64", *mac, "py3-none-any") == mac[1]
    assert chosen("macos-arm64", "cp39-abi3-macosx_10_9_universal2", "py3-none-any") is not None
    assert chosen("macos-x86_64", *mac) is None
    linux = "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64"
    assert chosen("linux-x86_64", linux, "cp312-cp312-linux_x86_64", "py3-none-any") == linux
    assert chosen("linux-x86_64", "cp312-cp312-musllinux_1_2_x86_64") is None
    assert chosen("linux-aarch64", "cp313-cp313-manylinux2014_aarch64", python=(3, 13)) is not None
    assert chosen("windows-x86_64", "cp312-cp312-win32", "cp38-abi3-win_amd64") is not None
    assert chosen("windows-x86_64", "cp312-cp312t-win_amd64") is None
    assert chosen("windows-x86_64", "1-py3-none-any", "2-py3-none-any") == "2-py3-none-any"
    assert platforms_of(MAC)[0] == "macosx_26_0_arm64"
    told = why_none([Offered(name="a-1-cp310-cp310-macosx_11_0_arm64.whl")], MAC)
    assert told == (
        "no wheel for macos-arm64 with Python 3.12: there are those for macosx_11_0_arm64 and cp310"
    )


def test_names_that_a_distribution_is_imported_by() -> None:
    sklearn = ["sklearn/__init__.py", "sklearn/tests/__init__.py", "sklearn/.dylibs/libomp.dylib"]
    assert top_levels([*sklearn, "scikit_learn-1.5.dist-info/RECORD"], "scikit-learn") == (
        "sklearn",
    )
    torch = [
        "functorch/__init__.py,sha256=a,1",
        "torch/_C.so",
        "torch/__init__.py",
        "torchgen/x.py",
    ]
    assert top_levels(torch, "torch") == ("torch", "functorch", "torchgen")
    assert top_levels(["google/protobuf/__init__.py"]) == ("google.protobuf",)
    assert top_levels(["_cffi_backend.cpython-312-darwin.so", "cffi/__init__.py"]) == ("cffi",)
    assert top_levels(["six.py", "tests/__init__.py", "docs/conf.py"]) == ("six",)
    assert top_levels(["../../lib/libmkl_rt.so.2", "mkl-1.dist-info/RECORD"]) == ()
    assert top_levels(["a-b/c.py", "mod.cp312-win_amd64.pyd"]) == ("mod",)


def test_nothing_is_shown_of_a_password() -> None:
    assert shown("git+https://me:pw@x.example/a?token=abc&x=1") == (
        "git+https://x.example/a?token=…&x=1"
    )


WRONG = {
    "requirements.txt": [b"\xff\xfe\x00\xd8", b"\x80abc"],
    "uv.lock": [b"", b"a = ", b"a=" + b"[" * 100_000, b"\xff", b"version = 1", b"package = 3"],
    "pylock.toml": [b"[[packages]]\nname = ", b"[packages]\nname='a'"],
    "poetry.lock": [b"\x00", b"{" * 5000],
    "pixi.lock": [b"[" * 100_000, b"- " * 50_000, b"a: &a [*a]", b"a: !!python/object:x.y {}"],
    "environment.yml": [b"dependencies: 3", b"3", b"a: b: c", b"%", b"\t"],
    "thing.cfg": [b""],
}


@pytest.mark.parametrize(
    ("name", "data"), [(name, data) for name, each in WRONG.items() for data in each]
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(RequirementsError) as caught:
        read_requirements(path, LINUX)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 500
    assert "found" in said
    assert "accepted" in said
    assert "example" in said


def test_paths_that_are_no_files_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(RequirementsError, match="found"):
            read_requirements(path / "uv.lock" if path == tmp_path else path, LINUX)
    with pytest.raises(RequirementsError, match="Pipfile"):
        read_requirements("Pipfile.lock", LINUX)
    with (tmp_path / "uv.lock").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(RequirementsError, match="more than 16 MiB"):
        read_requirements(tmp_path / "uv.lock", LINUX)


def test_a_bomb_of_merged_keys_does_not_grow(tmp_path: Path) -> None:
    rows = ["a0: &a0 {x: 1}"]
    rows += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    with pytest.raises(RequirementsError, match="YAML"):
        read(tmp_path, "environment.yml", "\n".join([*rows, "dependencies: [a]"]))
    bomb = "a0: &a0 [six]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    wanted = read(tmp_path, "environment.yml", bomb + "dependencies: [{pip: *a39}]\n")
    assert names(wanted) == []


def test_a_name_with_a_nul_is_a_gap(tmp_path: Path) -> None:
    wanted = read(tmp_path, "requirements.txt", "six==1.0\n-r oth\0er.txt\n")
    assert names(wanted) == ["six"]
    assert "embedded null" in whys(wanted)  # a byte, or on Windows a character


@pytest.mark.parametrize("name", [name for name in WRONG if name != "thing.cfg"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_file_of_requirements_ends_the_process(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    good = {
        "requirements.txt": REQUIREMENTS, "uv.lock": UV, "pylock.toml": PYLOCK,
        "poetry.lock": POETRY, "pixi.lock": PIXI, "environment.yml": "dependencies: [a, pip: [b]]",
    }[name]  # fmt: skip
    text = textwrap.dedent(good)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = data.draw(st.integers(at, min(len(text), at + 12)))
        junk = st.sampled_from(
            ["", "\n", "[", "]", '"', "{}", "3", "= 1", ": ", "\\", "name", "&a"]
        )
        text = text[:at] + data.draw(st.one_of(junk, st.text(max_size=5))) + text[until:]
    path = tmp_path / name
    path.write_text(text, "utf-8", errors="surrogatepass")
    for target in (LINUX, MAC, WINDOWS):
        with suppress(RequirementsError):
            read_requirements(path, target)
