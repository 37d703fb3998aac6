"""Files of the running system, against what the system's own tools say of them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from live import LINUX

from omp_magic.formats.elf import parse_elf
from omp_magic.formats.ldcache import parse_ldcache


@pytest.mark.skipif(not LINUX, reason="reads ELF files of the running system: Linux only")
def test_elf_of_real_libraries_as_readelf_reads_them(libiomp5: str) -> None:
    spec = importlib.util.find_spec("numpy")  # found, not imported: that would load OpenBLAS
    assert spec is not None
    assert spec.origin is not None
    folder = os.path.join(os.path.dirname(spec.origin), "..", "numpy.libs")
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if ".so" in name]
    try:
        subprocess.run(["readelf", "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("readelf (binutils) is not installed")
    for path in [*paths, libiomp5, sys.executable]:
        with open(path, "rb") as file:
            ours = parse_elf(file.read())
        text = subprocess.run(
            ["readelf", "-dW", path], check=True, capture_output=True, text=True
        ).stdout
        theirs: dict[str, list[str]] = {}
        for line in text.split("\n"):
            for tag in ("SONAME", "NEEDED", "RPATH", "RUNPATH"):
                if f"({tag})" in line:
                    theirs.setdefault(tag, []).append(line.split("[", 1)[1].rstrip("] "))
        assert list(ours.needed) == theirs.get("NEEDED", [])
        assert [ours.soname] == theirs.get("SONAME", [None])
        assert [ours.rpath] == theirs.get("RPATH", [None])
        assert [ours.runpath] == theirs.get("RUNPATH", [None])


def test_the_machines_own_cache_is_what_ldconfig_prints() -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if ldconfig is None or not Path("/etc/ld.so.cache").exists():
        pytest.skip("no glibc: no ldconfig and cache")
    printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    theirs = re.findall(r"^\t(\S+) \(.*\) => (.*)$", printed, re.MULTILINE)
    ours = parse_ldcache(Path("/etc/ld.so.cache").read_bytes())
    assert [(entry.name, entry.path) for entry in ours.entries] == theirs
    assert theirs
