"""Wheels made by tests: a list of members is a wheel."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    members: Mapping[str, bytes] | None = None,
    *,
    version: str = "1.0",
    tag: str = "py3-none-any",
    needs: tuple[str, ...] = (),
) -> str:
    """Give the path of a wheel with METADATA, WHEEL, RECORD and these members."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.replace("-", "_")
    path = folder / f"{stem}-{version}-{tag}.whl"
    info = f"{stem}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {each}\n" for each in needs)
    pure = "true" if tag.endswith("-any") else "false"
    files = dict(members) if members is not None else {f"{stem}/__init__.py": b""}
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}\nText\n".encode()
    )
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    )
    record = "".join(f"{each},,\n" for each in files) + f"{info}/RECORD,,\n"
    files[f"{info}/RECORD"] = record.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return os.fspath(path)
