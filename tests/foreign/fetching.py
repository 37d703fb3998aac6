"""The real wheels, fetched by pip for another system and kept; none is unpacked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from places import CACHE
from recorded import Row

POOL = Path(os.environ.get("FOREIGN_WHEELS", CACHE / "wheels" / "foreign"))
"""Where the wheels are kept: 7 GB of them."""
_KEPT = re.compile(
    r"\.(py|pth|so(\.\d+)*|dylib|dll|pyd)$|\.dist-info/(RECORD|METADATA)$|/\.load-order-[^/]*$",
    re.IGNORECASE,
)
_SKIPPED = re.compile(r"/tests?/")
_PLATFORMS = {
    ("macos", "arm64"): [f"macosx_{each}_0_arm64" for each in range(26, 10, -1)],
    ("macos", "x86_64"): [
        *(f"macosx_{each}_0_x86_64" for each in range(26, 10, -1)),
        *(f"macosx_10_{each}_x86_64" for each in range(16, 5, -1)),
    ],
    ("windows", "x86_64"): ["win_amd64"],
}
_UNIVERSAL = [f"macosx_{each}_universal2" for each in ("11_0", "10_15", "10_13", "10_12", "10_9")]


class NotHadError(Exception):
    """A wheel that cannot be had now, with what pip said."""


def wheel(name: str, row: Row) -> Path:
    """Give a wheel of a row by its file name, fetched once.

    Raises
    ------
    NotHadError
        When it cannot be fetched.
    """
    path = POOL / name
    if not path.exists():
        _fetch(name, row)
    return path


def _fetch(name: str, row: Row) -> None:
    POOL.mkdir(parents=True, exist_ok=True)
    distribution, version = name.split("-")[:2]
    tag = row.python.replace(".", "")
    with tempfile.TemporaryDirectory(dir=POOL, prefix="fetching-") as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            folder,
        ]
        command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={row.python}"]
        command += [f"--abi={each}" for each in (f"cp{tag}", "abi3", "none")]
        platforms = _PLATFORMS[row.system, row.cpu] + (_UNIVERSAL if row.system == "macos" else [])
        command += [f"--platform={each}" for each in platforms]
        ended = subprocess.run(
            [*command, f"{distribution}=={version}"],
            check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        found = [each for each in Path(folder).glob("*.whl") if each.name == name]
        if not found:
            others = ", ".join(each.name for each in Path(folder).glob("*.whl"))
            said = ended.stderr.strip().rpartition("\n")[2][-160:]
            raise NotHadError(f"{name}: {said or f'there is {others} instead'}")
        os.replace(found[0], POOL / name)


def is_kept(path: str) -> bool:
    """Tell whether a walk may look at a file of a wheel."""
    return _KEPT.search(path) is not None and _SKIPPED.search(path) is None


def installed_path(path: str) -> str:
    """Give where a file of a wheel is put, from the folder of packages.

    Below NAME.data are those for other folders (packaging.python.org, "Binary distribution
    format"): purelib and platlib are that folder, data is the prefix.
    """
    found = re.match(r"[^/]+\.data/(purelib|platlib|data)/(.*)", path)
    if found is None:
        return path
    return f"../../{found[2]}" if found[1] == "data" else found[2]
