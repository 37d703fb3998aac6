"""Wheels of other platforms from the index, kept below tests/.cache."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from places import CACHE


@contextmanager
def download(requirement: str, *platforms: str) -> Iterator[Path]:
    """Give a wheel in a folder of its own, which goes afterwards; skip where there is no network.

    What is to be kept is moved out of it with `os.replace`: two runs may fetch the same at once,
    and none may see half a file. The folder is beside the rest, so that moving is no copy.
    """
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version=3.11", "--dest", folder]
        command += [f"--platform={each}" for each in platforms]
        ended = subprocess.run(
            [*command, requirement], check=False, capture_output=True, text=True, timeout=600
        )
        if ended.returncode:
            last = ended.stderr.strip()[-160:]
            pytest.skip(f"{requirement} cannot be fetched here: {last}")
        (wheel,) = Path(folder).glob("*.whl")
        yield wheel
