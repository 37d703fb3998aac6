"""What would be published: `make package`.

Builds the source distribution and the wheel with tools of their own, checks both, and uses the
wheel where nothing else is: in an empty environment, from a folder outside the checkout. The last
line counts what held.
"""

from __future__ import annotations

import email
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from fresh import CACHE, ROOT, call, clean_environment, install, make_environment

HOME = CACHE / "package"
IN_WHEEL = (
    "omp_magic/py.typed",
    "omp_magic/__main__.py",
    "omp_magic/views/templates/status.html",
    "omp_magic/views/templates/panel_live.html",
)
IN_SDIST = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "omp_magic/py.typed",
    "tests/live.py",
    "notebooks/01_quickstart.ipynb",
)
NEVER = re.compile(r"(^|/)(\.venv|\.nox|\.cache|\.binder-check|__pycache__|shots)(/|$)|\.pyc$")
RELATIVE = re.compile(
    r"""\]\((?!https?:|\#|mailto:)([^)\s]+)\)|(?:src|srcset|href)="(?!https?:|\#)([^"]+)\""""
)
QUICKSTART = "01_quickstart.ipynb"


class Build:
    """The built files, and how to look into them."""

    def __init__(self) -> None:
        # What was built stays for a look until the next run; the environments go.
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        self.tools = make_environment(HOME / "tools", sys.executable)
        install(self.tools, "build", "twine", "check-wheel-contents")
        build = [str(self.tools), "-m", "build"]
        # Without a flag, build makes the wheel from the source distribution that it made before.
        call([*build, "--outdir", str(HOME / "dist"), str(ROOT)])
        call([*build, "--wheel", "--outdir", str(HOME / "from-tree"), str(ROOT)])
        (self.wheel,) = (HOME / "dist").glob("*.whl")
        (self.sdist,) = (HOME / "dist").glob("*.tar.gz")
        (self.wheel_of_tree,) = (HOME / "from-tree").glob("*.whl")

    def in_wheel(self) -> dict[str, int]:
        return contents(self.wheel)

    def in_sdist(self) -> list[str]:
        with tarfile.open(self.sdist) as opened:
            return [name.partition("/")[2] for name in opened.getnames()]


def contents(wheel: Path) -> dict[str, int]:
    """Give the files of a wheel with their check sums."""
    with zipfile.ZipFile(wheel) as opened:
        return {each.filename: each.CRC for each in opened.infolist()}


def the_same_wheel_from_both(build: Build) -> None:
    here, there = build.in_wheel(), contents(build.wheel_of_tree)
    differ = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    assert not differ, differ


def the_wheel_has_what_it_needs(build: Build) -> None:
    names = set(build.in_wheel())
    assert {*IN_WHEEL} <= names, {*IN_WHEEL} - names
    assert any(name.endswith("/LICENSE") for name in names)
    written = {
        str(path.relative_to(ROOT)).replace("\\", "/")
        for path in (ROOT / "omp_magic").rglob("*")
        if path.is_file() and not NEVER.search(str(path.relative_to(ROOT)))
    }
    assert written <= names, written - names
    others = {name for name in names - written if ".dist-info/" not in name}
    assert not others, others


def the_sdist_has_what_it_needs(build: Build) -> None:
    names = build.in_sdist()
    assert {*IN_SDIST} <= {*names}, {*IN_SDIST} - {*names}
    wrong = [name for name in names if NEVER.search(name)]
    assert not wrong, wrong


def no_file_names_this_machine(build: Build) -> None:
    here = [f"{path}/".encode() for path in (ROOT, Path.home())]
    with tarfile.open(build.sdist) as opened:
        for member in opened.getmembers():
            data = opened.extractfile(member)
            text = data.read() if data is not None else b""
            assert not any(path in text for path in here), member.name


def twine_finds_nothing(build: Build) -> None:
    files = [str(build.wheel), str(build.sdist)]
    call([str(build.tools.parent / "twine"), "check", "--strict", *files])


def check_wheel_contents_finds_nothing(build: Build) -> None:
    call([str(build.tools.parent / "check-wheel-contents"), str(build.wheel)])


def the_page_on_an_index_has_no_relative_links(build: Build) -> None:
    """An index shows the README alone: pictures and pages beside it are not there."""
    with zipfile.ZipFile(build.wheel) as opened:
        (name,) = (each for each in opened.namelist() if each.endswith(".dist-info/METADATA"))
        page = email.message_from_bytes(opened.read(name)).get_payload()
    found = sorted({a or b for a, b in RELATIVE.findall(str(page))})
    assert not found, found


def the_wheel_works_where_nothing_else_is(build: Build) -> None:
    own = make_environment(HOME / "empty", sys.executable)
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside)
        variables = clean_environment(own.parent.parent, IPYTHONDIR=str(folder / "ipython"))

        def said(*command: str) -> str:
            return call(list(command), cwd=folder, env=variables)

        install(own, str(build.wheel))
        said(str(own), "-m", "pip", "check")
        where = said(str(own), "-c", "import omp_magic; print(omp_magic.__file__)").strip()
        assert Path(where).is_relative_to(own.parent.parent.resolve()), where
        # 1 is a finding's exit code; none is expected where no library is loaded.
        for command in ([str(own.parent / "omp-magic")], [str(own), "-m", "omp_magic"]):
            status = json.loads(said(*command, "status", "--json"))
            assert status["budget"]["threads"] >= 1, status
        look = "import omp_magic; print(omp_magic.snapshot()._repr_mimebundle_()['text/html'])"
        shown = said(str(own), "-c", look)
        assert "<style" in shown, "the templates are not where they are looked for"
        install(own, f"{build.wheel}[notebook]")
        said(str(own), "-m", "pip", "check")
        for name in (QUICKSTART, "run.py"):
            shutil.copy(ROOT / "notebooks" / name, folder)
        ran = said(str(own), "run.py", QUICKSTART)
        assert "1 passed, 0 failed" in ran, ran


CHECKS: tuple[Callable[[Build], None], ...] = (
    the_same_wheel_from_both,
    the_wheel_has_what_it_needs,
    the_sdist_has_what_it_needs,
    no_file_names_this_machine,
    twine_finds_nothing,
    check_wheel_contents_finds_nothing,
    the_page_on_an_index_has_no_relative_links,
    the_wheel_works_where_nothing_else_is,
)


def main() -> int:
    began = time.monotonic()
    print("building the source distribution and the wheel ...", flush=True)
    build = Build()
    print(f"{build.sdist.name} and {build.wheel.name}", flush=True)
    failed = 0
    for check in CHECKS:
        try:
            check(build)
        except (AssertionError, SystemExit, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"  {check.__name__.replace('_', ' ')}: NO\n    {error}", flush=True)
        else:
            print(f"  {check.__name__.replace('_', ' ')}: yes", flush=True)
    for name in ("tools", "empty"):
        shutil.rmtree(HOME / name, ignore_errors=True)
    took = time.monotonic() - began
    print(f"{len(CHECKS) - failed} passed, {failed} failed in {took:.1f}s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
