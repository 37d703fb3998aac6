"""`omp-magic enable` and `disable` with real profiles, a real IPython and a real kernel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from links import link
from live import CLEAN, Ended, Kernel, run_program

ASK = "print('omp_status' in get_ipython().magics_manager.magics['line'])"


class Home:
    """An IPYTHONDIR of its own."""

    def __init__(self, folder: Path) -> None:
        self.env = {"IPYTHONDIR": str(folder)}
        self.folder = folder
        self.profile = folder / "profile_default"
        self.shared = self.profile / "ipython_config.py"
        self.kernels = self.profile / "ipython_kernel_config.py"

    def run(self, *words: str) -> Ended:
        return run_program([sys.executable, "-m", "omp_magic", *words], 120, self.env)

    def done(self, *words: str) -> str:
        ended = self.run(*words)
        assert (ended.code, ended.err) == (0, "")
        return ended.out

    def refused(self, *words: str) -> str:
        """Run what cannot be done: one line on stderr, and code 2."""
        ended = self.run(*words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended.err
        return ended.err

    def in_ipython(self, *words: str) -> bool:
        command = [sys.executable, "-m", "IPython", "--no-banner", *words, "-c", ASK]
        ended = run_program(command, 120, {**self.env, "TERM": "dumb"})
        assert ended.code == 0, ended.err
        assert "Traceback" not in ended.out + ended.err
        return "True" in ended.out

    def in_kernel(self) -> bool:
        kernel = Kernel(self.env)
        try:
            return "True" in kernel.run(ASK).stdout
        finally:
            kernel.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "ipython")


def test_a_new_profile_is_enabled_and_as_before_afterwards(home: Home) -> None:
    told = home.done("enable")
    assert str(home.shared) in told
    for line in home.shared.read_text("utf-8").splitlines()[1:]:
        assert f"    {line}\n" in told
    made = home.shared.read_bytes()
    assert [home.in_ipython(), home.in_kernel()] == [True, True]
    assert f"enabled already in {home.shared}: nothing changed" in home.done("enable")
    assert home.shared.read_bytes() == made
    assert f"taken out of {home.shared}; made for it, so it is gone" in home.done("disable")
    assert list(home.profile.glob("*.py")) == list(home.profile.glob(".omp*")) == []
    assert [home.in_ipython(), home.in_kernel()] == [False, False]
    assert "nothing changed" in home.done("disable")


OWN = b"# coding: latin-1\r\nname = '\xe9'\r\nc.InteractiveShellApp.extensions = ['autoreload']"


def test_what_a_profile_has_stays_byte_for_byte(home: Home) -> None:
    home.profile.mkdir(parents=True)
    real = home.folder / "real.py"
    real.write_bytes(OWN)
    real.chmod(0o640)
    link(home.shared, real)
    # Kernels read this file too, and it sets the list anew.
    kernels = b"c.InteractiveShellApp.extensions = ['storemagic']\n"
    home.kernels.write_bytes(kernels)
    told = home.done("enable")
    assert str(home.shared) in told
    assert str(home.kernels) in told
    assert [home.in_ipython(), home.in_kernel()] == [True, True]
    # A list that is set behind the block: the block is put behind it.
    with real.open("ab") as file:
        file.write(b"c.InteractiveShellApp.extensions = []\r\n")
    assert home.in_ipython() is False
    home.done("enable")
    assert home.in_ipython() is True
    assert real.read_bytes().count(b"omp_magic: begin") == 1
    home.done("disable")
    assert real.read_bytes() == OWN + b"\r\nc.InteractiveShellApp.extensions = []\r\n"
    assert home.kernels.read_bytes() == kernels
    assert home.shared.is_symlink()
    if os.name == "posix":
        assert real.stat().st_mode & 0o777 == 0o640
    assert not list(home.folder.glob("**/.omp*"))


def test_a_profile_of_another_name_and_own_lines(home: Home) -> None:
    work = home.folder / "profile_work"
    work.mkdir(parents=True)
    home.done("enable", "--profile", "work")
    assert [home.in_ipython(), home.in_ipython("--profile=work")] == [False, True]
    home.done("disable", "--profile", "work")
    assert not (work / "ipython_config.py").exists()
    own = b"c.InteractiveShellApp.extensions = ['omp_magic']\n"
    (work / "ipython_config.py").write_bytes(own)
    told = home.done("enable", "--profile", "work")
    assert "IPython and ipykernel load it already, by lines of your own" in told
    assert "ipython_config.py line 1): nothing changed" in told
    assert "lines of your own still load it" in home.done("disable", "--profile", "work")
    assert (work / "ipython_config.py").read_bytes() == own
    wrong = home.refused("enable", "--profile", "wrok")
    assert "found no such profile; accepted: default, work; ipython profile create" in wrong
    assert not (home.folder / "profile_wrok").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"def (:\n", "its configuration does not run: SyntaxError: invalid syntax"),
        (b"raise SystemExit\n", "its configuration does not run"),
        (b"c.InteractiveShellApp.extensions = ('a',)\n", "'tuple' object has no attribute"),
        (b"c.IPKernelApp.extensions = ['a']\n", 'c.IPKernelApp.extensions.append("omp_magic")'),
        (b"# omp_magic: begin\n", "without '# omp_magic: end': take that block out by hand"),
    ],
)
def test_what_would_not_be_followed_is_not_written(home: Home, config: bytes, said: str) -> None:
    home.profile.mkdir(parents=True)
    home.shared.write_bytes(config)
    line = home.refused("enable")
    assert line.startswith(f"omp-magic enable: {home.shared}: ")
    assert said in line
    assert home.shared.read_bytes() == config
    assert [each.name for each in home.profile.glob("*.py")] == [home.shared.name]


def test_what_cannot_be_written_is_one_line(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "file"
    file.touch()
    home.env = {"IPYTHONDIR": str(file / "ipython")}
    assert f"{file / 'ipython'}: cannot be written" in home.refused("enable")
    home.env = {"IPYTHONDIR": str(home.folder)}
    home.folder.mkdir()
    home.profile.touch()
    assert str(home.profile) in home.refused("enable")
    home.profile.unlink()
    home.shared.mkdir(parents=True)
    # Windows opens no folder, and says so by EACCES.
    why = "Is a directory" if os.name == "posix" else "Permission denied"
    assert f"{home.shared}: cannot be written or read: {why}" in home.refused("disable")


@pytest.mark.skipif(os.name != "posix", reason="takes rights away as POSIX has them")
def test_a_read_only_file_is_not_replaced(home: Home) -> None:
    home.profile.mkdir(parents=True)
    home.shared.write_bytes(b"x = 1\n")
    home.shared.chmod(0o444)
    code = (
        "import os\n"
        "from omp_magic.profiles import enabling\n"
        "os.access = lambda path, what: False  # root may write anything\n"
        "try:\n    enabling._write(%r, b'')\nexcept Exception as error:\n    print(error)\n"
    )
    program = [sys.executable, "-c", code % str(home.shared)]
    ended = run_program(program, 60, CLEAN)
    assert ended.out == f"{home.shared}: cannot be written or read: is read-only\n"
    assert home.shared.read_bytes() == b"x = 1\n"
