"""Fresh environments for the checks that `make` runs: the standard library is all they need."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import installing

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "tests" / ".cache"

_NOT_INHERITED = re.compile(
    r"(OMP|KMP|GOMP|MKL|OPENBLAS|GOTO|BLIS|LOKY|NUMBA|NUMEXPR|PYTEST|IPYTHON|JUPYTER)"
    r"|PYTHON(PATH|HOME|STARTUP|WARNINGS)$|VIRTUAL_ENV$|PYENV_VERSION$|MAKE"
)


def clean_environment(prefix: Path, **more: str) -> dict[str, str]:
    """Give the variables of a process that is to see one environment and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not _NOT_INHERITED.match(name)}
    # A kernel's spec in the user's folders would win over the environment's own.
    own = {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONNOUSERSITE": "1"}
    path = os.pathsep.join([str(prefix / "bin"), kept.get("PATH", os.defpath)])
    return {**kept, **own, "PATH": path, **more}


def find_python(version: str) -> str | None:
    """Give the path of an interpreter, as "3.12" names it, or None where there is none."""
    candidates = [(sys.executable, ""), (shutil.which(f"python{version}"), "")]
    if shutil.which("pyenv"):
        listed = subprocess.run(
            ["pyenv", "versions", "--bare"], check=False, capture_output=True, text=True
        ).stdout.split()
        # pyenv's python3.N runs only when PYENV_VERSION names a version that has it.
        found = [each for each in listed if each.startswith(f"{version}.")]
        candidates += [(shutil.which(f"python{version}"), each) for each in found]
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys._base_executable)"
    for python, chosen in candidates:
        if python is None:
            continue
        variables = {**os.environ, "PYENV_VERSION": chosen} if chosen else None
        with contextlib.suppress(OSError):
            said = subprocess.run(
                [python, "-c", ask], check=False, capture_output=True, text=True, env=variables
            ).stdout.strip()
            if said.startswith(f"{version} "):
                return said.partition(" ")[2]
    return None


def make_environment(prefix: Path, python: str) -> Path:
    """Make an environment anew with that interpreter, and give its own."""
    call(installing.make(prefix, python))
    return prefix / "bin" / "python"


def install(python: Path, *words: str) -> None:
    """Install what is asked for; what was said is shown when it fails."""
    call(installing.install(str(python), *words), cwd=ROOT)


def call(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed, and give its stdout.

    Raises
    ------
    SystemExit
        When it fails, with what it said.
    """
    variables = env or clean_environment(Path(command[0]).parent.parent)
    variables = installing.environment_for(command, variables)
    ended = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=variables,
        timeout=1800,
    )
    if ended.returncode:
        said = f"{ended.stdout[-3000:]}{ended.stderr[-3000:]}"
        raise SystemExit(f"{said}\nexit {ended.returncode}: {' '.join(command)}")
    return ended.stdout


@contextlib.contextmanager
def removed_afterwards(folder: Path) -> Iterator[Path]:
    """Give an empty folder, and remove it however the work in it ends."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
