"""Environments, made and filled by uv where it is on the PATH, else by venv and pip.

As a program it is what the Makefile installs with, on any Python from 3.10 and nothing else:

python tests/checks/installing.py .venv notebook ipykernel
python tests/checks/installing.py .venv --editable '.[test]'
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

LIMIT_S = 1800
_LEAST = (3, 10)


def uv_program() -> str | None:
    """Give uv's path, or None where there is none, or where WITHOUT_UV is set."""
    return None if os.environ.get("WITHOUT_UV") else shutil.which("uv")


def variables_of_uv() -> dict[str, str]:
    """Give what uv must be told: it reads nothing of pip's settings.

    Files are copied out of uv's cache: a hard link would be one file in several environments, and
    a test that exchanges a library in one would exchange it in all.
    """
    told = {"UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}
    if not os.access(Path.home(), os.W_OK):
        told["UV_NO_CACHE"] = "1"  # uv refuses to work without a place for its cache
    for name in ("FIND_LINKS", "INDEX_URL", "EXTRA_INDEX_URL"):
        value = os.environ.get(f"PIP_{name}")
        if value:
            told[f"UV_{name}"] = value
    return {name: value for name, value in told.items() if name not in os.environ}


def make(prefix: Path, python: str) -> list[str]:
    """Give the command that makes an environment anew with that interpreter."""
    uv = uv_program()
    if uv is not None:
        return [uv, "venv", "--quiet", "--seed", "--clear", "--python", python, str(prefix)]
    return [python, "-m", "venv", "--clear", str(prefix)]


def install(python: str, *words: str, quiet: bool = True) -> list[str]:
    """Give the command that installs into the environment of an interpreter."""
    uv = uv_program()
    if uv is not None:
        command = [uv, "pip", "install", "--python", python]
    else:
        command = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    return [*command, *(["--quiet"] if quiet else []), *words]


def environment_for(command: list[str], variables: Mapping[str, str]) -> dict[str, str]:
    """Give the variables for such a command: these, and those that its program must be told."""
    uv = uv_program()
    return {**variables, **(variables_of_uv() if uv is not None and command[0] == uv else {})}


def _call(command: list[str], what: str) -> None:
    """Run one step; say what it does, and how long it took where nothing else shows it."""
    shown = sys.stderr.isatty()
    print(f"{what} ...", flush=True)
    began = time.monotonic()
    ended = subprocess.run(
        command, check=False, env=environment_for(command, os.environ), timeout=LIMIT_S
    )
    if ended.returncode:
        raise SystemExit(f"{what}: exit {ended.returncode}; the command was: {' '.join(command)}")
    if not shown:
        print(f"  done in {time.monotonic() - began:.0f} s", flush=True)


def _named(word: str) -> str:
    """Say what a requirement is: this project with its extras, or another."""
    extras = word[2:-1].replace(",", ", ") if word.startswith(".[") else ""
    return f"omp_magic with {extras}" if extras else word


def main(words: list[str]) -> int:
    """Make the environment where there is none, and install into it."""
    if sys.version_info < _LEAST:
        found = ".".join(map(str, sys.version_info[:3]))
        print(
            f"Python 3.10 or later is needed; found: {found}. Example: make demo PYTHON=python3.12"
        )
        return 2
    prefix, wanted = Path(words[0]), words[1:]
    python = prefix / "bin" / "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if not python.exists():
        try:
            _call(make(prefix, sys.executable), f"making {prefix} with Python {version}")
        except SystemExit:
            shutil.rmtree(prefix, ignore_errors=True)
            if shutil.which("apt-get") is None:
                raise
            # Debian's python3 comes without ensurepip.
            _call(["apt-get", "update", "-qq"], "python -m venv does not work here; asking Debian")
            _call(["apt-get", "install", "-y", "-qq", "python3-venv"], "installing python3-venv")
            _call(make(prefix, sys.executable), f"making {prefix} with Python {version}")
    if wanted:
        by = "uv" if uv_program() else "pip"
        named = ", ".join(_named(word) for word in wanted if not word.startswith("-"))
        command = install(str(python), *wanted, quiet=not sys.stderr.isatty())
        _call(command, f"installing {named} into {prefix} with {by}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
